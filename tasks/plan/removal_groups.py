"""Which groups a removal is about: all equal ones, those that were named, or all lookalikes."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from models.domain.duplicates import DuplicateRow
from models.domain.errors import InvalidError, MissingError
from models.domain.jobs import RemovalOptions

Group = list[DuplicateRow]


def _by_id(rows: Iterable[DuplicateRow]) -> dict[str, Group]:
    groups: defaultdict[str, Group] = defaultdict(list)
    for row in rows:
        groups[row.group_id].append(row)
    return dict(groups)


def chosen_groups(
    exact: Iterable[DuplicateRow], near: Iterable[DuplicateRow], removal: RemovalOptions
) -> tuple[list[Group], list[Group]]:
    """Return the groups of equal bytes and those of lookalikes that a removal is about.

    Groups that were named are the only ones, unless all lookalikes were asked for besides.

    Args:
        exact: members of groups of equal bytes.
        near: members of groups of lookalikes.
        removal: what was asked for.

    Raises:
        MissingError: no group begins as one that was named.
        InvalidError: several do.
    """
    equal, alike = _by_id(exact), _by_id(near)
    if not removal.groups:
        return list(equal.values()), list(alike.values()) if removal.near else []
    named = {_named(text, [*equal, *alike]) for text in removal.groups}
    return (
        [group for name, group in equal.items() if name in named],
        [group for name, group in alike.items() if name in named or removal.near],
    )


def _named(text: str, names: Sequence[str]) -> str:
    found = [name for name in names if name.startswith(text)] if text else []
    if not found:
        raise MissingError(f"there is no group {text!r} now; `fileorganizer duplicates` shows ids")
    if len(found) > 1:
        raise InvalidError(f"{len(found)} groups begin with {text!r}; give more of the id")
    return found[0]
