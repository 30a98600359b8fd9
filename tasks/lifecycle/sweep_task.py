"""Prefect edge of a sweep: begun or taken up, carried on to its end, told of."""

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from models.domain.errors import ConflictError, MissingError
from models.domain.jobs import JobKind, JobStatus
from models.domain.sweeps import JobStanding
from models.settings import Settings
from tasks.ledger.ledger import open_ledger
from tasks.lifecycle import artifacts, slots
from tasks.lifecycle.launching import PrefectRuns
from tasks.lifecycle.shards import ShardRun, held_shard, parts_of_shards, split
from tasks.lifecycle.sweep_units import TenantProgress, job_of_root
from tasks.lifecycle.sweeping import Sweeper
from tasks.lifecycle.task import job_for_root

__all__ = [
    "ShardRun",
    "cancel_sweep",
    "held_shard",
    "in_sweep",
    "parts_of_shards",
    "split",
    "sweep_roots",
]

ROOTS_SHOWN = 500
"""Rows of an artifact; the flow's result has all of them."""

TELL_S = 20.0
"""Between two looks that operators get; each is a version of the artifact."""


def sweep_roots() -> dict[str, Any]:
    """Visit every root in flow runs side by side, and return what became of each, by its id.

    A sweep that somebody began and did not finish is gone on with.
    """
    settings = Settings()
    with open_ledger(settings) as ledger:
        sweep = ledger.open_sweep(JobKind.REINDEX, bundle_files=settings.shard_files)
        sweeper = Sweeper(
            ledger,
            PrefectRuns(),
            sweep,
            at_once=settings.sweep_runs,
            each=settings.tenant_jobs,
            make_job=_make_job,
        )
        sweeper.run(_teller(sweep.id))
        outcomes = {root: _outcome(standing) for root, standing in sweeper.outcomes().items()}
        artifacts.sweep_table(sweep.id, sweeper.progress())
        artifacts.counts_table(f"sweep-roots-{sweep.id[:8]}", _worst_first(outcomes))
        ledger.finish_sweep(sweep.id)
    return outcomes


def in_sweep() -> Any:
    """Hold one of the slots that sweeps have."""
    return slots.sweep_slot(Settings().sweep_runs)


def cancel_sweep(flow: Any, flow_run: Any, state: Any) -> None:  # noqa: ARG001 - Prefect's names
    """State hook: a sweep canceled in the Prefect UI stops its jobs and is over."""
    with open_ledger(Settings()) as ledger:
        sweep = ledger.current_sweep(JobKind.REINDEX)
        if sweep is None:
            return
        ids = [job_of_root(sweep.id, root) for each in sweep.bundles for root in each.root_ids]
        for job_id, standing in ledger.standings(ids).items():
            if not standing.is_over:
                with suppress(ConflictError, MissingError):  # it ended by itself
                    ledger.request_cancel(job_id)
        ledger.finish_sweep(sweep.id)


def _make_job(job_id: str, root_id: str) -> None:
    job_for_root(JobKind.REINDEX, root_id, job_id=job_id)


def _teller(sweep_id: str) -> Callable[[list[TenantProgress]], None]:
    """Return what tells operators of progress, when there is any and not too often."""
    last: list[TenantProgress] = []
    told_at = -TELL_S

    def tell(progress: list[TenantProgress]) -> None:
        nonlocal last, told_at
        now = time.monotonic()
        if progress != last and now - told_at >= TELL_S:
            artifacts.sweep_table(sweep_id, progress)
            last, told_at = progress, now

    return tell


def _worst_first(outcomes: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return what operators see of the roots: those that went wrong first, not more than fit."""
    ordered = sorted(outcomes, key=lambda root: outcomes[root]["status"] == JobStatus.COMPLETED)
    return {root: outcomes[root] for root in ordered[:ROOTS_SHOWN]}


def _outcome(standing: JobStanding | None) -> dict[str, Any]:
    """Return what became of a root: no error texts, they may tell of files."""
    if standing is None:
        return {"status": "gone"}
    return {"status": standing.status.value, "files": standing.files_total}
