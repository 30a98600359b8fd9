"""How much of each limit an account has used."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import UUID
from sqlalchemy.ext.asyncio import AsyncConnection

USED = text("""
WITH clock AS (
    SELECT date_trunc('day', now() AT TIME ZONE 'UTC') AS today,
           date_trunc('month', now() AT TIME ZONE 'UTC') AS month),
billing AS (
    SELECT current_period_start AS start, current_period_end AS stop FROM subscriptions
     WHERE user_id = :account_id AND status IN ('active', 'trialing', 'past_due')
       AND now() >= current_period_start AND now() < current_period_end LIMIT 1)
SELECT u.storage_used_bytes + u.storage_reserved_bytes AS storage_bytes,
       (SELECT coalesce(sum(files), 0)::bigint FROM file_counts WHERE user_id = u.id)
           AS files_total,
       (SELECT coalesce(sum(used), 0)::bigint FROM usage_counters
         WHERE user_id = u.id AND metric = 'uploads_per_day' AND period_start = clock.today)
           AS uploads_per_day,
       (SELECT count(*) FROM organization_jobs
         WHERE user_id = u.id AND kind = 'organize'
           AND created_at >= coalesce((SELECT start FROM billing), clock.month AT TIME ZONE 'UTC'))
           AS organize_jobs_per_month,
       (SELECT count(*) FROM organization_jobs
         WHERE user_id = u.id AND status IN ('running', 'canceling')) AS concurrent_jobs,
       (SELECT count(*) FROM schedules WHERE user_id = u.id) AS schedules,
       (SELECT count(*) FROM file_tags WHERE user_id = u.id) AS tags,
       (SELECT stop FROM billing) AS period_end, now() AS now
  FROM users u, clock WHERE u.id = :account_id
""").bindparams(bindparam("account_id", type_=UUID(as_uuid=False)))
"""One row; the names are those of the price list's limits. The month of jobs is the one that is
billed, and the calendar's (UTC) where nothing is."""

METRICS = (
    "storage_bytes",
    "files_total",
    "uploads_per_day",
    "organize_jobs_per_month",
    "concurrent_jobs",
    "schedules",
    "tags",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """How much of one limit is used.

    Attributes:
        limit: None is without limit.
        resets_at: when it begins anew; None where never.
    """

    used: int
    limit: int | None
    resets_at: datetime | None


async def usage_of(
    connection: AsyncConnection, account_id: str, limits: Mapping[str, int | None]
) -> dict[str, Use]:
    """Return the use of each limit that something is counted for.

    Args:
        connection: the account's transaction.
        account_id: whose.
        limits: those of its plan.
    """
    row = (await connection.execute(USED, {"account_id": account_id})).mappings().one()
    now: datetime = row["now"].astimezone(UTC)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    resets = {
        "uploads_per_day": midnight + timedelta(days=1),
        "organize_jobs_per_month": row["period_end"] or next_month(midnight),
    }
    return {
        name: Use(used=int(row[name]), limit=limits.get(name), resets_at=resets.get(name))
        for name in METRICS
    }


def next_month(moment: datetime) -> datetime:
    """Return the beginning of the next month."""
    return (moment.replace(day=1) + timedelta(days=32)).replace(day=1)
