"""Files as answers show them: shapes that several rooms share."""

from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, Field

from api.shell.signed_links import LinkSigner
from models.domain.files import StoredFile, shown_metadata

ID = Field(examples=["3fa85f64-5717-4562-b3fc-2c963f66afa6"])
CATEGORY = Field(description="Null until it is assigned.", examples=["Images"])
THUMBNAIL = Field(description="Null until it is made; counts for 15 minutes.")
STORAGE_PATH = Field(description="Opaque; no address to read from.")
MD5 = Field(description="MD5 of the bytes, 32 hexadecimal digits; never an identity.")


class UploadedFile(BaseModel):
    """A file that was just uploaded (`POST /files/upload`)."""

    id: str = ID
    filename: str = Field(examples=["photo.jpg"])
    size_bytes: int = Field(examples=[2048000])
    category: str | None = CATEGORY
    storage_path: str = STORAGE_PATH
    thumbnail_url: str | None = THUMBNAIL
    md5_hash: str | None = MD5
    created_at: datetime


class ListedFile(BaseModel):
    """A file in a list."""

    id: str = ID
    filename: str = Field(examples=["photo.jpg"])
    size_bytes: int = Field(examples=[2048000])
    category: str | None = CATEGORY
    tags: list[str] = Field(examples=[["vacation", "2024"]])
    storage_path: str = STORAGE_PATH
    thumbnail_url: str | None = THUMBNAIL
    md5_hash: str | None = MD5
    created_at: datetime


class DetailedFile(BaseModel):
    """One file with its facts (`GET /files/{file_id}`)."""

    id: str = ID
    filename: str = Field(examples=["photo.jpg"])
    size_bytes: int = Field(examples=[2048000])
    category: str | None = CATEGORY
    tags: list[str] = Field(examples=[["vacation", "2024"]])
    metadata: dict[str, Any] = Field(
        description="`width`, `height` and `camera`, null where not known; `latitude` and "
        "`longitude` only with `gps=true`.",
        examples=[{"width": 1920, "height": 1080, "camera": "Canon EOS R5"}],
    )
    download_url: str = Field(description="Counts for 15 minutes, for this file and account.")
    created_at: datetime


def _thumbnail(file: StoredFile, links: LinkSigner) -> str | None:
    return links.thumbnail_url(file.account_id, file.id) if file.thumbnail_key else None


def uploaded_file(file: StoredFile, links: LinkSigner) -> UploadedFile:
    """Return a file as the answer to its upload shows it."""
    return UploadedFile(
        id=file.id,
        filename=file.filename,
        size_bytes=file.size_bytes,
        category=file.category,
        storage_path=file.shown_path,
        thumbnail_url=_thumbnail(file, links),
        md5_hash=file.md5,
        created_at=file.created_at.astimezone(UTC),
    )


def listed_file(file: StoredFile, links: LinkSigner) -> ListedFile:
    """Return a file as lists show it."""
    return ListedFile(**uploaded_file(file, links).model_dump(), tags=list(file.tags))


def detailed_file(file: StoredFile, links: LinkSigner, *, with_gps: bool = False) -> DetailedFile:
    """Return a file as it is shown alone."""
    return DetailedFile(
        id=file.id,
        filename=file.filename,
        size_bytes=file.size_bytes,
        category=file.category,
        tags=list(file.tags),
        metadata=shown_metadata(file.details, with_gps=with_gps),
        download_url=links.content_url(file.account_id, file.id),
        created_at=file.created_at.astimezone(UTC),
    )
