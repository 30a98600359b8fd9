"""Events that analytics count, and figures that several rooms must tell alike."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncConnection

from models.tables.analytics import AnalyticsEventRow
from models.tables.base import table_of

EVENTS = table_of(AnalyticsEventRow)

EXACT_GROUPS = """
    SELECT f.sha256_hash AS hash, count(*) AS files,
           (count(*) - 1) * max(f.file_size_bytes) AS wasted
      FROM files f
     WHERE f.user_id = :account AND f.deleted_at IS NULL AND f.sha256_hash IS NOT NULL
       AND f.file_size_bytes >= greatest(:min_bytes, 1)
     GROUP BY f.sha256_hash HAVING count(*) > 1"""
"""Groups of equal bytes; answered by `idx_files_user_content` alone. Empty files are none."""

NOT_HIDDEN = """
NOT EXISTS (SELECT FROM duplicate_ignores i WHERE i.user_id = :account AND i.sha256 = g.hash)"""
"""Condition on a group `g` that its owner did not ask to hide."""

TOTALS = text(f"""
SELECT coalesce(sum(files - 1), 0)::bigint AS duplicates, coalesce(sum(wasted), 0)::bigint AS wasted
  FROM ({EXACT_GROUPS}) g WHERE {NOT_HIDDEN}""")  # noqa: S608 - our own text


@dataclass(frozen=True, slots=True, kw_only=True)
class DuplicateTotals:
    """What the files of equal bytes of an account come to."""

    duplicates_count: int
    wasted_bytes: int


async def duplicate_totals(connection: AsyncConnection, account_id: str) -> DuplicateTotals:
    """Return the totals of `GET /duplicates` at threshold 1."""
    row = (await connection.execute(TOTALS, {"account": account_id, "min_bytes": 0})).one()
    return DuplicateTotals(duplicates_count=row.duplicates, wasted_bytes=row.wasted)


async def record(
    connection: AsyncConnection, account_id: str | None, event_type: str, data: dict[str, Any]
) -> None:
    """Write an event in the caller's transaction: ids and counts, never names of files."""
    await connection.execute(
        insert(EVENTS).values(user_id=account_id, event_type=event_type, event_data=data)
    )
