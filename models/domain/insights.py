"""What an account could do about what it stores: true sentences with their figures. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta

STALE = timedelta(days=2 * 365)
"""Files nobody changed for two years are offered for a look, not for removal."""

NEARLY_FULL = 0.8
"""Share of the quota from which it is worth a warning."""
WORTH_BYTES = 1_000_000
"""Less than a megabyte is nobody's problem."""

_UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB")
_STEP = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """One folder of a connected storage, and what lies directly in it."""

    path: str
    files: int
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdings:
    """What an account holds, as far as advice goes.

    Attributes:
        quota_bytes: None without a limit.
        used_bytes: stored in managed storage, the trash included.
        near: groups of lookalikes and the bytes they waste; None where the plan has none.
        stale_files: files unchanged for `STALE`.
        folders: the largest, largest first.
        undecided_files: files whose category nobody and nothing is sure of.
    """

    used_bytes: int
    quota_bytes: int | None
    files: int
    bytes: int
    duplicates: int
    duplicate_bytes: int
    near: tuple[int, int] | None = None
    stale_files: int = 0
    stale_bytes: int = 0
    trash_files: int = 0
    trash_bytes: int = 0
    undecided_files: int = 0
    folders: tuple[Folder, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Insight:
    """One sentence.

    Attributes:
        kind: which one it is, for programs.
        figures: the numbers of the sentence, units in their names.
        link: where in the product one can do something about it.
    """

    kind: str
    text: str
    link: str
    figures: dict[str, int | float | str] = field(default_factory=dict[str, "int | float | str"])


def in_words(size_bytes: int) -> str:
    """Return a size in words: `2.8 GB`; units are powers of 1000."""
    value, unit = float(size_bytes), 0
    while value >= _STEP and unit < len(_UNITS) - 1:
        value, unit = value / _STEP, unit + 1
    return f"{size_bytes} bytes" if unit == 0 else f"{value:.1f} {_UNITS[unit]}"


def insights(held: Holdings) -> list[Insight]:
    """Return what is worth saying, the most useful first; nothing of an empty account."""
    return [
        *_room(held),
        *_duplicates(held),
        *_lookalikes(held),
        *_folders(held),
        *_stale(held),
        *_trash(held),
        *_undecided(held),
    ]


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count:,} files"


def _room(held: Holdings) -> Iterable[Insight]:
    if not held.quota_bytes:
        return
    share = _share(held.used_bytes, held.quota_bytes)
    if share < NEARLY_FULL:
        return
    used, quota = in_words(held.used_bytes), in_words(held.quota_bytes)
    yield Insight(
        kind="storage_nearly_full",
        text=f"{used} of {quota} are in use, {share:.0%}.",
        link="/settings/subscription",
        figures={
            "used_bytes": held.used_bytes,
            "quota_bytes": held.quota_bytes,
            "share_ratio": share,
        },
    )


def _duplicates(held: Holdings) -> Iterable[Insight]:
    if not held.duplicates:
        return
    share = _share(held.duplicate_bytes, held.bytes)
    verb = "is a duplicate" if held.duplicates == 1 else "are duplicates"
    yield Insight(
        kind="duplicates",
        text=f"{_files(held.duplicates)} {verb} of equal bytes and take "
        f"{in_words(held.duplicate_bytes)}, {share:.0%} of everything.",
        link="/duplicates?similarity_threshold=1",
        figures={
            "files": held.duplicates,
            "bytes": held.duplicate_bytes,
            "share_ratio": share,
        },
    )


def _lookalikes(held: Holdings) -> Iterable[Insight]:
    if held.near is None or not held.near[0]:
        return
    groups, size = held.near
    words = "1 group" if groups == 1 else f"{groups:,} groups"
    yield Insight(
        kind="near_duplicates",
        text=f"{words} of files look or read nearly alike; keeping one of each would free "
        f"{in_words(size)}.",
        link="/duplicates",
        figures={"groups": groups, "bytes": size},
    )


def _folders(held: Holdings) -> Iterable[Insight]:
    if not held.folders or held.folders[0].bytes < WORTH_BYTES:
        return
    largest = held.folders[0]
    share = _share(largest.bytes, held.bytes)
    name = f"“{largest.path}”" if largest.path else "The top folder"
    yield Insight(
        kind="largest_folder",
        text=f"{name} is the largest folder: {_files(largest.files)}, "
        f"{in_words(largest.bytes)}, {share:.0%} of everything.",
        link="/files?sort_by=size",
        figures={
            "path": largest.path,
            "files": largest.files,
            "bytes": largest.bytes,
            "share_ratio": share,
        },
    )


def _stale(held: Holdings) -> Iterable[Insight]:
    if held.stale_bytes < WORTH_BYTES:
        return
    verb = "was" if held.stale_files == 1 else "were"
    yield Insight(
        kind="stale_files",
        text=f"{_files(held.stale_files)} {verb} not changed for two years: "
        f"{in_words(held.stale_bytes)}.",
        link="/files?sort_by=created_at&order=asc",
        figures={"files": held.stale_files, "bytes": held.stale_bytes, "days": STALE.days},
    )


def _trash(held: Holdings) -> Iterable[Insight]:
    if held.trash_bytes < WORTH_BYTES:
        return
    yield Insight(
        kind="trash",
        text=f"{_files(held.trash_files)} in the trash still take {in_words(held.trash_bytes)} "
        "of your storage.",
        link="/trash",
        figures={"files": held.trash_files, "bytes": held.trash_bytes},
    )


def _undecided(held: Holdings) -> Iterable[Insight]:
    if not held.undecided_files:
        return
    verb = "waits" if held.undecided_files == 1 else "wait"
    yield Insight(
        kind="needs_review",
        text=f"{_files(held.undecided_files)} {verb} for somebody to say what they are.",
        link="/files?category=Needs%20review",
        figures={"files": held.undecided_files},
    )
