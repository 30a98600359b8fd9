"""What the room of duplicates takes and gives, field by field as the specification has it."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from api.shell.file_shapes import ListedFile
from api.shell.pagination import Pagination
from models.domain.duplicate_removal import Refusal
from models.domain.source_paths import UPLOADS

FILES_AT_ONCE = 1000
"""Files that one request may name, as in all bulk operations."""

FileIds = Annotated[list[UUID], Field(min_length=1, max_length=FILES_AT_ONCE)]


class SimilarFile(BaseModel):
    """A member of a group beside its original."""

    file: ListedFile
    similarity: float = Field(ge=0, le=1, description="1 for equal bytes; else as documented.")


class DuplicateGroup(BaseModel):
    """Files of equal bytes, or nearly so, and the one of them that would stay."""

    hash: str = Field(description="SHA-256 of the original; names the group.")
    original_file: ListedFile
    duplicates: list[SimilarFile]
    space_wasted_bytes: int = Field(description="Sizes of the duplicates.")


class DuplicateGroups(BaseModel):
    """One page of groups, the most wasteful first; totals are those of all pages."""

    duplicate_groups: list[DuplicateGroup]
    total_duplicates: int
    total_space_wasted_gb: float = Field(description="In GB of 10^9 bytes.")
    pagination: Pagination


class OneDuplicateGroup(BaseModel):
    """One group."""

    duplicate_group: DuplicateGroup


class DeleteDuplicates(BaseModel):
    """Which duplicates go to the trash."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"file_ids": ["5b6c1f9a-0f5e-4a55-9f04-3c9d6a1f2b11"], "keep_original": True}
            ]
        },
    )

    file_ids: FileIds
    keep_original: bool = Field(
        default=True, description="Leave the original of every content, whatever is named."
    )


class SkippedFile(BaseModel):
    """A file that stayed."""

    file_id: UUID
    reason: Refusal


class RemovalJob(BaseModel):
    """A job that removes what lies in a connected folder, each file after it was read again."""

    id: UUID
    status: str


class DeletedDuplicates(BaseModel):
    """What went to the trash."""

    deleted_count: int
    space_freed_bytes: int = Field(description="Free once the trash is emptied.")
    skipped: list[SkippedFile] = Field(description="What was named and stays, and why.")
    jobs: list[RemovalJob] = Field(
        description="Jobs for files in connected folders, one a folder. What one that has not "
        "ended yet will remove is not counted above; `POST /organize/jobs/{id}/undo` takes it back."
    )


class ScanDuplicates(BaseModel):
    """Where duplicates are looked for."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"source_path": UPLOADS, "near": True}]}
    )

    source_path: str = Field(
        default=UPLOADS,
        min_length=1,
        max_length=1100,
        description="`/uploads`, or `<connection id>:/folder`, as for jobs.",
    )
    near: bool = Field(default=False, description="Lookalikes, too. Not in every plan.")


class ScanJob(BaseModel):
    """The job that looks."""

    id: UUID
    status: str
    created_at: str


class ScanAnswer(BaseModel):
    """A job that was accepted."""

    job: ScanJob


class ResolveDuplicates(BaseModel):
    """Which members of a group stay, and what becomes of the others."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"keep": ["5b6c1f9a-0f5e-4a55-9f04-3c9d6a1f2b11"], "action": "trash"}]
        },
    )

    keep: FileIds
    action: Literal["trash", "link"] = Field(
        default="trash", description="`link` is not offered in this storage yet: 422."
    )
