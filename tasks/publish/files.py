"""The files of a root after a job, with what is known of them: pure, over whole tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from models.domain.categories import CategoryRow
from models.domain.fingerprint import Fingerprint
from models.domain.manifest import ManifestRow
from tasks.publish.whereabouts import Arrival, Whereabouts
from warehouse.schemas.arrow import arrow_schema, to_table

if TYPE_CHECKING:
    import polars as pl

PLACE_COLUMNS = frozenset(arrow_schema(ManifestRow).names)
"""What a fingerprint says of a place; the rest it says of the content."""

CATEGORY_COLUMNS = tuple(name for name in arrow_schema(CategoryRow).names if name != "key")


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What was known before the job's operations.

    Attributes:
        bases: (n,) rows of Fingerprint by root id: the files of each root before.
        contents: (m,) rows of Fingerprint of any place, for files whose place is not in `bases`.
    """

    bases: Mapping[str, pa.Table]
    contents: pa.Table


def files_after(root_id: str, known: Known, where: Whereabouts) -> pa.Table:
    """Return the files of a root after the job's operations, sorted by key.

    Returns:
        (n,) rows: the columns of Fingerprint, then `origin_root_id` and `origin_key` (where the
        file was before), `is_arrived` (an operation put it here), `is_copy` (and its original
        stayed) and `is_known` (its content was read; false where only the journal tells of it).
    """
    import polars as pl

    base = pl.DataFrame(known.bases[root_id]) if root_id in known.bases else _no_files()
    here = {key: each for (root, key), each in where.arrivals.items() if root == root_id}
    away = [key for root, key in where.left if root == root_id]
    moved = pl.DataFrame({"key": [*away, *here]}, schema={"key": pl.String})
    stayed = base.join(moved, on="key", how="anti").with_columns(
        origin_root_id=pl.lit(root_id),
        origin_key=pl.col("key"),
        is_arrived=pl.lit(value=False),
        is_copy=pl.lit(value=False),
        is_known=pl.lit(value=True),
    )
    arrived = _arrived(_arrivals(here), root_id, known)
    found = pl.concat([stayed, arrived.select(stayed.columns)]).sort("key")
    return found.to_arrow().cast(_schema())


def _schema() -> pa.Schema:
    added = [
        pa.field("origin_root_id", pa.string()),
        pa.field("origin_key", pa.string()),
        pa.field("is_arrived", pa.bool_()),
        pa.field("is_copy", pa.bool_()),
        pa.field("is_known", pa.bool_()),
    ]
    return pa.schema([*arrow_schema(Fingerprint), *added])


def _no_files() -> "pl.DataFrame":
    import polars as pl

    return pl.DataFrame(to_table([], Fingerprint))


def _arrivals(here: Mapping[str, Arrival]) -> "pl.DataFrame":
    """Return arrivals as rows of their places, with the hash the journal knows as `arrived_as`."""
    import polars as pl

    columns: dict[str, Any] = {
        "key": (list(here), pl.String),
        "size_bytes": ([each.size_bytes for each in here.values()], pl.Int64),
        "modified_ns": ([each.modified_ns for each in here.values()], pl.Int64),
        "version": ([each.version for each in here.values()], pl.String),
        "inode": ([_inode(each.version) for each in here.values()], pl.Int64),
        "origin_root_id": ([each.origin[0] for each in here.values()], pl.String),
        "origin_key": ([each.origin[1] for each in here.values()], pl.String),
        "is_copy": ([each.is_copy for each in here.values()], pl.Boolean),
        "arrived_as": ([each.sha256 for each in here.values()], pl.String),
    }
    return pl.DataFrame(
        {name: values for name, (values, _) in columns.items()},
        schema={name: kind for name, (_, kind) in columns.items()},
    )


def _inode(version: str) -> int | None:
    """Return the inode that a version on disk begins with (`ManifestRow.version`)."""
    parts = version.split("-")
    return int(parts[0]) if len(parts) == 3 and all(map(str.isdigit, parts)) else None  # noqa: PLR2004 - inode, mtime, ctime


