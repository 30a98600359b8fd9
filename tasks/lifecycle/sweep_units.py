"""What a sweep launches, and how it tells what became of it: nothing here reaches out."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from models.domain.jobs import TERMINAL, JobStatus
from models.domain.sweeps import JobStanding, Shard
from tasks.lifecycle.launching import StartedRun

ROOTS = "reindex-roots/reindex-roots"
SHARD = "reindex-shard/reindex-shard"
"""Deployments of `prefect.yaml`."""

SILENT_S = 120.0
"""How long a run may be without a lease before another one is launched; then twice as long each
time. Starting takes 5 to 40 s (DESIGN section 12); the rest is waiting for slots."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """What one flow run does: some roots, or one shard.

    Attributes:
        key: says the same unit after a restart, too.
        tenant: account whose turn it takes.
        shard: number of the shard of the only job; None for whole roots.
    """

    key: str
    tenant: str
    job_ids: tuple[str, ...]
    shard: int | None = None

    @property
    def deployment(self) -> str:
        """Which deployment runs it."""
        return ROOTS if self.shard is None else SHARD

    @property
    def parameters(self) -> dict[str, Any]:
        """Its parameters: ids and a number."""
        if self.shard is None:
            return {"job_ids": list(self.job_ids)}
        return {"job_id": self.job_ids[0], "shard": self.shard}


@dataclass(slots=True, kw_only=True)
class Flight:
    """A unit under way.

    Attributes:
        epochs: newest holder of each job or of the shard when it was launched: who was already
            dead then is no reason to launch again.
        silent_since_s: when somebody last held it, or no worker had taken its run; by the clock of
            `is_dead`.
    """

    unit: Unit
    run_id: str
    launch_no: int
    epochs: dict[str, int] = field(default_factory=dict)
    silent_since_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantProgress:
    """What operators see of one account: counts, no names."""

    account_id: str
    roots: int
    done: int
    failed: int
    under_way: int
    shards: int
    shards_done: int
    files: int


def job_of_root(sweep_id: str, root_id: str) -> str:
    """Return the id of the job that visits a root in a sweep; the same whoever asks."""
    return str(uuid.uuid5(uuid.UUID(sweep_id), root_id))


def name_of(unit: Unit, launch_no: int) -> str:
    """Return what a run is called: ids and counts."""
    what = f"{len(unit.job_ids)} roots" if unit.shard is None else f"shard {unit.shard}"
    again = f" · launch {launch_no}" if launch_no > 1 else ""
    return f"reindex · {unit.job_ids[0][:8]} · {what}{again}"


def shard_key(shard: Shard) -> str:
    """Return what tells a shard apart from jobs and others."""
    return f"{shard.job_id}/{shard.number}"


def by_job(shards: Iterable[Shard]) -> dict[str, list[Shard]]:
    """Return shards by their job, in order."""
    found: dict[str, list[Shard]] = {}
    for shard in shards:
        found.setdefault(shard.job_id, []).append(shard)
    return found


def is_over(standing: JobStanding | None) -> bool:
    """Whether a job exists and nothing of it is left to run."""
    return standing is not None and standing.is_over


def is_shared_out(standing: JobStanding | None, shared: dict[str, list[Shard]]) -> bool:
    """Whether a job waits for shards that are not all done."""
    if standing is None or standing.is_held or standing.status is not JobStatus.PENDING:
        return False
    return any(not shard.is_done for shard in shared.get(standing.job_id, ()))


def counted(standing: JobStanding | None, *, is_gone: bool) -> dict[str, int]:
    """Return what one root adds to its tenant's counts."""
    counts: dict[str, Any] = {"roots": 1, "done": int(is_gone)}
    if standing is not None and standing.status in TERMINAL:
        is_failed = standing.status in {JobStatus.FAILED, JobStatus.CANCELED}
        counts["failed" if is_failed else "done"] = 1
    if standing is not None:
        counts["files"] = standing.files_total
    return counts


def is_landed(
    unit: Unit, standings: dict[str, JobStanding], shared: dict[str, list[Shard]]
) -> bool:
    """Whether nothing is left of a unit: jobs are over or shared out, the shard is done."""
    if unit.shard is not None:
        job_id = unit.job_ids[0]
        return is_over(standings.get(job_id)) or shared[job_id][unit.shard].is_done
    return all(
        is_over(standings.get(job_id)) or is_shared_out(standings.get(job_id), shared)
        for job_id in unit.job_ids
    )


def is_dead(
    flight: Flight,
    standings: dict[str, JobStanding],
    shared: dict[str, list[Shard]],
    run: StartedRun | None,
    now_s: float,
) -> bool:
    """Whether nobody will finish a unit.

    Its run ended, and no lease is live (that of a killed process is, for a while: who came then
    would find the unit held); or its holder's lease ran out; or a worker took the run and nothing
    holds the unit for so long that the process must have been killed before it came so far. (Who
    is launched then beside one who only waits for a slot does no harm: one of the two holds it.)
    """
    unit = flight.unit
    if unit.shard is not None:
        shard = shared[unit.job_ids[0]][unit.shard]
        is_held, is_lost = shard.is_held, shard.is_lost
        is_lost = is_lost and shard.epoch > flight.epochs.get(shard_key(shard), -1)
    else:
        jobs = [standings[job_id] for job_id in unit.job_ids]
        is_held = any(job.is_held for job in jobs)
        is_lost = any(
            job.status in {JobStatus.RUNNING, JobStatus.CANCELING}
            and not job.is_held
            and job.epoch > flight.epochs.get(job.job_id, -1)
            for job in jobs
        )
    if run is None or run.is_over:
        return not is_held
    if is_held or run.is_scheduled or flight.silent_since_s is None:
        flight.silent_since_s = now_s
    silent_s = SILENT_S * 2 ** (flight.launch_no - 1)
    return (is_lost and not run.is_waiting) or now_s - flight.silent_since_s > silent_s
