"""Purge: empty the trash of what is old enough. The only flow that removes bytes for good."""

from typing import Any

from prefect import flow

from models.settings import Settings
from tasks.apply.task import purge_trash
from tasks.lifecycle.task import cancel_from_prefect, report_counts, roots_to_visit


@flow(name="purge", on_cancellation=[cancel_from_prefect])
def purge(older_than_days: int | None = None) -> dict[str, Any]:
    """Remove trashed files of every root that are older than `older_than_days`.

    Args:
        older_than_days: age in days; `FILEORGANIZER_TRASH_DAYS` when not given.

    Returns:
        Files and bytes removed, and what stayed, by root id.
    """
    days = Settings().trash_days if older_than_days is None else older_than_days
    results = {root_id: purge_trash(root_id, days) for root_id in roots_to_visit(None)}
    report_counts("purge", results)
    return results
