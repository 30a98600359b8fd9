"""`duplicates archives`: which archives are already unpacked elsewhere, byte for byte."""

from dataclasses import asdict
from typing import Annotated, Any

import pyarrow.compute as pc
import typer

from cli.following import followed
from cli.organize import Json
from cli.output import emit_json, fail, out, rows_table, size
from cli.session import open_session
from models.domain.archives import ArchiveMember, ArchiveOverlap
from models.domain.errors import FileOrganizerError
from models.domain.jobs import JobKind
from storage.opening import canonical_url, open_store
from warehouse.schemas.arrow import to_rows
from warehouse.store.parts import open_lake

compute: Any = pc  # the stubs know too few of its overloads


def archives(
    source: Annotated[str, typer.Argument(help="Folder, or s3://bucket/prefix.")],
    limit: Annotated[int, typer.Option(min=1, help="Archives to print.")] = 20,
    members: Annotated[
        int, typer.Option(min=0, help="With --json: names told of what is only in an archive.")
    ] = 100,
    as_json: Json = False,
) -> None:
    """Look into zip, tar and 7z archives and say what of them lies elsewhere. Removes nothing.

    Every member is unpacked in memory, in a confined process, and hashed; a member is found when a
    file below SOURCE has exactly its bytes, whatever its name.
    """
    try:
        with open_session(quiet=as_json) as session:
            from flows.archives import look_into_archives
            from tasks.lifecycle.task import job_for_root, recall_index

            url = canonical_url(source)
            with open_store(url, s3_endpoint_url=session.settings.s3_endpoint_url) as store:
                next(iter(store.list_pages(page_size=1)), None)
            job_id = job_for_root(JobKind.REINDEX, session.ledger.root_for(url).id)
            with followed(session.ledger, job_id, quiet=as_json):
                look_into_archives(job_id)
            lake = open_lake(session.settings.lake)
            tables = recall_index(job_id)
            found = to_rows(lake.read(tables["archives"]), ArchiveOverlap)
            if not as_json:
                _print(found[:limit], len(found))
                return
            rows = lake.read(tables["archive_members"])
            is_only = compute.and_(
                compute.is_null(rows["found_key"]), compute.is_valid(rows["sha256"])
            )
            only = _only(to_rows(rows.filter(is_only), ArchiveMember), members)
            emit_json({"archives": [_document(row, only) for row in found]})
    except FileOrganizerError as error:
        fail(error, as_json=as_json)


def _only(rows: list[ArchiveMember], most: int) -> dict[str, list[dict[str, Any]]]:
    """Return what is only in each archive, by the archive's content; empty members left out."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        told = found.setdefault(row.archive_sha256, [])
        if row.size_bytes and len(told) < most:
            told.append({"path": row.path, "size_bytes": row.size_bytes, "sha256": row.sha256})
    return found


def _document(row: ArchiveOverlap, only: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    told = only.get(row.sha256, [])
    return {**asdict(row), "in_words": row.in_words(), "only_in_archive": told}


def _print(found: list[ArchiveOverlap], total: int) -> None:
    rows = [(row.unpacked, row.key, row.in_words(), size(row.size_bytes)) for row in found]
    title = f"{total:,} archives"
    out.print(rows_table(title, ("unpacked", "archive", "what lies elsewhere", "size"), rows))
