"""A shard while a flow run reads it: leased like a job, stopped with its job."""

from collections.abc import Generator
from contextlib import contextmanager

from models.domain.errors import ConflictError
from models.domain.jobs import Job
from models.domain.sweeps import Shard, shard_ranges
from models.domain.table_refs import TableRef
from models.settings import Settings
from tasks.ledger.ledger import Ledger, open_ledger
from tasks.lifecycle import slots
from tasks.lifecycle.core import JobCanceledError, JobPausedError, Lease


class _Leases:
    """Leases of one shard, as `Lease` asks for them."""

    def __init__(self, ledger: Ledger, number: int) -> None:
        self._ledger, self._number = ledger, number

    def acquire_lease(self, job_id: str, owner: str, ttl_s: float) -> int:
        return self._ledger.acquire_shard(job_id, self._number, owner, ttl_s)

    def renew_lease(self, job_id: str, owner: str, epoch: int, ttl_s: float) -> None:
        self._ledger.renew_shard(job_id, self._number, owner, epoch, ttl_s)

    def release_lease(self, job_id: str, owner: str, epoch: int) -> None:
        self._ledger.release_shard(job_id, self._number, owner, epoch)


class ShardRun:
    """What a flow body needs of its shard."""

    def __init__(self, ledger: Ledger, shard: Shard, lease: Lease) -> None:
        self._ledger, self._lease = ledger, lease
        self.shard = shard
        self.job: Job = ledger.job(shard.job_id)

    def safe_point(self) -> None:
        """Stop here if the job ended or was asked to, or if another worker has the shard now.

        Raises:
            JobCanceledError: the job shall not go on.
            JobPausedError: it shall rest.
            ConflictError: the lease was lost.
        """
        if self._lease.is_lost:
            raise ConflictError(f"shard {self.shard.number} is held by another worker now")
        if self._ledger.is_cancel_requested(self.job.id):
            raise JobCanceledError(f"job {self.job.id} was canceled")
        if self._ledger.is_pause_requested(self.job.id):
            raise JobPausedError(f"job {self.job.id} rests until it is resumed")

    def finish(self, parts: list[TableRef]) -> None:
        """Note what the shard gave.

        Raises:
            ConflictError: another worker has it, or finished it.
        """
        self._ledger.finish_shard(self.job.id, self.shard.number, parts, epoch=self._lease.epoch)


@contextmanager
def held_shard(job_id: str, number: int) -> Generator[ShardRun | None]:
    """Hold a shard, within its tenant's and the sweep's share of runs; None when it is done.

    Raises:
        BusyError: another worker holds it.
        MissingError: there is no such shard.
    """
    settings = Settings()
    with open_ledger(settings) as ledger:
        account = ledger.job(job_id).account_id
        with (
            slots.sweep_slot(settings.sweep_runs),
            slots.tenant_slot(account, settings.tenant_jobs),
        ):
            shard = next((each for each in ledger.shards([job_id]) if each.number == number), None)
            if shard is not None and shard.is_done:
                yield None
                return
            with Lease(_Leases(ledger, number), job_id, settings.lease_s) as lease:
                found = next(each for each in ledger.shards([job_id]) if each.number == number)
                yield ShardRun(ledger, found, lease)


def split(job_id: str, *, changed: int, batches: int) -> int:
    """Share a job out when it is big, and return how many of its shards are not read yet.

    Args:
        job_id: the job.
        changed: files that must be read.
        batches: batches that they are read in.
    """
    settings = Settings()
    with open_ledger(settings) as ledger:
        planned = ledger.shards([job_id])
        if not planned and changed > settings.shard_files:
            each = max(1, batches * settings.shard_files // changed)
            planned = ledger.plan_shards(job_id, shard_ranges(batches, shard_batches=each))
    return sum(not shard.is_done for shard in planned)


def parts_of_shards(job_id: str, *, rows: int) -> list[TableRef]:
    """Return what the shards of a job gave, in order of keys; nothing unless it is all.

    Args:
        job_id: the job.
        rows: that all parts together have.
    """
    with open_ledger(Settings()) as ledger:
        shards = ledger.shards([job_id])
    parts = [part for shard in shards for part in shard.parts or ()]
    is_whole = bool(shards) and all(shard.is_done for shard in shards)
    # Batches of another size (the setting was changed meanwhile) would leave files out.
    return parts if is_whole and sum(part.rows for part in parts) == rows else []
