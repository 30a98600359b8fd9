"""A sweep: one visit to every root of every account, in flow runs side by side."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise

from models.domain.jobs import TERMINAL, JobStatus
from models.domain.table_refs import TableRef

BUNDLE_ROOTS = 50
"""Roots that one flow run visits at most: a run takes some seconds to start, a small root that did
not change about one (docs/operating.md has both)."""

STALE_AFTER = timedelta(hours=20)
"""Age after which an unfinished sweep is given up for a new one: the nightly one comes daily."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownRoot:
    """A root that a sweep visits.

    Attributes:
        files: files of its last index; None before the first.
    """

    id: str
    account_id: str
    files: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """Roots of one account that one flow run visits, one after the other."""

    account_id: str
    root_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """A sweep as it was begun; what it visits does not change afterwards.

    Attributes:
        is_new: whether it was begun now; otherwise somebody began it and did not finish.
    """

    id: str
    bundles: tuple[Bundle, ...]
    is_new: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class JobStanding:
    """Where a job stands, for who waits for it.

    Attributes:
        epoch: number of its newest holder.
        is_held: whether that holder's lease is live.
        is_resting: whether somebody paused it; who resumes it has it launched.
    """

    job_id: str
    status: JobStatus
    epoch: int
    is_held: bool
    is_resting: bool = False
    files_total: int = 0

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to run here."""
        return self.status in TERMINAL or self.is_resting


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """A range of a root's files to be read by a flow run of its own.

    Attributes:
        number: from 0, in the order of keys.
        first: first batch.
        last: the one after the last batch.
        epoch: number of its newest holder.
        is_held: whether that holder's lease is live.
        is_lost: whether somebody held it, did not finish, and is gone.
        parts: what the batches gave, in order; None until it is done.
    """

    job_id: str
    number: int
    first: int
    last: int
    epoch: int = 0
    is_held: bool = False
    is_lost: bool = False
    parts: tuple[TableRef, ...] | None = None

    @property
    def is_done(self) -> bool:
        """Whether it was read."""
        return self.parts is not None


def bundled(roots: Iterable[KnownRoot], *, files: int) -> tuple[Bundle, ...]:
    """Return bundles that cover each root once, so that small roots share a flow run.

    Args:
        roots: any order; a bundle keeps it.
        files: of one bundle at most, as far as known. A root that was never indexed, or that has
            more, is a bundle by itself.
    """
    made: list[Bundle] = []
    open_bundles: dict[str, tuple[list[str], int]] = {}
    for root in roots:
        if root.files is None or root.files >= files:
            made.append(Bundle(account_id=root.account_id, root_ids=(root.id,)))
            continue
        ids, held = open_bundles.get(root.account_id, ([], 0))
        if ids and (len(ids) >= BUNDLE_ROOTS or held + root.files > files):
            made.append(Bundle(account_id=root.account_id, root_ids=tuple(ids)))
            ids, held = [], 0
        open_bundles[root.account_id] = ([*ids, root.id], held + root.files)
    made += (
        Bundle(account_id=account, root_ids=tuple(ids))
        for account, (ids, _) in open_bundles.items()
    )
    return tuple(made)


def shard_ranges(batches: int, *, shard_batches: int) -> list[tuple[int, int]]:
    """Return [first, last) ranges of batches, of nearly one size; none when one would do."""
    count = -(-batches // max(shard_batches, 1))
    if count < 2:  # noqa: PLR2004 - one shard is no shard
        return []
    edges = [batches * number // count for number in range(count + 1)]
    return list(pairwise(edges))
