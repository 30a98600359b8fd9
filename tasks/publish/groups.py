"""Duplicate groups after a job: each member where it is now; pure."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace

from models.domain.duplicates import DuplicateRow, TruthClass
from tasks.publish.whereabouts import Whereabouts

FOLLOWED = "the copy that was kept is elsewhere or gone"
"""Why a member became its group's keeper."""


def relocated(
    members: Iterable[DuplicateRow], where: Whereabouts, *, origin_root_id: str, root_id: str
) -> Iterator[DuplicateRow]:
    """Yield members where they are now below a root: nowhere, at one key, or at more (a copy).

    Args:
        members: members below the origin root, as they were.
        where: what a job's operations changed.
        origin_root_id: root that the members' keys are below.
        root_id: root that the yielded keys are below.
    """
    came: dict[str, list[str]] = defaultdict(list)
    for (root, key), arrival in where.arrivals.items():
        if root == root_id and arrival.origin[0] == origin_root_id:
            came[arrival.origin[1]].append(key)
    for member in members:
        place = (root_id, member.key)
        is_there = place not in where.left and place not in where.arrivals
        if origin_root_id == root_id and is_there:
            yield member
        for key in came.get(member.key, ()):
            yield replace(member, key=key)


def groups_after(members: Iterable[DuplicateRow]) -> list[DuplicateRow]:
    """Return the groups of one root, each with two members or more and one keeper.

    A group is of one root: members that went to another one, or to the trash, are its members no
    more. When the keeper is among them, the first of those that stay, by key, is the new one; but
    members that are only alike were compared with the keeper alone, so without it there is no
    group.

    Args:
        members: members where they are now; of a key told twice in a group the first counts, and
            of two keepers the first.

    Returns:
        Members sorted by class, group, and key.
    """
    groups: dict[tuple[str, str], dict[str, DuplicateRow]] = defaultdict(dict)
    for member in members:
        groups[member.truth_class, member.group_id].setdefault(member.key, member)
    found: list[DuplicateRow] = []
    for (truth, _), group in sorted(groups.items()):
        if len(group) > 1 and (truth == TruthClass.FULL_HASH or _has_keeper(group.values())):
            found += _with_one_keeper(list(group.values()))
    return found


def _has_keeper(group: Iterable[DuplicateRow]) -> bool:
    return any(member.is_keeper for member in group)


def _with_one_keeper(group: list[DuplicateRow]) -> list[DuplicateRow]:
    """Return the members sorted by key, exactly one of them the keeper."""
    keepers = [member.key for member in group if member.is_keeper]
    elected = min(member.key for member in group)
    keeper = keepers[0] if keepers else elected
    return sorted(
        (_as(member, is_keeper=member.key == keeper) for member in group),
        key=lambda member: member.key,
    )


def _as(member: DuplicateRow, *, is_keeper: bool) -> DuplicateRow:
    if is_keeper is member.is_keeper:
        return member
    if is_keeper:
        return replace(
            member,
            is_keeper=True,
            is_hardlink=False,
            wasted_bytes=0,
            keep_reason=FOLLOWED,
            is_removable=False,
        )
    # What was a keeper somewhere else was never judged for removal: no rule may remove it.
    return replace(member, is_keeper=False, wasted_bytes=member.size_bytes, is_removable=False)
