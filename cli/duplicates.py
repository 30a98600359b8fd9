"""`duplicates`: which files hold equal bytes, and what they waste."""

from typing import Annotated, Any

import pyarrow as pa
import typer

from cli.following import followed
from cli.organize import Json
from cli.output import emit_json, fail, out, rows_table, size
from cli.session import open_session
from models.domain.duplicates import DuplicateRow
from models.domain.errors import FileOrganizerError
from models.domain.jobs import JobKind
from storage.opening import canonical_url, open_store
from warehouse.schemas.arrow import to_rows
from warehouse.store.parts import open_lake


def groups_of(table: pa.Table) -> list[dict[str, Any]]:
    """Return (g,) groups, most wasteful first; members with the keeper first."""
    groups: dict[str, list[DuplicateRow]] = {}
    for row in to_rows(table, DuplicateRow):
        groups.setdefault(row.group_id, []).append(row)
    documents = [
        {
            "hash": group_id,
            "original_file": next(row.key for row in rows if row.is_keeper),
            "keep_reason": rows[0].keep_reason,
            "duplicates": [
                {"file": row.key, "similarity": row.similarity_ratio, "hardlink": row.is_hardlink}
                for row in rows
                if not row.is_keeper
            ],
            "size_bytes": rows[0].size_bytes,
            "space_wasted_bytes": sum(row.wasted_bytes for row in rows),
        }
        for group_id, rows in groups.items()
    ]
    return sorted(documents, key=lambda group: (-group["space_wasted_bytes"], group["hash"]))


def duplicates(
    source: Annotated[str, typer.Argument(help="Folder, or s3://bucket/prefix.")],
    limit: Annotated[int, typer.Option(min=1, help="Groups to print.")] = 20,
    as_json: Json = False,
) -> None:
    """Find files with equal bytes and say which copy would be kept, and why. Removes nothing."""
    try:
        with open_session(quiet=as_json) as session:
            from flows.reindex import reindex_root
            from tasks.lifecycle.task import job_for_root, recall_index

            url = canonical_url(source)
            store = open_store(url, s3_endpoint_url=session.settings.s3_endpoint_url)
            next(iter(store.list_pages(page_size=1)), None)
            job_id = job_for_root(JobKind.REINDEX, session.ledger.root_for(url).id)
            with followed(session.ledger, job_id, quiet=as_json):
                reindex_root(job_id)
            lake = open_lake(session.settings.lake)
            _print(groups_of(lake.read(recall_index(job_id)["duplicates"])), limit, as_json=as_json)
    except FileOrganizerError as error:
        fail(error, as_json=as_json)


def _print(groups: list[dict[str, Any]], limit: int, *, as_json: bool) -> None:
    wasted = sum(group["space_wasted_bytes"] for group in groups)
    count = sum(len(group["duplicates"]) for group in groups)
    if as_json:
        emit_json(
            {
                "duplicate_groups": groups,
                "total_duplicates": count,
                "total_space_wasted_gb": wasted / 1e9,
            }
        )
        return
    rows = [
        (
            size(group["space_wasted_bytes"]),
            group["original_file"],
            "\n".join(member["file"] for member in group["duplicates"]),
            group["keep_reason"],
        )
        for group in groups[:limit]
    ]
    title = f"{len(groups):,} groups, {count:,} duplicates, {size(wasted)} wasted"
    out.print(rows_table(title, ("wasted", "keep", "further copies", "why this one"), rows))


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(duplicates)
