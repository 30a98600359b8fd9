"""Which folders are equal to, contained in, or mostly contained in others. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

MOSTLY = 0.5
"""Share of a folder's files that must be in the other to be worth telling."""
_COMMON = 64
"""Folders that hold one content: past it (empty notes, licenses) it says nothing about a pair."""


class Relation(StrEnum):
    """How a folder lies in another."""

    EQUAL = "equal"
    CONTAINED = "contained"
    OVERLAPS = "overlaps"


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderOverlap:
    """How much of one folder is in another, by content, whatever the names.

    Attributes:
        folder: the one that could go.
        other: the one that has its contents.
        relation: a `Relation`.
        shared_files: files of `folder` whose content `other` has.
        only_files: files of `folder` whose content it lacks.
        shared_bytes: bytes of the shared files.
        share: shared files among all files of `folder`.
    """

    folder: str
    other: str
    relation: Relation
    shared_files: int
    only_files: int
    shared_bytes: int
    share: float

    def in_words(self) -> str:
        """Return it in one sentence; a share is rounded down, so that 100 % is all of it."""
        if self.relation is Relation.EQUAL:
            return f"{self.folder} and {self.other} have the same files"
        share = f"{int(100 * self.share)} % of {self.folder} is in {self.other}"
        if not self.only_files:
            return share
        are = "file is" if self.only_files == 1 else "files are"
        return f"{share}; {self.only_files:,} {are} only in {self.folder}"


def _folders_of(key: str) -> Iterator[str]:
    """Yield the folders that hold a key, the root left out, the deepest first."""
    while "/" in key:
        key = key.rpartition("/")[0]
        yield key


def _is_inside(one: str, two: str) -> bool:
    return one == two or one.startswith(f"{two}/") or two.startswith(f"{one}/")


def folder_overlaps(
    files: Sequence[tuple[str, str, int]], *, least_share: float = MOSTLY, least_files: int = 2
) -> list[FolderOverlap]:
    """Return the folders that are (mostly) in another, each with the one that has the most of it.

    Folders are compared with everything below them. Of others that have as much, the smallest is
    named. A folder is left out when one above it is contained as far: of two equal trees only
    their roots are told, once. A content that is there twice is matched as often as the other
    folder has it.

    Args:
        files: (key, sha256, size in bytes), any order; files of unknown content left out.
        least_share: smallest share that is told.
        least_files: folders with fewer files are not told.

    Returns:
        Overlaps, the most shared bytes first.
    """
    holds: defaultdict[str, Counter[str]] = defaultdict(Counter)
    size: dict[str, int] = {}
    where: defaultdict[str, set[str]] = defaultdict(set)
    for key, sha256, size_bytes in files:
        if not size_bytes:
            continue
        size[sha256] = size_bytes
        for folder in _folders_of(key):
            holds[folder][sha256] += 1
            where[sha256].add(folder)
    others: defaultdict[str, set[str]] = defaultdict(set)
    for folders in where.values():
        if 1 < len(folders) <= _COMMON:
            for folder in folders:
                others[folder] |= {other for other in folders if not _is_inside(folder, other)}
    best = {
        folder: min(
            (_overlap(folder, other, holds, size) for other in found),
            key=lambda row: (-row.shared_files, holds[row.other].total(), row.other),
        )
        for folder, found in others.items()
        if found and holds[folder].total() >= least_files
    }
    told = [row for row in best.values() if row.share >= least_share and not _is_told(row, best)]
    return sorted(told, key=lambda row: (-row.shared_bytes, -row.share, row.folder))


def _overlap(
    one: str, two: str, holds: dict[str, Counter[str]], size: dict[str, int]
) -> FolderOverlap:
    shared = holds[one] & holds[two]
    total, common = holds[one].total(), shared.total()
    relation = Relation.OVERLAPS
    if common == total:
        relation = Relation.EQUAL if holds[two].total() == total else Relation.CONTAINED
    return FolderOverlap(
        folder=one,
        other=two,
        relation=relation,
        shared_files=common,
        only_files=total - common,
        shared_bytes=sum(size[sha256] * count for sha256, count in shared.items()),
        share=common / total,
    )


def _is_told(row: FolderOverlap, best: dict[str, FolderOverlap]) -> bool:
    """Return whether a folder above is contained as far, or its equal stands for both."""
    above = (best.get(folder) for folder in _folders_of(row.folder))
    if any(other is not None and other.share >= row.share for other in above):
        return True
    mirror = best.get(row.other)
    is_pair = mirror is not None and mirror.other == row.folder
    stays = (len(row.folder), row.folder) < (len(row.other), row.other)
    return row.relation is Relation.EQUAL and is_pair and stays
