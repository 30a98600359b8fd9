"""What the room of files takes and gives."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from api.shell.file_shapes import DetailedFile, ListedFile
from api.shell.pagination import Pagination

Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Files(BaseModel):
    """A part of a list of files."""

    files: list[ListedFile]
    pagination: Pagination


class OneFile(BaseModel):
    """One file."""

    file: DetailedFile


class ChangeFile(BaseModel):
    """What to change of a file; what is not given stays."""

    model_config = ConfigDict(extra="forbid")

    filename: str | None = Field(default=None, min_length=1, max_length=1000)
    category: str | None = Field(
        default=None,
        max_length=100,
        description="Null gives the decision back to rules and models.",
    )
    tags: list[str] | None = Field(default=None, max_length=100)


class BulkFiles(BaseModel):
    """One thing to do with up to 1,000 files."""

    model_config = ConfigDict(extra="forbid")

    action: Literal["delete", "restore", "tag", "move_category"]
    file_ids: list[UUID] = Field(min_length=1, max_length=1000)
    tags: list[str] = Field(default=[], max_length=100, description="Of `tag`: added.")
    category: str | None = Field(default=None, max_length=100, description="Of `move_category`.")


class BulkProblem(BaseModel):
    """Why nothing was done with a file."""

    title: str
    detail: str


class BulkResult(BaseModel):
    """What became of one file."""

    id: str
    status: Literal["done", "unchanged", "failed"]
    problem: BulkProblem | None = None


class BulkAnswer(BaseModel):
    """What became of each file, in the order asked for."""

    results: list[BulkResult]


class CheckFiles(BaseModel):
    """Contents to look for."""

    model_config = ConfigDict(extra="forbid")

    sha256: list[Sha256] = Field(max_length=1000)


class CheckAnswer(BaseModel):
    """Those of the contents that are there already, each with a file that holds it."""

    existing: dict[str, str]


class EmptiedTrash(BaseModel):
    """How many files the next purge takes."""

    files: int
