"""`duplicates`: which files hold equal bytes or nearly the same content, and what they waste."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import pyarrow as pa
import typer
from typer.core import TyperGroup

from cli import decisions
from cli.archives import archives
from cli.calibrate import calibrate
from cli.folders import folders
from cli.following import followed
from cli.merge import merge
from cli.near_report import Facts, near_report
from cli.organize import Json
from cli.output import emit_json, err, fail, out, rows_table, size
from cli.removal import remove
from cli.session import open_session
from models.domain.decisions import SHOWN_DIGITS
from models.domain.duplicates import DuplicateRow
from models.domain.errors import FileOrganizerError, MissingError
from models.domain.jobs import JobKind
from models.domain.near import NearMedia
from models.domain.table_refs import TableRef
from storage.opening import canonical_url, open_store
from warehouse.schemas.arrow import to_rows
from warehouse.store.parts import Lake, open_lake


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
    near: Annotated[
        bool, typer.Option("--near", help="Also find pictures, sounds, films and texts alike.")
    ] = False,
    threshold: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Similarity of near-duplicates; by their number if unset."),
    ] = None,
    media: Annotated[
        list[NearMedia] | None, typer.Option(help="Kinds to compare; all of them if unset.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option(help="Write near-duplicates side by side to this file.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Groups to print.")] = 20,
    as_json: Json = False,
) -> None:
    """Find files with equal bytes and say which copy would be kept, and why. Removes nothing.

    With `--near`, `--media`, `--html` or a `--threshold` below 1, files that are nearly the same
    are found, too; no rule ever removes those. `duplicates remove` takes the ids of groups.

    Examples:
        fileorganizer duplicates ~/Photos
        fileorganizer duplicates ~/Photos --near --html alike.html
    """
    is_near = near or bool(media) or html is not None or (threshold is not None and threshold < 1)
    try:
        with open_session(quiet=as_json) as session:
            from flows.near import near_duplicates
            from flows.reindex import reindex_root
            from tasks.lifecycle.task import job_for_root, recall_index

            url = canonical_url(source)
            store = open_store(url, s3_endpoint_url=session.settings.s3_endpoint_url)
            next(iter(store.list_pages(page_size=1)), None)
            job_id = job_for_root(JobKind.REINDEX, session.ledger.root_for(url).id)
            with followed(session.ledger, job_id, quiet=as_json):
                if is_near:
                    near_duplicates(job_id, [*(media or NearMedia)], threshold)
                else:
                    reindex_root(job_id)
            lake = open_lake(session.settings.lake)
            tables = recall_index(job_id)
            alike = groups_of(lake.read(tables["near"])) if is_near else None
            if html is not None:
                facts = _facts(lake, tables)
                page = near_report(source, alike or [], _thumbnails(lake, tables), facts)
                html.write_text(page, encoding="utf-8")
            _print(groups_of(lake.read(tables["duplicates"])), alike, limit, as_json=as_json)
    except FileOrganizerError as error:
        fail(error, as_json=as_json)


def _thumbnails(lake: Lake, tables: Mapping[str, TableRef]) -> Any:
    """Return what gives the thumbnail of a file, by its key."""
    rows = lake.read(tables["fingerprints"]).select(["key", "thumbnail"])
    uris = dict(zip(rows["key"].to_pylist(), rows["thumbnail"].to_pylist(), strict=True))

    def thumbnail(key: str) -> bytes | None:
        uri = uris.get(key)
        try:
            return lake.read_blob(uri) if uri else None
        except MissingError:
            return None

    return thumbnail


def _facts(lake: Lake, tables: Mapping[str, TableRef]) -> dict[str, Facts]:
    """Return what the report tells of each file, by its key."""
    names = ("key", "size_bytes", "width", "height", "duration_s")
    rows = lake.read(tables["fingerprints"]).select(list(names)).to_pylist()
    return {row.pop("key"): Facts(**row) for row in rows}


def _print(
    groups: list[dict[str, Any]],
    alike: list[dict[str, Any]] | None,
    limit: int,
    *,
    as_json: bool,
) -> None:
    wasted = sum(group["space_wasted_bytes"] for group in groups)
    count = sum(len(group["duplicates"]) for group in groups)
    if as_json:
        document: dict[str, Any] = {
            "duplicate_groups": groups,
            "total_duplicates": count,
            "total_space_wasted_gb": wasted / 1e9,
        }
        emit_json(document if alike is None else {**document, "near_groups": alike})
        return
    title = f"{len(groups):,} groups, {count:,} duplicates, {size(wasted)} wasted"
    out.print(_table(title, groups[:limit]))
    if alike is not None:
        files = sum(len(group["duplicates"]) for group in alike)
        title = f"{len(alike):,} groups of near-duplicates, {files:,} files like the one kept"
        out.print(_table(title, alike[:limit], is_near=True))
    if groups or alike:
        err.print(
            "remove with: [bold]fileorganizer duplicates remove SOURCE[/] (equal bytes), "
            "or [bold]--group ID[/]; nothing was changed"
        )


def short_id(group_id: str) -> str:
    """Return the beginning of a group's id that is enough to name it."""
    media, dash, digest = group_id.rpartition("-")
    return f"{media}{dash}{digest[:SHOWN_DIGITS]}"


def _table(title: str, groups: list[dict[str, Any]], *, is_near: bool = False) -> Any:
    def named(member: dict[str, Any]) -> str:
        return f"{member['similarity']:.0%} {member['file']}" if is_near else str(member["file"])

    rows = [
        (
            short_id(group["hash"]),
            size(group["space_wasted_bytes"]),
            group["original_file"],
            "\n".join(named(member) for member in group["duplicates"]),
            group["keep_reason"],
        )
        for group in groups
    ]
    return rows_table(title, ("group", "wasted", "keep", "further copies", "why this one"), rows)


class _WithDefault(TyperGroup):
    """`duplicates SOURCE` finds; `duplicates folders SOURCE` is a command of its own."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the default command before anything that is no command's name."""
        if args and args[0] not in self.commands and args[0] != "--help":
            args = ["find", *args]
        return super().parse_args(ctx, args)


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = typer.Typer(
        cls=_WithDefault,
        no_args_is_help=True,
        help=(
            "Find files with equal bytes, or nearly the same content; which folders overlap; "
            "decide what is none, and remove the rest to the trash, provably.\n\n"
            "`duplicates SOURCE` finds, `duplicates COMMAND --help` tells of each command below."
        ),
    )
    group.command("find")(duplicates)
    group.command("folders")(folders)
    group.command("calibrate")(calibrate)
    group.command("merge")(merge)
    group.command("archives")(archives)
    group.command("remove")(remove)
    decisions.register(group)
    app.add_typer(group, name="duplicates")
