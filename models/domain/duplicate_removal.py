"""Which of the duplicates that somebody named may go, and why each other one stays. Pure.

A file is only ever let go because another one of the same bytes stays: the proof. Who calls this
holds locks on all copies, so that nothing else takes the proof away at the same time.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Refusal(StrEnum):
    """Why a file that was named stays."""

    NOT_FOUND = "not_found"
    """No live file of this account has the id; whose it is otherwise, nobody is told."""
    ORIGINAL = "original"
    """It is the one of its group that stays."""
    LAST_COPY = "last_copy"
    """No other file of the same bytes would stay."""
    NOT_A_DUPLICATE = "not_a_duplicate"
    """It belongs to no group."""
    UNPROVEN = "unproven"
    """Other copies are in a connected folder only, which may change at any moment."""
    CHANGED = "changed"
    """It, or the file that would have stayed, is not what it was when the duplicates were found."""
    UNAVAILABLE = "unavailable"
    """The storage it lies in could not do it now; asking again may help."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileCopy:
    """One live file, as far as its removal is concerned.

    Attributes:
        content: its SHA-256.
        is_managed: whether its bytes are ours alone to change; else it is in a connected folder.
        is_flagged: whether the newest run over its root keeps another file for this content.
    """

    file_id: str
    content: str
    root_id: str
    size_bytes: int
    is_managed: bool
    is_flagged: bool
    created_at: datetime

    @property
    def standing(self) -> tuple[bool, bool, datetime, str]:
        """What orders copies of one content: the first is the original."""
        return (not self.is_managed, self.is_flagged, self.created_at, self.file_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """What goes and what stays of what was named.

    Attributes:
        going: files to let go, in the order of the request.
        proofs: for each content of them, a file of the same bytes that stays; none for contents
            that go as a whole because somebody said so.
        refused: why the others stay, in the order of the request.
    """

    going: tuple[FileCopy, ...] = ()
    proofs: dict[str, FileCopy] = field(default_factory=dict[str, FileCopy])
    refused: dict[str, Refusal] = field(default_factory=dict[str, Refusal])

    @property
    def size_bytes(self) -> int:
        """Bytes of what goes."""
        return sum(each.size_bytes for each in self.going)


def by_content(copies: Iterable[FileCopy]) -> dict[str, list[FileCopy]]:
    """Return copies by content, the original of each first."""
    found: dict[str, list[FileCopy]] = {}
    for each in sorted(copies, key=lambda copy: copy.standing):
        found.setdefault(each.content, []).append(each)
    return found


def removal_of(
    named: Sequence[str],
    copies: Collection[FileCopy],
    *,
    keep_original: bool = True,
    alike: Collection[str] = (),
) -> Removal:
    """Return which of the named files go.

    With `keep_original` the original of each content stays, so at least one file of every content
    is left. Without, a whole content may go where somebody named all of its files, but only one
    that is a duplicate: of equal bytes, or of a group of lookalikes. A file of managed storage
    wants its proof in managed storage; one in a connected folder, in the same folder: its bytes
    are read again before it goes, by the job that removes it.

    Args:
        named: ids of files, in any order; one that comes twice counts once.
        copies: all live files of the contents of the named ones.
        keep_original: whether the original of each content stays.
        alike: ids of files that are members of a group of lookalikes.
    """
    by_id = {each.file_id: each for each in copies}
    asked = list(dict.fromkeys(named))
    wanted = {file_id for file_id in asked if file_id in by_id}
    going: list[FileCopy] = []
    proofs: dict[str, FileCopy] = {}
    refused = {file_id: Refusal.NOT_FOUND for file_id in asked if file_id not in wanted}
    groups = by_content(by_id.values())
    for content, members in groups.items():
        chosen = [each for each in members if each.file_id in wanted]
        if not chosen:
            continue
        is_duplicate = len(members) > 1 or any(each.file_id in alike for each in chosen)
        staying = [each for each in members if each.file_id not in wanted]
        if keep_original and members[0] not in staying:
            staying.insert(0, members[0])
        for each in chosen:
            proof = _proof(each, staying)
            why = _refusal(
                each,
                members,
                proof,
                has_other=bool(staying),
                is_duplicate=is_duplicate,
                keep_original=keep_original,
            )
            if why is not None:
                refused[each.file_id] = why
                continue
            going.append(each)
            if proof is not None:
                proofs[content] = proof
    place = {file_id: n for n, file_id in enumerate(asked)}
    return Removal(
        going=tuple(sorted(going, key=lambda each: place[each.file_id])),
        proofs=proofs,
        refused=dict(sorted(refused.items(), key=lambda pair: place[pair[0]])),
    )


def _proof(copy: FileCopy, staying: Sequence[FileCopy]) -> FileCopy | None:
    """Return a file that stays and whose bytes nobody else changes, or that a job reads again."""
    for each in staying:
        if each.file_id == copy.file_id:
            continue
        if each.is_managed if copy.is_managed else each.root_id == copy.root_id:
            return each
    return None


def _refusal(
    copy: FileCopy,
    members: Sequence[FileCopy],
    proof: FileCopy | None,
    *,
    has_other: bool,
    is_duplicate: bool,
    keep_original: bool,
) -> Refusal | None:
    if not is_duplicate:
        return Refusal.LAST_COPY if keep_original else Refusal.NOT_A_DUPLICATE
    if keep_original and copy.file_id == members[0].file_id:
        return Refusal.ORIGINAL if len(members) > 1 else Refusal.LAST_COPY
    if proof is not None:
        return None
    if has_other:
        return Refusal.UNPROVEN
    return None if copy.is_managed and not keep_original else Refusal.LAST_COPY
