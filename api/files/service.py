"""What the room of files does, by what rules."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from api.files.repository import Files, Listing, Part
from api.shell.categories import require_category
from api.shell.principal import Principal
from api.shell.problems import ProblemError, limit_reached
from api.shell.tag_rows import TagLimitError, use_tags
from models.domain.categories import coarse_category
from models.domain.errors import ConflictError, InvalidError, MissingError
from models.domain.files import FileSort, StoredFile, chosen, is_coarse
from models.domain.uploads import display_name, tag_names
from models.settings import Settings

LONGEST_DAYS = 365
"""Days in the trash where the plan has no limit."""

PLACE_PARTS = 3
"""Of a cursor: the order of its list, a value, an id."""

MISSING = "there is no such file"
CONNECTED = "it lies in a connected folder, from which only jobs take files"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What to change of a file; of what is not among `given`, nothing."""

    given: Collection[str]
    filename: str | None = None
    category: str | None = None
    tags: Sequence[str] | None = None


def after_of(cursor: tuple[Any, ...] | None, listing: Listing) -> tuple[Any, str] | None:
    """Return the place of a cursor in a list.

    Raises:
        InvalidError: it is of a list in another order.
    """
    if cursor is None:
        return None
    wrong = InvalidError("this cursor is of a list in another order")
    if len(cursor) != PLACE_PARTS or cursor[0] != order_of(listing):
        raise wrong
    _, value, file_id = cursor
    is_moment = listing.is_trash or listing.sort is FileSort.CREATED_AT
    is_number = listing.sort is FileSort.SIZE and not listing.is_trash
    try:
        place: Any = datetime.fromisoformat(value) if is_moment else value
        identity = str(UUID(file_id))
    except (AttributeError, TypeError, ValueError) as error:
        raise wrong from error
    if not is_moment and type(place) is not (int if is_number else str):
        raise wrong
    return place, identity


def order_of(listing: Listing) -> str:
    """Return the order of a list in a word, for its cursors."""
    return "trash" if listing.is_trash else f"{listing.sort}-{listing.order}"


async def list_files(
    files: Files, listing: Listing, *, limit: int, offset: int, after: tuple[Any, str] | None
) -> Part:
    """Return a part of a list."""
    return await files.part(listing, limit=limit, offset=offset, after=after)


async def one_file(files: Files, file_id: str, *, is_locked: bool = False) -> StoredFile:
    """Return a file that is not in the trash.

    Raises:
        MissingError: there is none.
    """
    found = await files.some([file_id], is_locked=is_locked)
    if not found or found[0].deleted_at is not None:
        raise MissingError(MISSING)
    return found[0]


async def change(
    connection: AsyncConnection,
    principal: Principal,
    settings: Settings,
    file_id: str,
    wish: Wish,
    *,
    if_match: str | None,
) -> StoredFile:
    """Change name, category or tags of a file, and return it.

    Raises:
        MissingError: there is no such file.
        InvalidError: an unknown category, or no tags.
        ProblemError: 412: it is not the version that was read.
    """
    files = Files(connection, principal.account_id)
    file = await one_file(files, file_id, is_locked=True)
    if if_match is not None and not matches(if_match, version_tag(file)):
        raise ProblemError(412, "it was changed since you read it; read it again")
    await _write(connection, files, principal, settings, file=file, wish=wish)
    return await one_file(files, file_id)


async def _write(
    connection: AsyncConnection,
    files: Files,
    principal: Principal,
    settings: Settings,
    *,
    file: StoredFile,
    wish: Wish,
) -> None:
    name = file.filename
    if "filename" in wish.given and wish.filename is not None:
        name = display_name(wish.filename)
    category, coarse = file.chosen_category, file.coarse_category
    if "category" in wish.given:
        category = None if wish.category is None else require_category(settings, wish.category)
        coarse = _coarse(category or file.found_category)
    tags = file.tags
    if "tags" in wish.given and wish.tags is not None:
        tags = tag_names(wish.tags)
        uses = Counter(tags)
        uses.subtract(Counter(file.tags))
        changed = {tag: n for tag, n in uses.items() if n}
        limit = principal.limits["tags"]
        try:
            await use_tags(connection, principal.account_id, changed, limit)
        except TagLimitError as error:
            raise limit_reached("tags", limit or 0, plan=principal.plan) from error
    if not await files.change(file, filename=name, category=category, coarse=coarse, tags=tags):
        raise ConflictError("somebody else changed it just now; read it again")


