"""A file as answers show it, in every room."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field


class FileView(BaseModel):
    """A file, short: what lists show."""

    id: UUID
    filename: str
    size_bytes: int
    category: str | None
    tags: list[str]
    storage_path: str = Field(description="Opaque.")
    thumbnail_url: str | None = Field(description="Null until made.")
    md5_hash: str | None
    created_at: datetime


def file_view(row: Mapping[Any, Any]) -> FileView:
    """Return the view of a row of `files`."""
    return FileView(
        id=row["id"],
        filename=row["filename"],
        size_bytes=row["file_size_bytes"],
        category=row["category"],
        tags=row["tags"],
        storage_path=row["storage_path"],
        thumbnail_url=row["thumbnail_url"],
        md5_hash=row["md5_hash"],
        created_at=row["created_at"],
    )
