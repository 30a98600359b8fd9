"""A visit to every root in flow runs side by side, carried on wherever it was left.

What a root's job and its shards came to stands in Postgres; what Prefect says of a run only tells
whether to start another one. So who is killed here is followed by one who reads the same and goes
on: a launch has a key, and the same launch again finds the run it started.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace

import structlog

from models.domain.errors import BusyError, ConflictError, MissingError
from models.domain.jobs import JobStatus
from models.domain.sweeps import JobStanding, Shard, Sweep
from tasks.lifecycle.fairness import Turns
from tasks.lifecycle.ports import Runs, SweepLedger
from tasks.lifecycle.sweep_units import (
    Flight,
    TenantProgress,
    Unit,
    by_job,
    counted,
    is_dead,
    is_landed,
    is_over,
    job_of_root,
    name_of,
    shard_key,
)

log = structlog.get_logger()

POLL_S = 2.0
"""How soon the end of a run is seen; two queries a look."""

MAX_LAUNCHES = 5
"""A job or shard whose runs die that often is given up, as the dispatcher does."""


class Sweeper:
    """Launches the units of a sweep in turns, and again where their process died.

    Args:
        ledger: where jobs and shards stand.
        runs: where flow runs are started.
        sweep: what is visited.
        at_once: flow runs under way, at most.
        each: of them for one tenant, at most.
        make_job: makes the job of a root under the id given. Raises MissingError, ConflictError.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        ledger: SweepLedger,
        runs: Runs,
        sweep: Sweep,
        *,
        at_once: int,
        each: int,
        make_job: Callable[[str, str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ledger, self._runs, self._sweep = ledger, runs, sweep
        self._at_once = at_once
        self._make_job = make_job
        self._clock = clock
        self._turns: Turns[Unit] = Turns(each=each)
        self._flights: dict[str, Flight] = {}
        self._gone: set[str] = set()
        self._job_of = {
            root_id: job_of_root(sweep.id, root_id)
            for bundle in sweep.bundles
            for root_id in bundle.root_ids
        }
        self._root_of = {job_id: root_id for root_id, job_id in self._job_of.items()}

    def run(self, tell: Callable[[list[TenantProgress]], None], *, poll_s: float = POLL_S) -> None:
        """Visit what is not visited yet; `tell` hears how far it is after each look."""
        self._take_stock()
        while True:
            self._settle()
            self._launch()
            tell(self.progress())
            if not self._flights and not len(self._turns):
                return
            time.sleep(poll_s)

    def outcomes(self) -> dict[str, JobStanding | None]:
        """Return where each root's job stands, by root; None where the root is gone."""
        standings = self._ledger.standings(list(self._root_of))
        return {root_id: standings.get(job_id) for root_id, job_id in self._job_of.items()}

    def progress(self) -> list[TenantProgress]:
        """Return how far each tenant's roots are, by account."""
        standings = self._ledger.standings(list(self._root_of))
        shards = self._ledger.shards(list(standings))
        told: dict[str, Counter[str]] = {}
        tenant_of: dict[str, str] = {}
        for bundle in self._sweep.bundles:
            counts = told.setdefault(bundle.account_id, Counter())
            for root_id in bundle.root_ids:
                job_id = self._job_of[root_id]
                tenant_of[job_id] = bundle.account_id
                counts.update(counted(standings.get(job_id), is_gone=job_id in self._gone))
        for shard in shards:
            told[tenant_of[shard.job_id]].update(shards=1, shards_done=int(shard.is_done))
        for flight in self._flights.values():
            told[flight.unit.tenant].update(under_way=1)
        names = ("roots", "done", "failed", "under_way", "shards", "shards_done", "files")
        return [
            TenantProgress(account_id=account, **{name: counts[name] for name in names})
            for account, counts in sorted(told.items())
        ]

    def _take_stock(self) -> None:
        """Let everything wait that is not done, as the ledger knows it."""
        standings = self._ledger.standings(list(self._root_of))
        shared = by_job(self._ledger.shards(list(standings)))
        for number, bundle in enumerate(self._sweep.bundles):
            jobs = [self._job_of[root_id] for root_id in bundle.root_ids]
            for job_id in jobs:
                if job_id in shared and not is_over(standings.get(job_id)):
                    self._add_shared(bundle.account_id, job_id, shared[job_id])
            left = [
                job_id
                for job_id in jobs
                if job_id not in shared and not is_over(standings.get(job_id))
            ]
            if left:
                key = f"{self._sweep.id}-{number}"
                unit = Unit(key=key, tenant=bundle.account_id, job_ids=tuple(left))
                self._turns.add(bundle.account_id, unit)

    def _add_shared(self, tenant: str, job_id: str, shards: Iterable[Shard]) -> None:
        """Let the open shards of a job wait; or its end, when all are done."""
        left = [shard for shard in shards if not shard.is_done]
        for shard in reversed(left):
            unit = Unit(
                key=f"{job_id}-{shard.number}",
                tenant=tenant,
                job_ids=(job_id,),
                shard=shard.number,
            )
            self._turns.add(tenant, unit, is_first=True)
        if not left:
            unit = Unit(key=f"{job_id}-end", tenant=tenant, job_ids=(job_id,))
            self._turns.add(tenant, unit, is_first=True)

    def _launch(self) -> None:
        """Start units while there is room, in turns."""
        while len(self._flights) < self._at_once:
            under_way = Counter(flight.unit.tenant for flight in self._flights.values())
            taken = self._turns.take(under_way)
            if taken is None:
                return
            try:
                self._start(taken[1], 1)
            except BusyError:
                self._turns.add(taken[0], taken[1], is_first=True)
                return

    def _start(self, unit: Unit, launch_no: int) -> None:
        """Start a unit's run, or find the one that was started; past those that ended.

        Raises:
            BusyError: the server is away.
        """
        while launch_no <= MAX_LAUNCHES:
            left = self._left_of(unit)
            if not left.job_ids:
                return self._follow(unit)
            epochs = self._epochs(left)
            key = f"{unit.key}-{launch_no}"
            run = self._runs.start(
                left.deployment, left.parameters, key=key, name=name_of(left, launch_no)
            )
            if not run.is_over:
                # Who runs already may be who died: his epoch is no newer than he is.
                seen = epochs if run.is_waiting else {}
                self._flights[unit.key] = Flight(
                    unit=left, run_id=run.id, launch_no=launch_no, epochs=seen
                )
                return None
            launch_no += 1
        return self._give_up(unit)

    def _restart(self, flight: Flight) -> None:
        """Start a unit again whose run died; at the next look when the server is away."""
        del self._flights[flight.unit.key]
        try:
            self._start(flight.unit, flight.launch_no + 1)
        except BusyError:
            self._flights[flight.unit.key] = flight

    def _left_of(self, unit: Unit) -> Unit:
        """Return the unit with the jobs that are left to run, each made when it was not yet."""
        standings = self._ledger.standings(unit.job_ids)
        if unit.shard is not None:
            shards = by_job(self._ledger.shards(unit.job_ids))
            is_left = not is_landed(unit, standings, shards)
            return unit if is_left else replace(unit, job_ids=())
        left: list[str] = []
        for job_id in unit.job_ids:
            if is_over(standings.get(job_id)):
                continue
            try:
                if job_id not in standings:
                    with suppress(ConflictError):  # another leader made it meanwhile
                        self._make_job(job_id, self._root_of[job_id])
                left.append(job_id)
            except MissingError:
                self._gone.add(job_id)  # the root was removed since the sweep began
        return replace(unit, job_ids=tuple(left))

    def _settle(self) -> None:
        """Take what ended out of the air, and start again what died."""
        if not self._flights:
            return
        # Runs first: what a run that ended left in the ledger is there when the ledger is read.
        try:
            runs = self._runs.look([flight.run_id for flight in self._flights.values()])
        except BusyError:
            return  # the server is away; what runs goes on
        job_ids = sorted(
            {job_id for each in self._flights.values() for job_id in each.unit.job_ids}
        )
        standings = self._ledger.standings(job_ids)
        shared = by_job(self._ledger.shards(job_ids))
        for key, flight in list(self._flights.items()):
            if is_landed(flight.unit, standings, shared):
                del self._flights[key]
                self._follow(flight.unit)
            elif is_dead(flight, standings, shared, runs.get(flight.run_id), self._clock()):
                log.warning("sweep.relaunch", unit=key, launch_no=flight.launch_no + 1)
                self._restart(flight)

    def _follow(self, unit: Unit) -> None:
        """Let wait what follows a unit: shards, or the end of a job whose last shard it was."""
        standings = self._ledger.standings(unit.job_ids)
        shared = by_job(self._ledger.shards(unit.job_ids))
        for job_id in unit.job_ids:
            if is_over(standings.get(job_id)):
                continue
            shards = shared.get(job_id, [])
            if not shards:
                continue
            is_last = all(shard.is_done for shard in shards) and not self._has_flight(job_id)
            if unit.shard is None or is_last:
                self._add_shared(unit.tenant, job_id, shards)

    def _has_flight(self, job_id: str) -> bool:
        return any(job_id in flight.unit.job_ids for flight in self._flights.values())

    def _epochs(self, unit: Unit) -> dict[str, int]:
        """Return the newest holder of each job of a unit, and of its shard."""
        standings = self._ledger.standings(unit.job_ids)
        epochs = {job_id: standing.epoch for job_id, standing in standings.items()}
        return epochs | {
            shard_key(shard): shard.epoch for shard in self._ledger.shards(unit.job_ids)
        }

    def _give_up(self, unit: Unit) -> None:
        """Fail the jobs of a unit whose runs all died; shards of such a job are dropped."""
        for job_id in unit.job_ids:
            log.error("sweep.gave_up", job_id=job_id, launches=MAX_LAUNCHES)
            with suppress(ConflictError):  # it ended by itself
                reason = f"its flow runs ended without finishing it, {MAX_LAUNCHES} times"
                self._ledger.set_status(job_id, JobStatus.FAILED, error=reason)
