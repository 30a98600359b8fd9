"""The one statement that reads files of an account."""

from typing import Any

from sqlalchemy import Select, select

from models.tables.base import table_of
from models.tables.files import FileRow
from models.tables.roots import StorageRootRow

FILES = table_of(FileRow)
ROOTS = table_of(StorageRootRow)


def files_of_account(account_id: str) -> Select[Any]:
    """Return the query for an account's files, as `models.tables.mapping.file_from` takes them."""
    return (
        select(FILES, ROOTS.c.kind.label("root_kind"), ROOTS.c.url.label("root_url"))
        .join(ROOTS, ROOTS.c.id == FILES.c.root_id)
        .where(FILES.c.user_id == account_id)
    )
