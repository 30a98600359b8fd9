"""Rows of the warehouse: what analysts query, described once, column by column."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from models.domain.columns import column


class RunStatus(StrEnum):
    """What became of a run's rows."""

    PUBLISHED = "published"
    QUARANTINED = "quarantined"
    """Its rows failed the expectations; nobody sees them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow:
    """What every row of the warehouse knows of the run that wrote it."""

    run_id: str = column("Run that wrote the row: the id of its job.")
    recorded_at: datetime = column("When the run was recorded, UTC; one instant for all its rows.")
    month: str = column("Month of `recorded_at`, `YYYY-MM`; the tables are partitioned by it.")


@dataclass(frozen=True, slots=True, kw_only=True)
class DimFile(RunRow):
    """One version of one file: written when it was new, had changed, or was gone."""

    root_id: str = column("Storage root the file lives in.")
    key: str = column("Path below the root.")
    is_deleted: bool = column("Whether this version says that the file is gone from its key.")
    version: str = column("What the storage knows the version by; equal means unchanged.")
    size_bytes: int = column("Size in bytes; 0 when gone.")
    modified_at: datetime | None = column("Modification time, UTC.")
    sha256: str | None = column("SHA-256, 64 hexadecimal digits; null when it could not be read.")
    md5: str | None = column("MD5, 32 hexadecimal digits.")
    extension: str = column("Extension of the name, lower case, with its dot; empty when none.")
    mime: str = column("Media type by content.")
    media: str = column("Coarse kind of the content, a `Media`.")
    content_label: str = column("Content type by signature or Magika.")
    category: str | None = column("First level of the taxonomy.")
    subcategory: str | None = column("Second level.")
    coarse_category: str = column("Images, Videos, Documents, Audio or Others.")
    captured_at: str | None = column("Local wall-clock time of capture, `YYYY-MM-DDTHH:MM:SS`.")
    captured_source: str = column("Where that date came from, a `DateSource`.")
    problem: str | None = column("Why facts are missing, in words.")


@dataclass(frozen=True, slots=True, kw_only=True)
class FactJob(RunRow):
    """One job, as it stood when its run was recorded."""

    kind: str = column("Which flow carried it out, a `JobKind`.")
    status: str = column("How it ended: `completed` or `completed_with_errors`.")
    account_id: str | None = column("Whose job it was.")
    target_job_id: str | None = column("The job that an undo undid.")
    source_root_id: str = column("Root of the sources.")
    destination_root_id: str = column("Root of the destinations.")
    mode: str = column("How files were arranged, a named template.")
    operation: str = column("`move`, or `copy` where sources stayed.")
    files_count: int = column("Files of the source root after the run.")
    files_bytes: int = column("Their bytes.")
    operations_count: int = column("Operations in its journal.")
    done_count: int = column("Operations carried out.")
    errors_count: int = column("Operations refused, failed or deferred.")
    duplicates_count: int = column("Members of groups of equal files beyond their keepers.")
    wasted_bytes: int = column("Bytes that removing them would free.")
    created_at: datetime | None = column("When it was asked for, UTC.")
    started_at: datetime | None = column("When it began, UTC.")
    source_url: str | None = column("Where the root of the sources is.", default=None)
    destination_url: str | None = column("Where the root of the destinations is.", default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class DimRoot:
    """A storage root that jobs told of."""

    root_id: str = column("The root, as `files` and `fact_job` name it.")
    url: str | None = column(
        "Where it is, as the newest job knew it; null in rows of old releases."
    )
    first_recorded_at: datetime = column("When a run first told of it, UTC.")
    last_recorded_at: datetime = column("When a run last did, UTC.")


@dataclass(frozen=True, slots=True, kw_only=True)
class FactOperation(RunRow):
    """One operation of a job's journal."""

    seq: int = column("Order of application, from 0; with `run_id`, its identity.")
    unit_id: str = column("Operations of one unit went together.")
    action: str = column("What was done, an `Action`, or `remove`.")
    state: str = column("How far it got, an `OperationState`.")
    source_url: str = column("Root of the source.")
    source_key: str = column("Path of the source below its root.")
    destination_url: str = column("Root of the destination.")
    destination_key: str = column("Path of the destination below its root.")
    size_bytes: int = column("Size in bytes.")
    sha256: str | None = column("SHA-256 of the content; null when it was not read.")
    keeper_key: str | None = column("For a removed duplicate: the file that stayed.")
    reason: str = column("Why, in words.")
    error: str | None = column("Why it was not carried out, in words.")


@dataclass(frozen=True, slots=True, kw_only=True)
class FactDuplicate(RunRow):
    """One member of a duplicate group after the run; every run tells all groups of its root."""

    root_id: str = column("Storage root of the group.")
    group_id: str = column("Identity of the group; the SHA-256 for full-hash groups.")
    key: str = column("Path below the root.")
    is_keeper: bool = column("Whether this is the member that stays; one a group.")
    truth_class: str = column("How certain, a `TruthClass`.")
    similarity_ratio: float = column("1.0 for equal bytes.")
    size_bytes: int = column("Size in bytes.")
    is_hardlink: bool = column("Whether it shares its bytes with an earlier member.")
    wasted_bytes: int = column("Bytes a removal would free: 0 for the keeper and for hardlinks.")
    keep_reason: str = column("Which rule chose the keeper, in words.")
    is_removable: bool = column(
        "Whether a rule may remove it; never the keeper, nor what is alike."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class FactCategory(RunRow):
    """One decision on the category of a file version."""

    root_id: str = column("Storage root the file lives in.")
    key: str = column("Path below the root.")
    sha256: str | None = column("Content that was judged.")
    category: str = column("First level of the taxonomy.")
    subcategory: str | None = column("Second level; null when only the first is certain.")
    coarse_category: str = column("Images, Videos, Documents, Audio or Others.")
    confidence_ratio: float = column("Probability in [0, 1] that `category` is right.")
    reason: str = column("Why, in words.")
    decided_by: str = column("Rule or model that decided.")
    alternatives: str | None = column(
        "The likeliest categories with their probabilities, in words; null where a rule decided.",
        default=None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class FactEvent(RunRow):
    """One event of a job, up to the moment its run was recorded."""

    seq: int = column("Number of the event in its job, without gaps; with `run_id`, its identity.")
    kind: str = column("What happened.")
    happened_at: datetime = column("When, UTC.")
    data: str = column("What was told with it, JSON.")


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedRun(RunRow):
    """The commit marker: a run's rows are seen when, and only when, it says `published`."""

    kind: str = column("Which flow the run belongs to: that of its job, or `daily`.")
    root_id: str = column("Source root of the run; empty for a day.")
    status: str = column("What became of its rows, a `RunStatus`.")
    expectations_count: int = column("Expectations that judged it.")
    rows_count: int = column("Rows it wrote, all tables together.")
    row_counts: str = column("Rows by table, JSON.")
    reasons: str | None = column("Why it was quarantined, in words; null when published.")
