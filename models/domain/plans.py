"""A plan is data: every operation, its preconditions, and nothing that is not shown."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from models.domain.columns import column
from models.domain.jobs import OrganizeOptions
from models.domain.table_refs import TableRef


class Action(StrEnum):
    """What one row of a plan does."""

    MOVE = "move"
    COPY = "copy"
    TRASH = "trash"
    """To the trash below the root it lives in; removable because the keeper has its content."""
    DISPLACE = "displace"
    """A file already at a destination gives way: renamed, or to the trash, in the same root."""
    SKIP = "skip"
    """Stays where it is, by a rule; the reason says which."""
    REFUSE = "refuse"
    """Would be unsafe; stays where it is and is counted as an error."""
    ASSIGN = "assign"
    """Catalog only: category and virtual path change, no byte moves (managed roots, `virtual`)."""


WRITING: frozenset[Action] = frozenset({Action.MOVE, Action.COPY, Action.TRASH, Action.DISPLACE})
"""Actions that touch storage."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One row of the MOVES table: an operation with its preconditions."""

    seq: int = column("Order of application, from 0, without gaps.")
    unit_id: str = column("Rows of one unit (companions, a project) share it and go together.")
    action: str = column("What happens, an `Action`.")
    source_key: str = column("Path below the source root; for `displace`, below the destination.")
    destination_key: str | None = column(
        "Path below the destination root; null when nothing is written."
    )
    size_bytes: int = column("Size the source must have.")
    modified_ns: int = column("Modification time of the source, kept by a copy.")
    sha256: str | None = column("Content the source must have.")
    version: str = column("Version the source must have.")
    keeper_key: str | None = column(
        "For `trash` by duplication: the key (source root) whose content proves that a copy stays.",
        default=None,
    )
    keeper_sha256: str | None = column(
        "For `trash` of a lookalike: the content the keeper must have.", default=None
    )
    truth_class: str | None = column(
        "For `trash` by duplication: how certain, a `TruthClass`.", default=None
    )
    similarity_ratio: float | None = column(
        "For `trash` by duplication: how alike it is to the keeper; 1.0 for equal bytes.",
        default=None,
    )
    threshold_ratio: float | None = column(
        "For `trash` of a lookalike: the smallest similarity that was looked for.", default=None
    )
    category: str | None = column("Category used.", default=None)
    date_used: str | None = column("Local date used by the template, `YYYY-MM-DD`.", default=None)
    date_source: str | None = column("Where that date came from.", default=None)
    conflict: str | None = column(
        "How a taken destination was resolved; null when free.", default=None
    )
    reason: str = column("Why, in words.")


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanTotals:
    """What a preview says at a glance; sums over the moves."""

    files_total: int
    bytes_total: int
    moves: int
    copies: int
    trashes: int
    displacements: int
    skips: int
    refusals: int
    assigns: int
    bytes_to_write: int
    duplicate_groups: int
    duplicates_found: int
    space_wasted_bytes: int
    problems: int
    conflicts: int = 0
    """Files whose place was taken; of plans made before these were counted, 0."""

    @property
    def operations_total(self) -> int:
        """What carrying the plan out does, in operations."""
        return self.moves + self.copies + self.trashes + self.displacements + self.assigns


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanSample:
    """One operation as a preview shows it.

    Attributes:
        source: path below the source's root.
        destination: path below the destination's root; None where it goes to the trash.
    """

    action: str
    source: str
    destination: str | None
    reason: str


SAMPLE_OPERATIONS = 50
"""Operations that a plan's row carries for its preview; all of them are in the lake."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What will happen, exactly.

    Attributes:
        plan_hash: SHA-256 over the moves' bytes, the roots and the options; approving names it.
        sample: its first operations.
        listing: digest of the source's listing that it was made from; None where nobody kept one.
    """

    id: str
    job_id: str
    source_url: str
    destination_url: str
    options: OrganizeOptions
    totals: PlanTotals
    moves: TableRef
    plan_hash: str
    created_at: datetime
    sample: tuple[PlanSample, ...] = ()
    listing: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovedPlan:
    """The only thing `tasks.apply` accepts."""

    plan: Plan
    approved_by: str
    approved_at: datetime
