"""Policies to compare, and what each would do."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import product

from models.domain.duplicates import KeepRule
from models.domain.errors import InvalidError
from models.domain.jobs import OrganizeOptions
from models.domain.organizing import OnDuplicate
from models.domain.plans import PlanTotals

MOST_POLICIES = 64
"""Policies compared at once: each is planned in full, and nobody reads a longer table."""

_FOLDERS = (KeepRule.PROTECTED, KeepRule.PREFERRED)
"""Rules that all policies have in common, and no name needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What could be asked for.

    Attributes:
        options: of the job.
        similarity: from which similarity on, [0, 1], what is alike counts as worth a look; 1.0
            for equal bytes alone.
    """

    options: OrganizeOptions
    similarity: float = 1.0

    @property
    def name(self) -> str:
        """The policy in a few words."""
        named = [str(rule) for rule in self.options.keep_rules if rule not in _FOLDERS]
        rules = f"keeps {', '.join(named)}"
        parts = [self.options.template or self.options.mode, str(self.options.on_duplicate), rules]
        return " · ".join([*parts, *([f"≥{self.similarity:g}"] if self.similarity < 1 else [])])


@dataclass(frozen=True, slots=True, kw_only=True)
class Risk:
    """What of a policy deserves a second look, in numbers.

    Attributes:
        refusals: files that would be unsafe to touch, and stay.
        displacements: files at the destination that give way.
        renamed: files whose place was taken, so that they get another name.
        unsure: files that go to a folder by a category less sure than the review threshold.
        lookalikes: files that are only alike to a keeper; no rule ever removes them.
        lookalike_bytes: what a person could free by reviewing them.
        ratio: share of the files that go, and are renamed, displace others or are unsure; with
            what is refused, [0, 1].
    """

    refusals: int
    displacements: int
    renamed: int
    unsure: int
    lookalikes: int
    lookalike_bytes: int
    ratio: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What a policy would do; `totals` are those that its plan would have.

    Attributes:
        files_moved: files that go somewhere else, or are copied there.
        bytes_moved: their bytes.
        files_trashed: duplicates that go to the trash.
        bytes_freed: what emptying the trash then frees; hard links free nothing.
        groups_touched: groups of equal files of which a member goes to the trash.
        folders: folders of the destination that receive files.
    """

    policy: Policy
    totals: PlanTotals
    files_moved: int
    bytes_moved: int
    files_trashed: int
    bytes_freed: int
    groups_touched: int
    folders: int
    risk: Risk


def policies(
    base: OrganizeOptions,
    *,
    modes: Sequence[str],
    on_duplicate: Sequence[OnDuplicate],
    keep_rules: Iterable[tuple[KeepRule, ...]],
    similarities: Sequence[float],
) -> list[Policy]:
    """Return every combination of what is given, in the order given; what is empty is as in `base`.

    Raises:
        InvalidError: these are too many, or a similarity is not in [0, 1].
    """
    if any(not 0 <= each <= 1 for each in similarities):
        raise InvalidError("a similarity is a ratio in [0, 1]")
    found = [
        Policy(
            options=replace(base, mode=mode, on_duplicate=duplicate, keep_rules=rules),
            similarity=similarity,
        )
        for mode, duplicate, rules, similarity in product(
            modes or [base.mode],
            on_duplicate or [base.on_duplicate],
            list(keep_rules) or [base.keep_rules],
            similarities or [1.0],
        )
    ]
    if len(found) > MOST_POLICIES:
        raise InvalidError(f"{len(found)} policies are too many; {MOST_POLICIES} at most")
    return found
