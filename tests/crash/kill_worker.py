"""Workers to kill: a process that stays warm and forks one worker for each line it reads.

A line is a JSON object (see `work`); the answers are lines too: `pid N`, `working` once the worker
holds its lease, `finished` or `failed ...`, and `reaped` when it is gone, however it went.
"""

import json
import os
import sys
import time
import traceback
from pathlib import Path

from models.domain.errors import BusyError
from storage.local import LocalStore
from storage.store import Store
from tasks.apply import core, finishing
from tasks.apply.core import Mover
from tasks.ledger.ledger import Ledger

LEASE_S = 0.02
"""So short that the next worker need not wait; what fences is its number."""


def say(line: str) -> None:
    """Answer with one line, in one write."""
    os.write(1, f"{line}\n".encode())


def opened(url: str, endpoint: str | None, *, can_rename: bool) -> Store:
    """Open a root; a disk that shall not rename is one that copies within itself."""
    if url.startswith("s3://"):
        from storage.opening import open_store

        return open_store(url, s3_endpoint_url=endpoint)
    store = LocalStore(Path(url.removeprefix("file://")), url=url)
    store.can_rename = can_rename
    return store


def leased(ledger: Ledger, job_id: str) -> int:
    """Take the job as soon as the dead worker's lease is over."""
    while True:
        try:
            return ledger.acquire_lease(job_id, f"worker-{os.getpid()}", LEASE_S)
        except BusyError:
            time.sleep(LEASE_S / 4)


def work(spec: dict[str, object]) -> None:
    """Live one worker's life: apply what is open, deal with the folders."""
    core.CHUNK_OPERATIONS = int(str(spec["chunk"]))
    job_id = str(spec["job_id"])
    ledger = Ledger(str(spec["database_url"]))
    epoch = leased(ledger, job_id)
    urls = sorted({str(spec["source_url"]), str(spec["destination_url"])})
    endpoint = spec["endpoint"]
    stores = [
        opened(url, None if endpoint is None else str(endpoint), can_rename=bool(spec["renames"]))
        for url in urls
    ]
    say("working")
    Mover(stores, ledger, job_id=job_id, epoch=epoch).apply(ledger.operations(job_id))
    if spec["restore_of"] is None:
        finishing.pruned(stores, ledger.operations(job_id))
    else:
        finishing.restored(stores, ledger.folders(str(spec["restore_of"])))
    say("finished")


def main() -> None:
    """Fork a worker for each line until there are no more."""
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            say(f"pid {os.getpid()}")  # by itself, so that it comes before "working"
            try:
                work(json.loads(line))
            except BaseException:  # noqa: BLE001 - the test shall see whatever it was
                say("failed " + json.dumps(traceback.format_exc()))
            os._exit(0)
        os.waitpid(pid, 0)
        say("reaped")


if __name__ == "__main__":
    main()