def _coarse(category: str | None) -> str:
    if category is None:
        return "Others"
    return category if is_coarse(category) else coarse_category(category)


def version_tag(file: StoredFile) -> str:
    """Return the entity tag of a file's facts (RFC 9110, section 8.8.3)."""
    return f'"v{file.version}"'


def matches(header: str, tag: str) -> bool:
    """Return whether a list of entity tags has one, weak or strong."""
    given = [each.strip().removeprefix("W/") for each in header.split(",")]
    return "*" in given or tag in given


async def delete(files: Files, principal: Principal, file_id: str) -> None:
    """Put a file into the trash.

    Raises:
        MissingError: there is no such file, or it is in the trash already.
        ConflictError: it lies in a connected folder.
    """
    file = await one_file(files, file_id, is_locked=True)
    if not file.is_managed:
        raise ConflictError(CONNECTED)
    await files.trash([file_id], days=trash_days(principal))


def trash_days(principal: Principal) -> int:
    """Return how long the trash keeps files of an account."""
    return principal.limits.get("trash_days") or LONGEST_DAYS


async def restore(files: Files, file_id: str) -> StoredFile:
    """Take a file out of the trash and return it.

    Raises:
        MissingError: it is not in the trash.
    """
    if not await files.restore([file_id]):
        raise MissingError("there is no such file in the trash")
    return await one_file(files, file_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one file: `done`, `unchanged` or `failed`, and why."""

    id: str
    status: str
    problem: str | None = None


async def bulk(
    connection: AsyncConnection,
    principal: Principal,
    settings: Settings,
    ids: Sequence[str],
    action: str,
    *,
    tags: Sequence[str],
    category: str | None,
) -> list[Outcome]:
    """Do one thing with many files; what fails for one keeps nothing from the others.

    Raises:
        InvalidError: what the action needs was not given, or is none.
        ForbiddenError: the plan does not tag many files at once.
    """
    files = Files(connection, principal.account_id)
    found = chosen(await files.some(ids, is_locked=True), ids)
    live = {each: file for each, file in found.items() if file and file.deleted_at is None}
    if action == "delete":
        done = await files.trash(
            [each for each, file in live.items() if file.is_managed], days=trash_days(principal)
        )
        return [_outcome(each, file, done, trashed=False) for each, file in found.items()]
    if action == "restore":
        done = await files.restore([each for each, file in found.items() if file])
        return [_outcome(each, file, done, trashed=True) for each, file in found.items()]
    if action == "tag":
        principal.require_advanced_tagging()
        added = tag_names(tags)
        if not added:
            raise InvalidError("give `tags` to add")
    elif category is None:
        raise InvalidError("give the `category` to move to")
    outcomes: list[Outcome] = []
    for each, file in found.items():
        if each not in live or file is None:
            outcomes.append(Outcome(id=each, status="failed", problem=MISSING))
            continue
        wish = Wish(given={"category"}, category=category)
        if action == "tag":
            wish = Wish(given={"tags"}, tags=tuple(dict.fromkeys((*file.tags, *tags))))
        if _is_as_wished(file, wish):
            outcomes.append(Outcome(id=each, status="unchanged"))
            continue
        await _write(connection, files, principal, settings, file=file, wish=wish)
        outcomes.append(Outcome(id=each, status="done"))
    return outcomes


def _is_as_wished(file: StoredFile, wish: Wish) -> bool:
    if "tags" in wish.given:
        return set(wish.tags or ()) == set(file.tags)
    return file.chosen_category == wish.category


def _outcome(
    file_id: str, file: StoredFile | None, done: Collection[str], *, trashed: bool
) -> Outcome:
    if file_id in done:
        return Outcome(id=file_id, status="done")
    if file is None:
        return Outcome(id=file_id, status="failed", problem=MISSING)
    if not trashed and file.deleted_at is None and not file.is_managed:
        return Outcome(id=file_id, status="failed", problem=CONNECTED)
    return Outcome(id=file_id, status="unchanged")


async def existing(files: Files, sha256s: Iterable[str]) -> dict[str, str]:
    """Return those of some contents that are there, each with a file."""
    return await files.by_content(dict.fromkeys(sha256s))
