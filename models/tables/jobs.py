"""Jobs, their plans, what happens to them, and what waits to be sent."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Double,
    ForeignKey,
    Identity,
    Index,
    String,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from models.tables.base import JSON, Base, count, created, identifier, reference

TERMINAL_EVENT = "job:complete"
"""Kind of the event of which there is exactly one for each attempt at a job."""


class OrganizationJobRow(Base):
    """One job."""

    __tablename__ = "organization_jobs"
    __table_args__ = (
        CheckConstraint(
            "status IN ('pending', 'running', 'canceling', 'completed', 'completed_with_errors', "
            "'failed', 'canceled', 'undone')",
            name="valid_status",
        ),
        CheckConstraint("operation_type IN ('move', 'copy')", name="valid_operation"),
        CheckConstraint(
            "kind IN ('organize', 'undo', 'reindex', 'verify', 'purge', 'deduplicate', 'uploaded')",
            name="valid_kind",
        ),
        CheckConstraint(
            "files_total >= 0 AND bytes_total >= 0 AND files_processed >= 0 AND files_moved >= 0 "
            "AND duplicates_found >= 0 AND errors_count >= 0",
            name="positive_counts",
        ),
        CheckConstraint("progress_ratio BETWEEN 0 AND 1", name="valid_progress"),
        CheckConstraint(
            "attempt >= 1 AND launches >= 0 AND relaunches >= 0", name="valid_attempts"
        ),
        Index("idx_jobs_user", "user_id"),
        Index("idx_jobs_status", "status"),
        Index("idx_jobs_created", text("created_at DESC")),
        Index("idx_jobs_user_newest", "user_id", text("created_at DESC"), text("id DESC")),
        Index("idx_jobs_target", "target_job_id", postgresql_where="target_job_id IS NOT NULL"),
        {"comment": "Jobs of all kinds, with their leases; the truth about them (not Prefect)."},
    )

    id: Mapped[str] = identifier()
    user_id: Mapped[str] = reference("Whose it is.", ForeignKey("users.id", ondelete="CASCADE"))
    source_path: Mapped[str] = mapped_column(comment="What was asked for: URL of the source.")
    status: Mapped[str] = mapped_column(
        String(50),
        server_default="pending",
        comment="Where it stands; a trigger refuses steps that a job's life does not have.",
    )
    organization_mode: Mapped[str] = mapped_column(String(50), comment="Mode: a named template.")
    operation_type: Mapped[str] = mapped_column(
        String(20), comment="`move`, or `copy` where sources stay."
    )
    options: Mapped[dict[str, Any]] = mapped_column(
        server_default=text("'{}'::jsonb"), comment="Everything that was chosen."
    )
    files_processed: Mapped[int] = count("Files dealt with so far.")
    files_moved: Mapped[int] = count("Files moved or copied so far.")
    duplicates_found: Mapped[int] = count("Members of groups beyond their keepers.")
    errors_count: Mapped[int] = count("Files that could not be dealt with.")
    started_at: Mapped[datetime | None] = mapped_column(comment="When this attempt first ran.")
    completed_at: Mapped[datetime | None] = mapped_column(comment="When this attempt ended.")
    created_at: Mapped[datetime] = created("When it was asked for.")
    kind: Mapped[str] = mapped_column(
        String(20), server_default="organize", comment="Which flow carries it out."
    )
    destination_path: Mapped[str] = mapped_column(comment="URL of the destination.")
    source_root_id: Mapped[str] = reference("Root of the source.", ForeignKey("storage_roots.id"))
    destination_root_id: Mapped[str] = reference(
        "Root of the destination.", ForeignKey("storage_roots.id")
    )
    target_job_id: Mapped[str | None] = reference(
        "Job that an undo undoes.", ForeignKey("organization_jobs.id", ondelete="SET NULL")
    )
    preview_id: Mapped[str | None] = reference("Plan that was shown before it was asked for.")
    schedule_id: Mapped[str | None] = reference("Schedule that made it.")
    submitted_at: Mapped[datetime | None] = mapped_column(
        server_default=text("CURRENT_TIMESTAMP"),
        comment="When it was asked for; null while it is a preview only.",
    )
    paused_at: Mapped[datetime | None] = mapped_column(
        comment="When somebody asked it to rest; null once it may go on."
    )
    files_total: Mapped[int] = count("Files it concerns.")
    bytes_total: Mapped[int] = count("Bytes it concerns.", large=True)
    phase: Mapped[str] = mapped_column(server_default="", comment="What it is busy with, in words.")
    progress_ratio: Mapped[float] = mapped_column(
        Double(), server_default=text("0"), comment="Share done, [0, 1]; never falls in an attempt."
    )
    progress_at: Mapped[datetime | None] = mapped_column(comment="When progress was last told.")
    progress_seq: Mapped[int] = mapped_column(
        BigInteger(), server_default=text("0"), comment="Number of its newest event."
    )
    running_since: Mapped[datetime | None] = mapped_column(
        comment="When it last began to run; rates are counted from here."
    )
    running_from_ratio: Mapped[float] = mapped_column(
        Double(), server_default=text("0"), comment="Share that was done by then."
    )
    error: Mapped[str | None] = mapped_column(comment="Why it failed, in words.")
    plan_hash: Mapped[str | None] = mapped_column(String(64), comment="Hash of its newest plan.")
    entitlement_snapshot: Mapped[dict[str, Any] | None] = mapped_column(
        comment="What the account was entitled to when it asked."
    )
    approves_itself: Mapped[bool] = mapped_column(
        server_default=text("false"),
        comment="Whether asking for it was its approval; otherwise its plan waits for one.",
    )
    cancel_requested_at: Mapped[datetime | None] = mapped_column(
        comment="When somebody asked it to stop."
    )
    attempt: Mapped[int] = mapped_column(
        server_default=text("1"), comment="Raised by a retry after it failed or was canceled."
    )
    launches: Mapped[int] = count("How often it was handed to Prefect, all attempts together.")
    relaunches: Mapped[int] = count("Launches after a worker's death since progress was last made.")
    relaunch_after: Mapped[datetime | None] = mapped_column(
        comment="Earliest time of the next launch after a worker's death."
    )
    prefect_flow_run_id: Mapped[str | None] = reference("Newest flow run.")
    lease_owner: Mapped[str | None] = mapped_column(comment="Worker that holds it; null when none.")
    lease_epoch: Mapped[int] = mapped_column(
        BigInteger(),
        server_default=text("0"),
        comment="Fencing number: raised by each new holder; writes of older ones are refused.",
    )
    lease_expires_at: Mapped[datetime | None] = mapped_column(
        comment="When another worker may take it."
    )


class OrganizationPlanRow(Base):
    """One plan of one job; immutable but for its approval."""

    __tablename__ = "organization_plans"
    __table_args__ = (
        CheckConstraint(
            "(approved_by IS NULL) = (approved_at IS NULL)", name="approval_whole_or_absent"
        ),
        Index("idx_plans_job", "job_id", text("saved_at DESC")),
        {"comment": "Plans, the previews of jobs; the newest of a job is the one that counts."},
    )

    id: Mapped[str] = identifier()
    job_id: Mapped[str] = reference("Job.", ForeignKey("organization_jobs.id", ondelete="CASCADE"))
    plan_hash: Mapped[str] = mapped_column(
        String(64), comment="SHA-256 over moves, roots and options; approving names it."
    )
    source_url: Mapped[str] = mapped_column(comment="Root of the sources.")
    destination_url: Mapped[str] = mapped_column(comment="Root of the destinations.")
    options: Mapped[dict[str, Any]] = mapped_column(comment="What was chosen.")
    totals: Mapped[dict[str, Any]] = mapped_column(comment="Sums over the moves.")
    moves: Mapped[dict[str, Any]] = mapped_column(
        comment="Reference to the moves in the lake: uri, table, rows, sha256."
    )
    sample: Mapped[list[Any]] = mapped_column(
        JSON,
        server_default=text("'[]'::jsonb"),
        comment="Its first operations, as a preview shows them.",
    )
    listing: Mapped[str | None] = mapped_column(
        comment="Digest of the source's listing that it was made from."
    )
    created_at: Mapped[datetime] = created("When it was made, by the clock of its maker.")
    saved_at: Mapped[datetime] = mapped_column(
        server_default=text("clock_timestamp()"),
        comment="When it was stored; the newest of a job counts.",
    )
    approved_by: Mapped[str | None] = mapped_column(comment="Who approved it.")
    approved_at: Mapped[datetime | None] = mapped_column(comment="When it was approved.")


class JobEventRow(Base):
    """One event of one job; append-only."""

    __tablename__ = "job_events"
    __table_args__ = (
        Index(
            "idx_job_events_terminal",
            "job_id",
            "attempt",
            unique=True,
            postgresql_where=f"kind = '{TERMINAL_EVENT}'",
        ),
        CheckConstraint("seq >= 1", name="positive_seq"),
        {
            "comment": "What happened to a job, in order, without gaps; an insert notifies the "
            "channel `job_events` with `<job_id>:<seq>`."
        },
    )

    job_id: Mapped[str] = reference(
        "Job.", ForeignKey("organization_jobs.id", ondelete="CASCADE"), primary_key=True
    )
    seq: Mapped[int] = mapped_column(
        BigInteger(), primary_key=True, autoincrement=False, comment="From 1, without gaps."
    )
    attempt: Mapped[int] = mapped_column(comment="Attempt it belongs to.")
    kind: Mapped[str] = mapped_column(
        String(50), comment=f"`job:progress`, or `{TERMINAL_EVENT}` once for each attempt."
    )
    data: Mapped[dict[str, Any]] = mapped_column(comment="The job as its readers see it.")
    created_at: Mapped[datetime] = created("When it happened.")


class OutboxEventRow(Base):
    """One message to another system, written with what it tells of."""

    __tablename__ = "outbox_events"
    __table_args__ = (
        UniqueConstraint("job_id", "launch_no"),
        Index(
            "idx_outbox_open",
            "next_attempt_at",
            postgresql_where="sent_at IS NULL AND failed_at IS NULL",
        ),
        {
            "comment": "Jobs to hand to Prefect, written in one transaction with the job; an "
            "insert notifies the channel `outbox_events`."
        },
    )

    id: Mapped[int] = mapped_column(
        BigInteger(), Identity(), primary_key=True, comment="Order of writing."
    )
    topic: Mapped[str] = mapped_column(
        String(50), server_default="job.launch", comment="What is to be done."
    )
    job_id: Mapped[str] = reference("Job.", ForeignKey("organization_jobs.id", ondelete="CASCADE"))
    launch_no: Mapped[int] = mapped_column(
        comment="Which launch of the job; with it, Prefect's idempotency key."
    )
    payload: Mapped[dict[str, Any]] = mapped_column(comment="`deployment`: which one to run.")
    created_at: Mapped[datetime] = created()
    next_attempt_at: Mapped[datetime] = created("Not to be tried before.")
    attempts: Mapped[int] = count("How often sending failed.")
    sent_at: Mapped[datetime | None] = mapped_column(comment="When it arrived.")
    failed_at: Mapped[datetime | None] = mapped_column(comment="When it was given up.")
    last_error: Mapped[str | None] = mapped_column(comment="Why sending last failed.")
