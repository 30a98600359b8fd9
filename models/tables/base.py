"""What all tables share: one metadata, names of constraints, and how Python types are stored."""

from datetime import datetime
from typing import Any, ClassVar, cast

from sqlalchemy import BigInteger, Boolean, Double, Integer, MetaData, Table, Text, func, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TIMESTAMP, UUID
from sqlalchemy.orm import DeclarativeBase, MappedColumn, mapped_column

NAMING = {
    "ix": "idx_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
"""Names of what the specification does not name; those it names are written out."""

JSON = JSONB(none_as_null=True)
"""JSON documents; Python's None is SQL's NULL, never JSON's `null`."""


class Base(DeclarativeBase):
    """Every table of the product; rows never leave the repositories that read them."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        str: Text(),
        int: Integer(),
        float: Double(),
        bool: Boolean(),
        datetime: TIMESTAMP(timezone=True),
        dict[str, Any]: JSON,
        list[str]: ARRAY(Text()),
    }


def table_of(row_type: type[Base]) -> Table:
    """Return the table of a row type, for statements that need no rows as objects."""
    return cast("Table", row_type.__table__)


def identifier(comment: str = "Identity.") -> MappedColumn[str]:
    """Return a random UUID primary key, a plain string in Python."""
    return mapped_column(
        UUID(as_uuid=False),
        primary_key=True,
        server_default=text("gen_random_uuid()"),
        comment=comment,
    )


def reference(comment: str, *arguments: Any, **options: Any) -> MappedColumn[Any]:
    """Return a UUID column; `arguments` are its foreign key, if it has one."""
    return mapped_column(UUID(as_uuid=False), *arguments, comment=comment, **options)


def created(comment: str = "When the row was made.") -> MappedColumn[datetime]:
    """Return a timestamp that the server sets on insert."""
    return mapped_column(server_default=text("CURRENT_TIMESTAMP"), comment=comment)


def updated() -> MappedColumn[datetime]:
    """Return a timestamp set on insert and with every change made through SQLAlchemy."""
    return mapped_column(
        server_default=text("CURRENT_TIMESTAMP"),
        onupdate=func.current_timestamp(),
        comment="When the row was last changed.",
    )


def count(comment: str, *, large: bool = False) -> MappedColumn[int]:
    """Return a counter that starts at 0; `large` for bytes. Its CHECK is named by the table."""
    return mapped_column(
        BigInteger() if large else Integer(), server_default=text("0"), comment=comment
    )
