"""A job: what was asked, where it stands."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from models.domain.duplicates import DEFAULT_KEEP_RULES, KeepRule
from models.domain.errors import ConflictError
from models.domain.organizing import ConflictPolicy, OnDuplicate, OperationType
from models.domain.rules import Rule


class JobKind(StrEnum):
    """Which flow carries a job out."""

    ORGANIZE = "organize"
    UNDO = "undo"
    REINDEX = "reindex"
    VERIFY = "verify"
    PURGE = "purge"
    DEDUPLICATE = "deduplicate"
    """Removal of duplicates, to the trash."""
    UPLOADED = "uploaded"
    """What follows an upload: fingerprint, category, thumbnail, publication."""


class JobStatus(StrEnum):
    """Where a job stands."""

    PENDING = "pending"
    RUNNING = "running"
    CANCELING = "canceling"
    COMPLETED = "completed"
    COMPLETED_WITH_ERRORS = "completed_with_errors"
    FAILED = "failed"
    CANCELED = "canceled"
    UNDONE = "undone"


TRANSITIONS: dict[JobStatus, frozenset[JobStatus]] = {
    JobStatus.PENDING: frozenset({JobStatus.RUNNING, JobStatus.CANCELED, JobStatus.FAILED}),
    JobStatus.RUNNING: frozenset(
        {
            JobStatus.PENDING,  # a plan that waits for its approval
            JobStatus.CANCELING,
            JobStatus.COMPLETED,
            JobStatus.COMPLETED_WITH_ERRORS,
            JobStatus.FAILED,
            JobStatus.CANCELED,
        }
    ),
    JobStatus.CANCELING: frozenset(
        {
            JobStatus.CANCELED,
            JobStatus.FAILED,
            JobStatus.COMPLETED,  # asked to stop after its last safe point
            JobStatus.COMPLETED_WITH_ERRORS,
        }
    ),
    JobStatus.COMPLETED: frozenset({JobStatus.UNDONE}),
    JobStatus.COMPLETED_WITH_ERRORS: frozenset({JobStatus.UNDONE}),
    JobStatus.FAILED: frozenset({JobStatus.RUNNING, JobStatus.UNDONE}),  # a retry; an undo
    JobStatus.CANCELED: frozenset({JobStatus.RUNNING, JobStatus.UNDONE}),
    JobStatus.UNDONE: frozenset(),
}
"""From each status, the statuses that may follow."""

TERMINAL: frozenset[JobStatus] = frozenset(
    {
        JobStatus.COMPLETED,
        JobStatus.COMPLETED_WITH_ERRORS,
        JobStatus.FAILED,
        JobStatus.CANCELED,
        JobStatus.UNDONE,
    }
)


def check_transition(before: JobStatus, after: JobStatus) -> None:
    """Refuse a step that the life of a job does not have.

    Raises:
        ConflictError: `after` may not follow `before`.
    """
    if before is not after and after not in TRANSITIONS[before]:
        raise ConflictError(f"a {before} job cannot become {after}")


def deployment_of(kind: JobKind) -> str:
    """Return the deployment that carries a kind of job out: flow and deployment share its name.

    Removing duplicates is organizing with another plan: proposed, approved and enacted the same.
    """
    name = JobKind.ORGANIZE if kind is JobKind.DEDUPLICATE else kind
    return f"{name}/{name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RemovalOptions:
    """Which duplicates a job removes.

    Attributes:
        near: all lookalikes, too; without, only groups that are named.
        media: only these kinds of `NearMedia`; all when empty.
        threshold: smallest similarity of a lookalike; each kind's own when None.
        groups: ids, or beginnings of ids, of the only groups to touch; all equal ones when empty.
        files: keys of the only files that may go; all members of those groups when empty.
    """

    near: bool = False
    media: tuple[str, ...] = ()
    threshold: float | None = None
    groups: tuple[str, ...] = ()
    files: tuple[str, ...] = ()

    @property
    def wants_near(self) -> bool:
        """Whether lookalikes have to be looked for: ids of their groups have a dash."""
        return self.near or any("-" in group for group in self.groups)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganizeOptions:
    """What may be chosen for a job; part of the plan's hash."""

    mode: str = "category_year"
    template: str | None = None
    operation: OperationType = OperationType.MOVE
    on_duplicate: OnDuplicate = OnDuplicate.SKIP
    conflict: ConflictPolicy = ConflictPolicy.RENAME_NEW
    keep_rules: tuple[KeepRule, ...] = DEFAULT_KEEP_RULES
    protected: tuple[str, ...] = ()
    preferred: tuple[str, ...] = ()
    read_gps: bool = False
    subfolders: int | None = None
    """Sub-category folders of one category at most; None: as the taxonomy says."""
    verify: bool = False
    """Read every file again even when the listing says it is unchanged."""
    merge_from: str | None = None
    """Key of a folder whose files are united with those of `merge_into` instead of organized."""
    merge_into: str | None = None
    """Key of the folder that takes them; empty for the root."""

    removal: RemovalOptions | None = None
    """Which duplicates are removed, instead of anything organized."""

    rules: tuple[Rule, ...] = ()
    """The account's own rules as they were when the job was asked for; they go before the mode."""
    below: str = ""
    """Uploads only: the folder below `/uploads` that is organized; empty for all of them."""
    create_backup: bool = False
    """Keep what an undo needs (manifest, journal and trash) as long as the account's plan says."""
    apply_icons: bool = False
    """Give organized folders an icon and a color in the catalog."""

    @property
    def what(self) -> str:
        """What a job with these options is for, in words without names of files or folders."""
        if self.removal is not None:
            return "removal of duplicates"
        return "merge" if self.is_merge else f"{self.mode} {self.operation}"

    @property
    def is_merge(self) -> bool:
        """Whether two folders are united; otherwise the files are organized by the template."""
        return self.merge_from is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One job as the ledger knows it; counters are those of the specification."""

    id: str
    kind: JobKind
    account_id: str | None
    status: JobStatus
    source_url: str
    destination_url: str
    source_root_id: str
    destination_root_id: str
    options: OrganizeOptions = field(default_factory=OrganizeOptions)
    target_job_id: str | None = None
    """The job that an undo undoes."""
    approves_itself: bool = False
    """Whether asking for the job was its approval; otherwise its plan waits for one."""
    files_total: int = 0
    bytes_total: int = 0
    files_processed: int = 0
    files_moved: int = 0
    duplicates_found: int = 0
    errors_count: int = 0
    progress_ratio: float = 0.0
    phase: str = ""
    error: str | None = None
    plan_hash: str | None = None
    created_at: datetime | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    attempt: int = 1
    """Raised by a retry; each attempt has exactly one terminal event."""
    cancel_requested_at: datetime | None = None
    progress_at: datetime | None = None
    """When progress was last told."""
    running_since: datetime | None = None
    """When it last began to run, which a wait for approval or for a worker may separate from
    `started_at`; rates are counted from here."""
    running_from_ratio: float = 0.0
    """Share that was done by then."""
    preview_id: str | None = None
    """The plan that was shown before the job was asked for."""
    schedule_id: str | None = None
    """The schedule that made it."""
    submitted_at: datetime | None = None
    """When it was asked for; None while it is a preview only."""
    paused_at: datetime | None = None
    """When somebody asked it to rest; None once it may go on."""
    entitlement_snapshot: dict[str, Any] | None = None
    """What the account was entitled to when it asked; None where nobody sells anything."""
