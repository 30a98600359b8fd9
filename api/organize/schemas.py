"""Jobs as the API takes and gives them; the field sets are the specification's."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema

from api.shell.pagination import Pagination
from models.domain.job_view import estimated_completion, percent, shown_status
from models.domain.jobs import Job, JobStatus
from models.domain.operations import Operation, OperationState
from models.domain.organizing import TEMPLATES, ConflictPolicy, OperationType
from models.domain.plans import Plan, PlanSample

MODES = (*TEMPLATES, "custom")


def known_mode(text: str) -> str:
    """Return a mode that there is.

    Raises:
        ValueError: there is no such mode.
    """
    if text not in MODES:
        raise ValueError(f"the modes are: {', '.join(MODES)}")
    return text


Mode = Annotated[
    str, AfterValidator(known_mode), WithJsonSchema({"type": "string", "enum": list(MODES)})
]
"""A mode: a named template."""

ShownStatus = StrEnum(
    "ShownStatus", {status.name: status.value for status in JobStatus} | {"PAUSED": "paused"}
)
"""Where a job stands, as its readers see it."""


def without_nul(text: str) -> str:
    """Return a text that Postgres can hold.

    Raises:
        ValueError: it has a NUL in it, or what is no Unicode.
    """
    if "\0" in text or not text.isprintable():
        raise ValueError("control characters are not taken")
    return text


Line = Annotated[str, AfterValidator(without_nul)]
Folder = Annotated[Line, Field(max_length=1024)]


class JobOptions(BaseModel):
    """What may be chosen for a job."""

    model_config = ConfigDict(extra="forbid")

    skip_duplicates: bool = Field(
        default=True,
        description="Further copies of equal bytes stay where they are and are listed; otherwise "
        "they go too, under a number, and nothing is overwritten.",
    )
    create_backup: bool = Field(
        default=False,
        description="Keep what an undo needs without a deadline: `GET .../operations` is the "
        "manifest, `POST .../undo` the way back.",
    )
    apply_icons: bool = Field(
        default=False, description="Give organized folders an icon and a color in the catalog."
    )
    template: Line | None = Field(
        default=None,
        max_length=500,
        description="Of the mode `custom`.",
        examples=["{category}/{year}/{stem}{ext}"],
    )
    conflict: ConflictPolicy = Field(
        default=ConflictPolicy.RENAME_NEW, description="When a place is taken."
    )
    protected: list[Folder] = Field(
        default=[], max_length=100, description="Folders below the source that nothing leaves."
    )
    preferred: list[Folder] = Field(
        default=[], max_length=100, description="Folders whose copies are kept first."
    )
    use_rules: bool = Field(default=True, description="Whether your rules go before the mode.")
    read_gps: bool = Field(default=False, description="Read places from photos.")
    verify: bool = Field(default=False, description="Read files again that look unchanged.")


class PreviewRequest(BaseModel):
    """What is to be organized, and how."""

    model_config = ConfigDict(extra="forbid")

    source_path: Line = Field(
        min_length=1,
        max_length=1100,
        description="`/uploads`, a folder in it, or `<connection id>:/folder`.",
        examples=["/uploads/batch-123"],
    )
    organization_mode: Mode = Field(
        default="category_year", description="See `GET /organize/modes`."
    )
    operation_type: OperationType = Field(
        default=OperationType.MOVE, description="Whether sources stay."
    )
    options: JobOptions = Field(default_factory=JobOptions)


class JobRequest(PreviewRequest):
    """A job; with a preview, exactly what that showed."""

    preview_id: UUID | None = Field(
        default=None, description="The preview that was looked at; it is carried out as shown."
    )


class JobCreated(BaseModel):
    """A job that was just asked for."""

    id: str
    status: ShownStatus
    created_at: datetime

    @classmethod
    def of(cls, job: Job) -> Self:
        """Return a job as the answer to asking for it."""
        assert job.created_at is not None  # noqa: S101 -- the database set it
        return cls(id=job.id, status=ShownStatus(shown_status(job)), created_at=job.created_at)


class JobCreatedAnswer(BaseModel):
    """A job that was just asked for."""

    job: JobCreated


class JobDocument(BaseModel):
    """A job."""

    id: str
    status: ShownStatus
    progress: float = Field(
        ge=0, le=100, description="Percent; never falls, 100 exactly when it is completed."
    )
    files_processed: int
    files_moved: int
    duplicates_found: int
    errors_count: int
    started_at: datetime | None
    estimated_completion: datetime | None = Field(description="Null until 5 % are done.")

    @classmethod
    def of(cls, job: Job) -> Self:
        """Return a job as its owner sees it."""
        return cls(
            id=job.id,
            status=ShownStatus(shown_status(job)),
            progress=percent(job),
            files_processed=job.files_processed,
            files_moved=job.files_moved,
            duplicates_found=job.duplicates_found,
            errors_count=job.errors_count,
            started_at=job.started_at,
            estimated_completion=estimated_completion(job),
        )


class JobAnswer(BaseModel):
    """One job."""

    job: JobDocument


class JobsAnswer(BaseModel):
    """Jobs, the newest first."""

    jobs: list[JobDocument]
    pagination: Pagination


class CancelAnswer(BaseModel):
    """What became of asking a job to stop."""

    message: str = Field(examples=["Job canceled successfully"])


class SampleDocument(BaseModel):
    """One operation that a preview shows."""

    model_config = ConfigDict(populate_by_name=True)

    source: str = Field(alias="from", description="Path below the source.")
    destination: str | None = Field(alias="to", description="Path below it afterwards.")
    reason: str

    @classmethod
    def of(cls, sample: PlanSample) -> Self:
        """Return an operation as a preview shows it."""
        return cls.model_validate(
            {"from": sample.source, "to": sample.destination, "reason": sample.reason}
        )


class PreviewDocument(BaseModel):
    """What a job would do; null and empty while it is being made."""

    id: str
    plan_hash: str | None = Field(description="Identity of the plan, once there is one.")
    operations_total: int | None
    conflicts: int | None = Field(description="Files whose place is taken.")
    duplicates: int | None = Field(description="Further copies of equal bytes.")
    sample: list[SampleDocument]

    @classmethod
    def of(cls, job: Job, plan: Plan | None) -> Self:
        """Return a preview as far as it is made."""
        if plan is None:
            return cls(
                id=job.id,
                plan_hash=None,
                operations_total=None,
                conflicts=None,
                duplicates=None,
                sample=[],
            )
        return cls(
            id=job.id,
            plan_hash=plan.plan_hash,
            operations_total=plan.totals.operations_total,
            conflicts=plan.totals.conflicts,
            duplicates=plan.totals.duplicates_found,
            sample=[SampleDocument.of(each) for each in plan.sample],
        )


class PreviewAnswer(BaseModel):
    """A preview."""

    preview: PreviewDocument


class OperationDocument(BaseModel):
    """One operation of a job's journal."""

    model_config = ConfigDict(populate_by_name=True)

    seq: int
    source: str = Field(alias="from")
    destination: str | None = Field(alias="to")
    sha256: str | None
    state: OperationState
    error: str | None

    @classmethod
    def of(cls, operation: Operation) -> Self:
        """Return an operation as the job's owner sees it."""
        return cls.model_validate(
            {
                "seq": operation.seq,
                "from": operation.source_key,
                "to": operation.destination_key,
                "sha256": operation.sha256 or None,
                "state": operation.state,
                "error": operation.error,
            }
        )


class OperationsAnswer(BaseModel):
    """Operations in the order of application."""

    operations: list[OperationDocument]
    pagination: Pagination


class ModeDocument(BaseModel):
    """A mode."""

    id: Mode
    description: str
    example_path: str
    plan: str = Field(description="Smallest plan that has it.")


class ModesAnswer(BaseModel):
    """All modes."""

    modes: list[ModeDocument]
