"""Uploads by form: streamed, hashed, kept; all files of one request, or none."""

from collections.abc import AsyncIterator, Mapping

from sqlalchemy.ext.asyncio import AsyncEngine

from api.shell.categories import require_category
from api.shell.principal import Principal
from api.uploads.form import FILES_AT_ONCE, Begun, Event, FormReader
from api.uploads.receiving import Receiving
from api.uploads.repository import Wishes
from models.domain.errors import InvalidError
from models.domain.files import StoredFile
from models.domain.price_list import Action
from models.domain.uploads import tags_from_fields
from models.settings import Settings
from storage.store import Store

BLOCK_BYTES = 1 << 20
"""What is collected of a request before it is parsed, promised and written in one go."""


async def blocks_of(stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield a stream in blocks of at least 1 MiB, but for the last."""
    waiting = bytearray()
    async for chunk in stream:
        waiting += chunk
        if len(waiting) >= BLOCK_BYTES:
            yield bytes(waiting)
            waiting.clear()
    if waiting:
        yield bytes(waiting)


def wishes_of(settings: Settings, fields: Mapping[str, list[str]]) -> Wishes:
    """Return the category and the tags of form fields.

    Raises:
        InvalidError: an unknown category, several of them, or no tags.
    """
    categories = [text.strip() for text in fields.get("category", ()) if text.strip()]
    if len(set(categories)) > 1:
        raise InvalidError("files of one request have one category")
    tags = tags_from_fields([text for text in fields.get("tags", ()) if text.strip()])
    category = require_category(settings, categories[0]) if categories else None
    return Wishes(category=category, tags=tags)


async def receive_form(
    stream: AsyncIterator[bytes],
    *,
    headers: Mapping[str, str],
    engine: AsyncEngine,
    settings: Settings,
    principal: Principal,
    store: Store,
) -> list[StoredFile]:
    """Take in the files of a multipart form and return them, in the order they came.

    Raises:
        InvalidError: no file, a malformed form, an unknown category.
        ForbiddenError: the account's state denies uploads.
        ProblemError: 402, 413, 415 or 429.
    """
    principal.require(Action.UPLOAD)
    form = FormReader(headers.get("content-type", ""))
    length = headers.get("content-length", "")
    receiving = Receiving(
        engine,
        settings,
        principal,
        store,
        expected_bytes=int(length) if length.isdecimal() else None,
    )
    async with receiving:
        async for block in blocks_of(stream):
            events = form.feed(block)
            _refuse_too_many(receiving, events)
            if events:
                await receiving.take(events)
        wishes = wishes_of(settings, form.finish())
        if not receiving.files:
            raise InvalidError("there is no file in this form: send one or more `file` parts")
        return await receiving.keep(wishes)


def _refuse_too_many(receiving: Receiving, events: list[Event]) -> None:
    begun = sum(isinstance(event, Begun) for event in events)
    if receiving.files + begun > FILES_AT_ONCE:
        raise InvalidError(f"one request takes {FILES_AT_ONCE} files; send the others in another")
