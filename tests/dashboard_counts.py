"""Every count the dashboards show, beside what Postgres counts by itself."""

import psycopg

from dashboards.analytics.asking import Board
from tasks.ledger.ledger import Ledger
from tasks.publish.agreement import LOOKING, PUBLISHED_BY

TROUBLE = ("refused", "failed", "deferred")
ENDED = ("completed", "completed_with_errors", "failed", "canceled", "undone")


def shown(lake):
    """What the dashboards show of all roots and days, by question and figure."""
    board = Board(lake)
    filters = board.span()
    assert filters is not None
    named = {
        "storage_totals": ("files", "bytes", "roots", "categories", "problems"),
        "duplicates_totals": ("groups", "copies", "wasted_bytes"),
        "runs_totals": ("runs", "operations", "done", "errors", "undone"),
        "jobs_totals": ("jobs", "failed", "canceled", "with_errors", "files", "errors"),
        "kpi_totals": ("signups", "accounts", "answers"),
        "quality_totals": ("quarantined",),
    }
    found = {
        (question, name): int(board.one(question, filters)[name])
        for question, names in named.items()
        for name in names
    }
    for question, field in (("storage_by_category", "files"), ("storage_by_category", "bytes")):
        total = sum(row[field] for row in board.ask(question, filters))
        assert total == found["storage_totals", field]
    today = [row for row in board.ask("storage_over_time", filters) if row["day"] == day(filters)]
    assert sum(row["files"] for row in today) == found["storage_totals", "files"]
    assert sum(row["bytes"] for row in today) == found["storage_totals", "bytes"]
    *_, wasted = board.ask("duplicates_over_time", filters)
    assert (wasted["copies"], wasted["wasted_bytes"]) == (
        found["duplicates_totals", "copies"],
        found["duplicates_totals", "wasted_bytes"],
    )
    by_category = board.ask("duplicates_by_category", filters)
    assert sum(row["copies"] for row in by_category) == wasted["copies"]
    by_day = board.ask("jobs_by_day", filters)
    assert sum(row["jobs"] for row in by_day) == found["jobs_totals", "jobs"]
    return found


def day(filters):
    return f"{filters.last:%Y-%m-%d}"


def counted(lake, url):
    """The same of Postgres: the catalog, the journals, and the jobs of the days recorded."""
    ledger = Ledger(url)
    roots = [ledger.catalog_counts(root.id) for root in ledger.roots()]
    jobs = [
        job for job in ledger.jobs(1000) if job.status in PUBLISHED_BY and job.kind not in LOOKING
    ]
    states = [ledger.operation_counts(job.id) for job in jobs]
    days = [row["day"] for row in Board(lake).ask("days_recorded")]
    with psycopg.connect(url.replace("+psycopg", "")) as connection:

        def number(query, *parameters):
            row = connection.execute(query, parameters).fetchone()
            assert row is not None
            return int(row[0] or 0)

        alive = "FROM files WHERE deleted_at IS NULL AND root_id IS NOT NULL"
        ended = (
            "FROM organization_jobs WHERE status = ANY(%s) "
            "AND to_char(completed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD') = ANY(%s)"
        )
        of_days = [list(ENDED), days]

        def ends(what):
            return number(f"SELECT {what} {ended}", *of_days)

        return {
            ("storage_totals", "files"): sum(each["files"] for each in roots),
            ("storage_totals", "bytes"): sum(each["bytes"] for each in roots),
            ("storage_totals", "roots"): sum(each["files"] > 0 for each in roots),
            ("storage_totals", "categories"): number(f"SELECT count(DISTINCT category) {alive}"),
            ("storage_totals", "problems"): number(
                f"SELECT count(*) {alive} AND metadata->>'problem' <> ''"
            ),
            ("duplicates_totals", "groups"): number(
                "SELECT count(*) FROM duplicate_groups WHERE truth_class = 'full_hash'"
            ),
            ("duplicates_totals", "copies"): sum(each["duplicates"] for each in roots),
            ("duplicates_totals", "wasted_bytes"): sum(
                each["space_wasted_bytes"] for each in roots
            ),
            ("runs_totals", "runs"): len(jobs),
            ("runs_totals", "operations"): sum(sum(each.values()) for each in states),
            ("runs_totals", "done"): sum(each.get("done", 0) for each in states),
            ("runs_totals", "errors"): sum(each.get(s, 0) for each in states for s in TROUBLE),
            ("runs_totals", "undone"): len(
                {job.target_job_id for job in jobs if job.kind == "undo"}
            ),
            ("jobs_totals", "jobs"): ends("count(*)"),
            ("jobs_totals", "failed"): ends("count(*) FILTER (WHERE status = 'failed')"),
            ("jobs_totals", "canceled"): ends("count(*) FILTER (WHERE status = 'canceled')"),
            ("jobs_totals", "with_errors"): ends(
                "count(*) FILTER (WHERE status = 'completed_with_errors')"
            ),
            ("jobs_totals", "files"): ends("sum(files_total)"),
            ("jobs_totals", "errors"): ends("sum(errors_count)"),
            ("kpi_totals", "signups"): number(
                "SELECT count(*) FROM users WHERE NOT is_system "
                "AND to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD') = ANY(%s)",
                days,
            ),
            ("kpi_totals", "accounts"): number(
                "SELECT count(*) FROM users WHERE NOT is_system AND deleted_at IS NULL"
            )
            if days
            else 0,
            ("kpi_totals", "answers"): number(
                "SELECT count(*) FROM analytics_events WHERE event_type = 'feedback' "
                "AND to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD') = ANY(%s)",
                days,
            ),
            ("quality_totals", "quarantined"): 0,
        }
