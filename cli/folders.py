"""`duplicates folders`: which folders are equal to, or mostly contained in, others."""

from dataclasses import asdict
from typing import Annotated, Any

import typer

from cli.following import followed
from cli.organize import Json
from cli.output import emit_json, err, fail, out, rows_table, size
from cli.session import open_session
from models.domain.errors import FileOrganizerError
from models.domain.jobs import JobKind
from storage.opening import canonical_url, open_store
from warehouse.store.parts import open_lake


def folders(
    source: Annotated[str, typer.Argument(help="Folder, or s3://bucket/prefix.")],
    least: Annotated[float, typer.Option(min=0, max=1, help="Smallest share to tell.")] = 0.5,
    limit: Annotated[int, typer.Option(min=1, help="Folders to print.")] = 20,
    as_json: Json = False,
) -> None:
    """Say which folders are equal to others, or (mostly) in them. Removes nothing."""
    try:
        with open_session(quiet=as_json) as session:
            from flows.reindex import reindex_root
            from tasks.dedupe.folders import folder_overlaps
            from tasks.lifecycle.task import job_for_root, recall_index

            url = canonical_url(source)
            store = open_store(url, s3_endpoint_url=session.settings.s3_endpoint_url)
            next(iter(store.list_pages(page_size=1)), None)
            job_id = job_for_root(JobKind.REINDEX, session.ledger.root_for(url).id)
            with followed(session.ledger, job_id, quiet=as_json):
                reindex_root(job_id)
            rows = open_lake(session.settings.lake).read(recall_index(job_id)["fingerprints"])
            columns = (rows[name].to_pylist() for name in ("key", "sha256", "size_bytes"))
            files = [row for row in zip(*columns, strict=True) if row[1] is not None]
            found = [
                {**asdict(row), "in_words": row.in_words()}
                for row in folder_overlaps(files, least_share=least)
            ]
            _print(found, limit, as_json=as_json)
    except FileOrganizerError as error:
        fail(error, as_json=as_json)


def _print(found: list[dict[str, Any]], limit: int, *, as_json: bool) -> None:
    if as_json:
        emit_json({"folders": found})
        return
    rows = [(row["in_words"], size(row["shared_bytes"])) for row in found[:limit]]
    title = f"{len(found):,} folders that are (mostly) elsewhere, too"
    out.print(rows_table(title, ("what is where", "shared"), rows))
    if found:
        err.print("unite two of them: fileorganizer duplicates merge SOURCE FOLDER --into OTHER")
