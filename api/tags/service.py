"""What the room of tags does, by what rules."""

from api.shell.principal import Principal
from api.shell.problems import limit_reached
from api.shell.tag_rows import TagLimitError
from api.tags.repository import AccountTags, Tag
from models.domain.errors import ConflictError, InvalidError, MissingError


async def make(tags: AccountTags, principal: Principal, name: str, color: str | None) -> Tag:
    """Make a tag and return it.

    Raises:
        ConflictError: there is one of that name.
        ForbiddenError: the plan has no colors.
        ProblemError: 402: there are as many as the plan allows.
    """
    if color is not None:
        principal.require_advanced_tagging()
    await tags.lock()
    if await tags.find(name=name) is not None:
        raise ConflictError(f"there is a tag {name} already")
    limit = principal.limits["tags"]
    try:
        await tags.add(name, limit)
    except TagLimitError as error:
        raise limit_reached("tags", limit or 0, plan=principal.plan) from error
    tag = await one(tags, name=name)
    return tag if color is None else await _colored(tags, tag, color)


async def change(
    tags: AccountTags, principal: Principal, tag_id: str, *, name: str | None, color: str | None
) -> Tag:
    """Rename a tag, on every file that carries it, or color it; return it.

    Raises:
        MissingError: there is no such tag.
        ConflictError: another one has that name.
        ForbiddenError: the plan has no colors.
    """
    if color is not None:
        principal.require_advanced_tagging()
    await tags.lock()
    tag = await one(tags, tag_id=tag_id)
    if name is not None and name != tag.tag_name:
        if await tags.find(name=name) is not None:
            raise ConflictError(f"there is a tag {name} already; merge this one into it")
        await tags.retag(tag.tag_name, name)
        await tags.change(tag_id, tag_name=name)
    if color is not None:
        await tags.change(tag_id, tag_color=color)
    return await one(tags, tag_id=tag_id)


async def merge(
    tags: AccountTags, principal: Principal, tag_id: str, *, into: str, color: str | None
) -> Tag:
    """Let every file of a tag carry another one instead, forget the first, return the other.

    Raises:
        MissingError: there is no such tag.
        InvalidError: there is none to merge it into, or it is the same one.
        ForbiddenError: the plan has no colors.
    """
    if color is not None:
        principal.require_advanced_tagging()
    await tags.lock()
    tag = await one(tags, tag_id=tag_id)
    target = await tags.find(name=into)
    if target is None:
        raise InvalidError(f"there is no tag {into} to merge into; rename this one instead")
    if target.id == tag.id:
        raise InvalidError("a tag is not merged into itself")
    await tags.retag(tag.tag_name, into)
    await tags.remove(tag_id)
    await tags.count_again(into)
    if color is not None:
        await tags.change(target.id, tag_color=color)
    return await one(tags, tag_id=target.id)


async def delete(tags: AccountTags, tag_id: str) -> None:
    """Take a tag off every file that carries it, and forget it; the files stay.

    Raises:
        MissingError: there is no such tag.
    """
    await tags.lock()
    tag = await one(tags, tag_id=tag_id)
    await tags.retag(tag.tag_name, None)
    await tags.remove(tag_id)


async def one(tags: AccountTags, *, tag_id: str | None = None, name: str | None = None) -> Tag:
    """Return a tag.

    Raises:
        MissingError: there is no such tag.
    """
    found = await tags.find(tag_id=tag_id, name=name)
    if found is None:
        raise MissingError("there is no such tag")
    return found


async def _colored(tags: AccountTags, tag: Tag, color: str) -> Tag:
    await tags.change(tag.id, tag_color=color)
    return await one(tags, tag_id=tag.id)
