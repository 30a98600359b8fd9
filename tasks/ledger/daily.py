"""What Postgres knows of one day: accounts, subscriptions, jobs that ended."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, text

from models.domain.warehouse_daily import (
    Day,
    DayFacts,
    FactDay,
    FactJobEnd,
    FactSubscription,
    FactUsageDaily,
    monthly_price_cents,
)
from tasks.ledger.database import Database

ONE_MOMENT = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"
"""All statements see one state, so that the totals are those of the rows."""

ENDED = """
SELECT *, status IN ('failed') AS is_failed FROM organization_jobs
 WHERE completed_at >= :start AND completed_at < :end
   AND status IN ('completed', 'completed_with_errors', 'failed', 'canceled', 'undone')"""

LATENCIES = """
    SELECT coalesce(sum(answers), 0)::bigint AS api_requests_count,
           power(2, min(bucket) FILTER (WHERE up_to >= 0.5 * total) / 4.0)::float8 AS api_p50_ms,
           power(2, min(bucket) FILTER (WHERE up_to >= 0.95 * total) / 4.0)::float8 AS api_p95_ms,
           power(2, min(bucket) FILTER (WHERE up_to >= 0.99 * total) / 4.0)::float8 AS api_p99_ms
      FROM (SELECT bucket, answers, sum(answers) OVER (ORDER BY bucket) AS up_to,
                   sum(answers) OVER () AS total
              FROM (SELECT each.key::integer AS bucket, sum(each.value::bigint) AS answers
                      FROM analytics_events e
                     CROSS JOIN LATERAL jsonb_each_text(e.event_data -> 'buckets') each
                     WHERE e.event_type = 'api.latency'
                       AND e.created_at >= :start AND e.created_at < :end
                     GROUP BY 1) counted) summed"""
"""Counts of many processes added up (`models.domain.latencies`, whose bounds these are)."""

TOTALS = f"""
SELECT l.*,
    (SELECT coalesce(sum((event_data ->> 'errors')::bigint), 0)::bigint FROM analytics_events
        WHERE event_type = 'api.latency' AND created_at >= :start AND created_at < :end
    ) AS api_errors_count,
    (SELECT count(*) FROM users WHERE NOT is_system AND deleted_at IS NULL) AS accounts_count,
    (SELECT count(*) FROM users WHERE NOT is_system AND created_at >= :start
        AND created_at < :end) AS signups_count,
    (SELECT count(*) FROM users WHERE NOT is_system AND deleted_at >= :start
        AND deleted_at < :end) AS erasures_count,
    (SELECT count(*) FROM ({ENDED}) AS ended) AS jobs_count,
    (SELECT count(*) FROM files WHERE deleted_at IS NULL) AS files_count,
    (SELECT coalesce(sum(file_size_bytes), 0) FROM files
        WHERE deleted_at IS NULL)::bigint AS files_bytes,
    scores.*
  FROM (SELECT count(*) FILTER (WHERE score >= 9) AS promoters_count,
               count(*) FILTER (WHERE score BETWEEN 7 AND 8) AS passives_count,
               count(*) FILTER (WHERE score <= 6) AS detractors_count
          FROM (SELECT (event_data->>'score')::int AS score FROM analytics_events
                 WHERE event_type = 'feedback' AND event_data->>'score' ~ '^([0-9]|10)$'
                   AND created_at >= :start AND created_at < :end) AS answers) AS scores
 CROSS JOIN ({LATENCIES}) AS l"""  # noqa: S608 - our own text
"""The bounds of a net promoter score are those of Reichheld 2003, The one number you need to grow.
Its answers are the events of type `feedback`, which the API's feedback endpoint leaves."""

USAGE = f"""
SELECT u.id::text AS account_id, u.subscription_tier AS tier, u.is_system,
    u.deleted_at IS NOT NULL AS is_erased, u.created_at AS signed_up_at, u.last_login_at,
    coalesce(f.files, 0) AS files_count, coalesce(f.bytes, 0)::bigint AS files_bytes,
    coalesce(f.duplicates, 0) AS duplicates_count,
    coalesce(j.jobs, 0) AS jobs_count, coalesce(j.failed, 0) AS jobs_failed_count
  FROM users u
  LEFT JOIN (SELECT user_id, count(*) AS files, sum(file_size_bytes) AS bytes,
                 count(*) FILTER (WHERE is_duplicate) AS duplicates
               FROM files WHERE deleted_at IS NULL GROUP BY user_id) f ON f.user_id = u.id
  LEFT JOIN (SELECT user_id, count(*) AS jobs, count(*) FILTER (WHERE is_failed) AS failed
               FROM ({ENDED}) AS ended GROUP BY user_id) j ON j.user_id = u.id
 ORDER BY u.id"""  # noqa: S608 - our own text

SUBSCRIPTIONS = """
SELECT id::text AS subscription_id, user_id::text AS account_id, plan_id, status,
    interval AS billing_interval, cancel_at_period_end AS is_ending, created_at AS started_at,
    ended_at
  FROM subscriptions WHERE created_at < :end ORDER BY id"""

JOB_ENDS = f"""
SELECT id::text AS job_id, user_id::text AS account_id, kind, status, attempt AS attempts_count,
    files_total AS files_count, bytes_total AS files_bytes, errors_count,
    created_at AS asked_at, started_at, completed_at AS ended_at
  FROM ({ENDED}) AS ended ORDER BY id"""  # noqa: S608 - our own text


class Daily(Database):
    """The part of the ledger that tells a day."""

    def day_facts(self, day: Day, *, stamp: Mapping[str, Any]) -> DayFacts:
        """Return all rows of a day, read in one moment, each table sorted by identity.

        Accounts, subscriptions and files are as they stand now; sign-ups, feedback and ends of
        jobs are those of the day.

        Args:
            day: which.
            stamp: values of the columns of `RunRow`, for every row.
        """
        common = {**stamp, "day": day.name}
        with self._transaction() as connection:
            connection.execute(text(ONE_MOMENT))

            def rows(statement: str) -> list[dict[str, Any]]:
                return _rows(connection, statement, day)

            return DayFacts(
                totals=FactDay(**common, **rows(TOTALS)[0]),
                usage=tuple(FactUsageDaily(**common, **row) for row in rows(USAGE)),
                subscriptions=tuple(
                    FactSubscription(
                        **common,
                        **row,
                        monthly_price_cents=monthly_price_cents(
                            row["plan_id"], row["billing_interval"]
                        ),
                    )
                    for row in rows(SUBSCRIPTIONS)
                ),
                job_ends=tuple(FactJobEnd(**common, **row) for row in rows(JOB_ENDS)),
            )


def _rows(connection: Connection, statement: str, day: Day) -> list[dict[str, Any]]:
    """Run a statement over a day; only the bounds it names are bound."""
    bounds = {"start": day.start, "end": day.end}
    named = {name: value for name, value in bounds.items() if f":{name}" in statement}
    return [dict(row) for row in connection.execute(text(statement), named).mappings()]