def _arrived(arrivals: "pl.DataFrame", root_id: str, known: Known) -> "pl.DataFrame":
    """Give arrivals the facts of their content: from where they were, else from equal bytes."""
    import polars as pl

    facts = [name for name in arrow_schema(Fingerprint).names if name not in PLACE_COLUMNS]
    places = [
        pl.DataFrame(table).with_columns(origin_root_id=pl.lit(root), origin_key=pl.col("key"))
        for root, table in known.bases.items()
    ]
    carried = ["device", "link_count", *facts]
    if not places:
        places = [_no_files().with_columns(origin_root_id=pl.lit(""), origin_key=pl.col("key"))]
    before = pl.concat(places).select("origin_root_id", "origin_key", *carried)
    by_place = arrivals.join(before, on=["origin_root_id", "origin_key"], how="inner").filter(
        (pl.col("arrived_as") == "") | (pl.col("arrived_as") == pl.col("sha256"))
    )
    rest = arrivals.join(by_place, on="key", how="anti")
    by_content = (
        pl.DataFrame(known.contents)
        .filter(pl.col("sha256").is_not_null())
        .unique("sha256", keep="first", maintain_order=True)
        .select(*facts)
        .with_columns(arrived_as=pl.col("sha256"))
    )
    alike = rest.join(by_content, on="arrived_as", how="inner").with_columns(
        device=pl.lit(None, pl.Int64), link_count=pl.lit(1, pl.Int64)
    )
    unread = _unread(rest.join(alike, on="key", how="anti"))
    columns = list(dict.fromkeys([*arrivals.columns, *carried]))
    told = pl.concat(
        [
            by_place.select(columns).with_columns(is_known=pl.lit(value=True)),
            alike.select(columns).with_columns(is_known=pl.lit(value=True)),
            unread.select(columns).with_columns(is_known=pl.lit(value=False)),
        ]
    )
    # A file from another root is another inode on perhaps another device.
    from_here = pl.col("origin_root_id") == root_id
    return told.with_columns(
        is_arrived=pl.lit(value=True),
        device=pl.when(from_here & ~pl.col("is_copy")).then("device"),
        link_count=pl.when(from_here & ~pl.col("is_copy")).then("link_count").otherwise(1),
    )


def _unread(arrivals: "pl.DataFrame") -> "pl.DataFrame":
    """Return arrivals of which only the journal tells, with facts that claim nothing."""
    import polars as pl

    rows = [
        Fingerprint(
            key=row["key"],
            size_bytes=row["size_bytes"],
            modified_ns=row["modified_ns"],
            version=row["version"],
            sha256=row["arrived_as"] or None,
        )
        for row in arrivals.iter_rows(named=True)
    ]
    facts = pl.DataFrame(to_table(rows, Fingerprint)).drop(
        "size_bytes", "modified_ns", "version", "inode"
    )
    return arrivals.join(facts, on="key", how="inner")


def with_categories(files: pa.Table, sources: Sequence[tuple[str, pa.Table]]) -> pa.Table:
    """Return the files with their categories, null where nobody decided.

    Args:
        files: (n,) rows of `files_after`.
        sources: whom to ask, in order of belief, and how: by `origin`, rows with `root_id` and
            `key` of where the file was; by `key`, where it is; by `content`, rows with `sha256`.
            Each has the columns of CategoryRow besides; of what was published before some may
            be missing, and are null.

    Returns:
        (n,) rows: `files`, then the columns of CategoryRow but `key`.
    """
    import polars as pl

    schema = arrow_schema(CategoryRow)
    nothing = pl.DataFrame(schema.empty_table()).select(CATEGORY_COLUMNS).schema
    told = pl.DataFrame(files)
    missing = told
    parts: list[pl.DataFrame] = []
    for way, table in sources:
        left_on, right_on = _WAYS[way]
        answers = (
            pl.DataFrame(table)
            .with_columns(
                pl.lit(None, kind).alias(name)
                for name, kind in nothing.items()
                if name not in table.column_names
            )
            .select(*right_on, *CATEGORY_COLUMNS)
            .filter(pl.col("category").is_not_null())
            .unique(right_on, keep="first", maintain_order=True)
        )
        answered = missing.join(answers, left_on=left_on, right_on=right_on, how="inner")
        parts.append(answered.select(*told.columns, *CATEGORY_COLUMNS))
        missing = missing.join(answered, on="key", how="anti")
    parts.append(
        missing.with_columns(pl.lit(None, kind).alias(name) for name, kind in nothing.items())
    )
    fields = [pa.field(name, schema.field(name).type) for name in CATEGORY_COLUMNS]
    found = pl.concat(parts).sort("key").to_arrow()
    return found.cast(pa.schema([*files.schema, *fields]))


_WAYS: dict[str, tuple[list[str], list[str]]] = {
    "origin": (["origin_root_id", "origin_key"], ["root_id", "key"]),
    "key": (["key"], ["key"]),
    "content": (["sha256"], ["sha256"]),
}


def index_of(files: pa.Table) -> pa.Table:
    """Return the root's next index: rows of Fingerprint that hold until a file changes."""
    import pyarrow.compute as pc

    usable = files.filter(pc.field("is_known") & (pc.field("version") != ""))
    return usable.select(arrow_schema(Fingerprint).names)
