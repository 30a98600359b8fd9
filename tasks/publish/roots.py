"""One root after a job: its files, groups, catalog rows, history and next index."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import pyarrow as pa

from models.domain.categories import CategoryRow
from models.domain.duplicates import DuplicateRow, TruthClass
from models.domain.fingerprint import Fingerprint, index_profile
from models.domain.jobs import Job, JobKind
from models.domain.near import NearMedia
from models.domain.table_refs import TableRef
from tasks.publish.catalog_rows import catalog_rows, links_of
from tasks.publish.files import Known, files_after, index_of, with_categories
from tasks.publish.groups import groups_after, relocated
from tasks.publish.history import RootHistory, Stamp, root_history
from tasks.publish.previous import Previous, read_previous
from tasks.publish.whereabouts import Whereabouts
from warehouse.schemas.arrow import arrow_schema, to_rows, to_table
from warehouse.store.parts import Lake

ALL_MEDIA = frozenset(media.value for media in NearMedia)


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexRefs:
    """What indexing a root gave: its files, their categories, their groups.

    Attributes:
        near: near groups, where they were looked for; without, those there were go on.
        media: which of `NearMedia` were looked at for them; groups of others go on.
    """

    fingerprints: TableRef
    categories: TableRef
    duplicates: TableRef
    near: TableRef | None = None
    media: frozenset[str] = ALL_MEDIA


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A root as it was indexed before the job's operations.

    Attributes:
        fingerprints: (n,) rows of Fingerprint; not read where they are taken in batches.
        categories: (n,) rows of CategoryRow; not read there either.
        duplicates: (m,) rows of DuplicateRow.
        near: (k,) rows of DuplicateRow that are only alike; None when nobody looked.
        media: which of `NearMedia` were looked at for them.
    """

    root_id: str
    fingerprints: pa.Table
    categories: pa.Table
    duplicates: pa.Table
    near: pa.Table | None = None
    media: frozenset[str] = ALL_MEDIA

    def looked_at(self, group: DuplicateRow) -> bool:
        """Return whether a group of an earlier run would have been found again, were it there."""
        return self.near is not None and group.group_id.partition("-")[0] in self.media

    @classmethod
    def read(cls, lake: Lake, root_id: str, refs: IndexRefs, *, only_groups: bool) -> Self:
        """Return the root that `refs` are of; with `only_groups` without its files."""
        files, categories = arrow_schema(Fingerprint), arrow_schema(CategoryRow)
        return cls(
            root_id=root_id,
            fingerprints=files.empty_table() if only_groups else lake.read(refs.fingerprints),
            categories=categories.empty_table() if only_groups else lake.read(refs.categories),
            duplicates=lake.read(refs.duplicates),
            near=None if refs.near is None else lake.read(refs.near),
            media=refs.media,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RootAfter:
    """A root after the job.

    Attributes:
        files: (n,) rows of `with_categories`: all that is known to be there.
        rows: rows of CatalogRow: all files, or when not `is_complete` those that arrived.
        duplicates: DuplicateRow: all its groups.
        index: rows of Fingerprint.
        gone: keys that went; empty when `is_complete`.
    """

    root_id: str
    files: pa.Table
    rows: pa.Table
    duplicates: pa.Table
    index: pa.Table
    history: RootHistory
    gone: Sequence[str]
    is_complete: bool
    previous_root_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A job that is done, with what was known before it.

    Attributes:
        where: what its operations changed.
        bases: files of each root before, and where that index is kept.
        given: what indexing gave; of an undo, what its job was planned from.
        complete: the root of which `bases` has all files; None when of none.
    """

    stamp: Stamp
    job: Job
    where: Whereabouts
    bases: Mapping[str, tuple[pa.Table, str]]
    given: Given | None
    complete: str | None


def root_after(lake: Lake, change: Change, root_id: str) -> RootAfter:
    """Return what is published of one root.

    Args:
        lake: where the warehouse is, for what was published before.
        change: the job.
        root_id: the root.
    """
    where, given, is_complete = change.where, change.given, root_id == change.complete
    contents = given.fingerprints if given else arrow_schema(Fingerprint).empty_table()
    known = Known(
        bases={root: table for root, (table, _) in change.bases.items()}, contents=contents
    )
    previous = read_previous(lake, root_id, with_categories=bool(where.arrivals))
    found = files_after(root_id, known, where)
    files = with_categories(found, _categories(change, previous.categories))
    duplicates = groups_after(members_after(change, root_id, files, previous))
    gone = None if is_complete else where.gone(root_id)
    previous_root_id = _previous_root(root_id, where)
    profile = index_profile(read_gps=change.job.options.read_gps)
    base_uri = change.bases[root_id][1] if root_id in change.bases else ""
    is_same_profile = is_complete or f"/{profile}/" in base_uri
    return RootAfter(
        root_id=root_id,
        files=files,
        rows=catalog_rows(
            files if is_complete else _arrived(files),
            links_of(duplicates),
            previous_root_id=previous_root_id,
            is_organizing=change.job.kind is JobKind.ORGANIZE,
        ),
        duplicates=to_table(duplicates, DuplicateRow),
        index=index_of(files if is_same_profile else _arrived(files)),
        history=root_history(change.stamp, root_id, files, previous.versions, gone=gone),
        gone=gone or [],
        is_complete=is_complete,
        previous_root_id=previous_root_id,
    )


def _arrived(files: pa.Table) -> pa.Table:
    import pyarrow.compute as pc

    return files.filter(pc.field("is_arrived"))


def _previous_root(root_id: str, where: Whereabouts) -> str:
    """Return the root that arrivals came from: another one if any did, else this one."""
    others = {
        arrival.origin[0]
        for (root, _), arrival in where.arrivals.items()
        if root == root_id and arrival.origin[0] != root_id
    }
    return min(others, default=root_id)


def _categories(change: Change, previous: pa.Table) -> list[tuple[str, pa.Table]]:
    """Return whom to ask for categories, in order of belief."""
    given, is_undo = change.given, change.job.kind is JobKind.UNDO
    if given is None:
        return [("origin", previous)]
    roots = pa.array([given.root_id] * given.categories.num_rows, pa.string())
    here = given.categories.append_column("root_id", roots)
    if not is_undo and not change.where.arrivals:
        return [("origin", here)]
    hashes = given.fingerprints.select(["key", "sha256"])
    by_content = here.join(hashes, keys="key", join_type="inner").sort_by("key")
    return [("key" if is_undo else "origin", here), ("origin", previous), ("content", by_content)]


def members_after(
    change: Change, root_id: str, files: pa.Table, previous: Previous
) -> list[DuplicateRow]:
    """Return the members of groups that are below the root now, those told last first.

    Args:
        change: the job.
        root_id: the root.
        files: `key` and `sha256` of the files there.
        previous: what was told before.
    """
    given, where = change.given, change.where
    indexed = to_rows(given.duplicates, DuplicateRow) if given else []
    if given is not None and given.near is not None:
        indexed += to_rows(given.near, DuplicateRow)
    told: list[DuplicateRow] = []
    if given is not None and change.job.kind is JobKind.UNDO:
        told += indexed if root_id == given.root_id else []
    elif given is not None:
        told += relocated(indexed, where, origin_root_id=given.root_id, root_id=root_id)
    fresh = len(told)
    if root_id != change.complete:
        told += relocated(previous.duplicates, where, origin_root_id=root_id, root_id=root_id)
    else:
        alike = [
            each
            for each in previous.duplicates
            if each.truth_class != TruthClass.FULL_HASH
            and not (given is not None and given.looked_at(each))
        ]
        told += relocated(alike, where, origin_root_id=root_id, root_id=root_id)
    contents = _contents(files, {member.key for member in told})
    compared = _compared(previous)
    return [
        member
        for position, member in enumerate(told)
        if member.key in contents
        and (
            contents[member.key] == member.group_id
            if member.truth_class == TruthClass.FULL_HASH
            else position < fresh or contents[member.key] in compared[member.group_id]
        )
    ]


def _compared(previous: Previous) -> defaultdict[str, set[str | None]]:
    """Return the contents that each group had when it was told last: an edited file was not."""
    found: defaultdict[str, set[str | None]] = defaultdict(set)
    contents = _contents(previous.versions, {member.key for member in previous.duplicates})
    for member in previous.duplicates:
        found[member.group_id].add(contents.get(member.key))
    return found


def _contents(files: pa.Table, keys: Collection[str]) -> dict[str, str | None]:
    """Return the content of those of the keys that are there."""
    import pyarrow.compute as pc

    wanted = pc.field("key").isin(pa.array(sorted(keys), pa.string()))
    found = files.select(["key", "sha256"]).filter(wanted).to_pydict()
    return dict(zip(found["key"], found["sha256"], strict=True))
