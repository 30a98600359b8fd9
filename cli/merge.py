"""`duplicates merge`: unite two overlapping folders, provably without losing a content."""

from typing import Annotated

import typer

from cli.organize import Json, new_job, plan_then_enact
from cli.output import fail
from cli.session import open_session
from models.domain.errors import FileOrganizerError, InvalidError, MissingError
from models.domain.jobs import OrganizeOptions
from models.domain.organizing import OnDuplicate
from models.domain.paths import confine
from storage.opening import canonical_url, open_store


def merge(
    source: Annotated[str, typer.Argument(help="Folder, or s3://bucket/prefix.")],
    folder: Annotated[
        str, typer.Argument(help="Folder below SOURCE that is emptied, as `folders` prints it.")
    ],
    into: Annotated[
        str, typer.Option(help="Folder below SOURCE that takes its files; `.` is SOURCE itself.")
    ],
    protect: Annotated[
        list[str] | None, typer.Option(help="Folder below SOURCE that nothing may leave.")
    ] = None,
    preview: Annotated[bool, typer.Option("--preview", help="Plan only; nothing moves.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Empty FOLDER into another one: what is only in FOLDER moves over, what both have goes.

    A file whose content the other folder has, by full hash, goes to the trash after the file that
    stays was read again; every other file moves to the same place below the other folder, and is
    numbered where another content has its name. Nothing in the other folder is touched. The plan
    is shown first; `apply` and `undo` work as for `organize`.

    Examples:
        fileorganizer duplicates folders ~/Pictures
        fileorganizer duplicates merge ~/Pictures "old backup/2019" --into "Photos/2019" --preview
    """
    try:
        if not confine(folder):
            raise InvalidError("SOURCE itself cannot be emptied; name a folder below it")
        options = OrganizeOptions(
            mode="mirror",
            on_duplicate=OnDuplicate.TRASH,
            protected=tuple(protect or ()),
            merge_from=confine(folder),
            merge_into=confine(into),
        )
        with open_session(quiet=as_json) as session:
            url = canonical_url(source)
            with open_store(url, s3_endpoint_url=session.settings.s3_endpoint_url) as store:
                for key in (options.merge_from or "", options.merge_into or ""):
                    if next(iter(store.list_pages(key, page_size=1)), None) is None:
                        raise MissingError(f"there are no files in {key or 'SOURCE'!r}")
            job = new_job(session, source, None, options, is_approved=yes and not preview)
            plan_then_enact(session, job.id, preview=preview, yes=yes, as_json=as_json)
    except FileOrganizerError as error:
        fail(error, as_json=as_json)
