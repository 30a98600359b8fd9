"""Connections as the API takes and gives them."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

from api.shell.pagination import Pagination
from models.domain.connections import Connection, ConnectionType


def printable(text: str) -> str:
    """Return a text that has no control characters.

    Raises:
        ValueError: it has.
    """
    if not text.isprintable():
        raise ValueError("control characters are not taken")
    return text


Line = Annotated[str, AfterValidator(printable)]


class Credentials(BaseModel):
    """Keys of a bucket; taken, sealed and never given back."""

    model_config = ConfigDict(extra="forbid")

    access_key_id: SecretStr = Field(min_length=1, max_length=500, examples=["AKIAEXAMPLE"])
    secret_access_key: SecretStr = Field(min_length=1, max_length=500, examples=["secret"])


class ConnectionRequest(BaseModel):
    """A folder or bucket to connect."""

    model_config = ConfigDict(extra="forbid")

    type: ConnectionType = Field(description="`local`, `s3` or `r2`.", examples=["s3"])
    root: Line = Field(
        min_length=1,
        max_length=1000,
        description="A folder of the server, or `bucket/prefix`.",
        examples=["photos/2024"],
    )
    name: Line = Field(default="", max_length=200, description="What you call it.")
    endpoint_url: Line | None = Field(
        default=None,
        max_length=500,
        description="S3-compatible server, `https://host`; AWS when left out. R2 needs its own.",
        examples=["https://account.r2.cloudflarestorage.com"],
    )
    region: str | None = Field(default=None, max_length=60, pattern=r"^[a-z0-9-]+$")
    credentials: Credentials | None = Field(default=None, description="For buckets.")


class ConnectionDocument(BaseModel):
    """A connection."""

    id: str
    type: ConnectionType
    name: str
    root: str = Field(description="Folder, or `s3://bucket/prefix`.")
    endpoint_url: str | None
    region: str | None
    credentials_ref: str | None = Field(
        description="Name of the sealed keys; the keys themselves are never given back."
    )
    source_path: str = Field(description="How a job names its root.")
    created_at: datetime

    @classmethod
    def of(cls, connection: Connection) -> Self:
        """Return a connection as its owner sees it."""
        from storage.opening import local_path

        is_local = connection.type is ConnectionType.LOCAL
        root = connection.root_url
        return cls(
            id=connection.id,
            type=connection.type,
            name=connection.name,
            root=str(local_path(root)) if is_local else root,
            endpoint_url=connection.endpoint_url,
            region=connection.region,
            credentials_ref=None if is_local else f"connections/{connection.id}",
            source_path=f"{connection.id}:/",
            created_at=connection.created_at,
        )


class ConnectionAnswer(BaseModel):
    """One connection."""

    connection: ConnectionDocument


class ConnectionsAnswer(BaseModel):
    """Connections, the newest first."""

    connections: list[ConnectionDocument]
    pagination: Pagination


class TestDocument(BaseModel):
    """What a test of a connection found."""

    __test__ = False

    ok: bool = Field(description="Whether its root can be listed.")
    message: str = Field(description="What happened, and what to do about it.")
    checked_at: datetime


class TestAnswer(BaseModel):
    """A test."""

    __test__ = False

    test: TestDocument
