"""`duplicates remove`: a plan that trashes duplicates, each proven by the file that stays."""

from typing import Annotated

import typer

from cli.organize import Json, new_job, plan_then_enact
from cli.output import fail
from cli.session import open_session
from models.domain.errors import FileOrganizerError, InvalidError
from models.domain.jobs import OrganizeOptions, RemovalOptions
from models.domain.near import NearMedia


def checked(removal: RemovalOptions, *, yes: bool) -> RemovalOptions:
    """Return what was asked for, when it makes sense.

    Raises:
        InvalidError: all lookalikes without a threshold, or without looking at the plan; a
            threshold where nothing is compared.
    """
    if removal.near and removal.threshold is None:
        raise InvalidError(
            "--near removes what is only alike: say how alike, as in --threshold 0.95"
        )
    if removal.near and yes:
        raise InvalidError(
            "--near wants its plan to be seen: leave out --yes, look, and "
            "`fileorganizer apply PLAN_ID`; or name groups with --group"
        )
    if removal.threshold is not None and not removal.wants_near:
        raise InvalidError("--threshold is of lookalikes: give --near, or --group with their ids")
    return removal


def remove(
    source: Annotated[str, typer.Argument(help="Folder, or s3://bucket/prefix.")],
    group: Annotated[
        list[str] | None,
        typer.Option(help="Only this group: its id, or the beginning, as the list prints it."),
    ] = None,
    near: Annotated[
        bool, typer.Option("--near", help="All lookalikes, too; needs --threshold.")
    ] = False,
    threshold: Annotated[
        float | None, typer.Option(min=0, max=1, help="Smallest similarity of a lookalike.")
    ] = None,
    media: Annotated[list[NearMedia] | None, typer.Option(help="Only these kinds.")] = None,
    protect: Annotated[
        list[str] | None, typer.Option(help="Folder below SOURCE that nothing may leave.")
    ] = None,
    prefer: Annotated[
        list[str] | None, typer.Option(help="Folder whose copies are kept first.")
    ] = None,
    preview: Annotated[bool, typer.Option("--preview", help="Plan only; nothing goes.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Trash duplicates: all of equal bytes by rule, lookalikes only where you say so.

    Nothing is deleted. Each file goes to the trash of SOURCE, and only after it and the file that
    stays were read again from beginning to end; the hashes, versions and times of both are in the
    journal. `fileorganizer undo` brings everything back as it was.

    Equal bytes (full hash) may go by rule. What is only alike goes when you name its group, or
    with --near and a threshold after you saw the plan. A decision (`duplicates decide`) wins over
    both. Companions go together or stay together.

    Examples:
        fileorganizer duplicates remove ~/Photos --preview
        fileorganizer duplicates remove ~/Photos --group image-3f0a9c11 --yes
        fileorganizer duplicates remove ~/Photos --near --threshold 0.97 --media image
    """
    try:
        removal = RemovalOptions(
            near=near,
            media=tuple(each.value for each in media or ()),
            threshold=threshold,
            groups=tuple(group or ()),
        )
        options = OrganizeOptions(
            protected=tuple(protect or ()),
            preferred=tuple(prefer or ()),
            removal=checked(removal, yes=yes),
        )
        with open_session(quiet=as_json) as session:
            job = new_job(session, source, None, options, is_approved=yes and not preview)
            plan_then_enact(session, job.id, preview=preview, yes=yes, as_json=as_json)
    except FileOrganizerError as error:
        fail(error, as_json=as_json)
