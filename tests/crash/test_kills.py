"""P2: workers killed by SIGKILL at any moment of their work, resumed until the job is done.

The journal is the one in Postgres. Every round moves, copies, displaces and trashes, with names
that are taken, and undoes it all; workers of both jobs are killed.
"""

import json
import os
import random
import select
import signal
import subprocess
import sys
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from apply_world import debris, facts, hashes, make_tree, operation

from models.domain.jobs import Job, JobKind, JobStatus
from models.domain.operations import OPEN, Operation
from models.domain.plans import Action
from storage.local import LocalStore
from storage.opening import open_store
from storage.store import Store
from tasks.apply.planned import folder_rows
from tasks.apply.undo import undo_operations
from tasks.ledger.database import close_pools
from tasks.ledger.ledger import Ledger

pytestmark = [pytest.mark.crash, pytest.mark.timeout(3000)]

KILLS = 60
"""In the suite; the campaign has 500 of P2, a twentieth of them on S3."""

KILLS_A_JOB = 8
"""Then the job may end, so that there are many jobs."""


class Zygote:
    """The process that forks workers, and what became of each."""

    def __init__(self) -> None:
        script = Path(__file__).with_name("kill_worker.py")
        self.process = subprocess.Popen(
            [sys.executable, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._buffer = b""

    def line(self, timeout_s: float | None) -> str | None:
        assert self.process.stdout is not None
        while b"\n" not in self._buffer:
            if not select.select([self.process.stdout], [], [], timeout_s)[0]:
                return None
            piece = os.read(self.process.stdout.fileno(), 4096)
            assert piece, "the zygote is gone"
            self._buffer += piece
        first, _, self._buffer = self._buffer.partition(b"\n")
        return first.decode()

    def work(self, spec: dict[str, object], kill_after_s: float | None) -> bool:
        """Let a worker live so long after it began to work; return whether it was killed."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(spec).encode() + b"\n")
        self.process.stdin.flush()
        pid = int((self.line(60) or "").removeprefix("pid "))
        wait_s: float | None = 60.0
        is_finished = is_killed = False
        while (line := self.line(wait_s)) != "reaped":
            if line == "working":
                wait_s = kill_after_s
            elif line == "finished":
                is_finished = True
                wait_s = 60.0
            elif line is None:
                assert not is_killed, "a killed worker is still there"
                os.kill(pid, signal.SIGKILL)
                is_killed, wait_s = True, 60.0
            else:
                pytest.fail(json.loads(line.removeprefix("failed ")))
        return is_killed and not is_finished

    def close(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


@pytest.fixture
def zygote(_aws_environment: None) -> Iterator[Zygote]:
    zygote = Zygote()
    yield zygote
    zygote.close()


@pytest.fixture
def ledger(database_url: str) -> Iterator[Ledger]:
    with Ledger(database_url) as ledger:
        yield ledger
    close_pools()


def _tree(rng: random.Random, files: int = 36) -> dict[str, str | bytes]:
    """The last `files` of 36 files, the last six of which meet taken names, and duplicates."""
    tree: dict[str, str | bytes] = {
        f"in/{n // 9}/{n}.bin": rng.randbytes(n * 97) for n in range(36 - files, 36)
    }
    for n in range(files // 6):
        tree[f"keep/{n}.bin"] = tree[f"in/dup-{n}.bin"] = rng.randbytes(1000 + n)
    return tree


TAKEN: dict[str, str | bytes] = {f"out/{n}.bin": f"taken {n}" for n in range(30, 36)}


def _plan(job: Job, source: Store, target: Store) -> list[Operation]:
    rows: list[Operation] = []
    there = {row.key for page in source.list_pages() for row in page.rows}

    def add(action: str, store: Store, key: str, to: str | None, unit: int, **more: str) -> None:
        seq = len(rows)
        made = operation(
            seq, action, store, key, target, to, unit=f"u{unit}", job_id=job.id, **more
        )
        rows.append(made)

    for n in range(6):
        if f"in/dup-{n}.bin" in there:
            add(Action.TRASH, source, f"in/dup-{n}.bin", None, 100 + n, keeper=f"keep/{n}.bin")
    for n in range(36):
        if f"in/{n // 9}/{n}.bin" not in there:
            continue
        to = f"out/{n}.bin"
        if n >= 33:
            add(Action.DISPLACE, target, to, None if n == 33 else f"out/{n} (1).bin", n)
        action = Action.COPY if n % 6 == 5 and n < 30 else Action.MOVE
        add(action, source, f"in/{n // 9}/{n}.bin", to, n if n > 8 else n // 3)
    return rows


def _new_job(ledger: Ledger, kind: JobKind, urls: tuple[str, str], target: str | None) -> Job:
    roots = [ledger.root_for(url) for url in urls]
    return ledger.create_job(
        Job(
            id=str(uuid.uuid4()),
            kind=kind,
            account_id=None,
            status=JobStatus.PENDING,
            source_url=urls[0],
            destination_url=urls[1],
            source_root_id=roots[0].id,
            destination_root_id=roots[1].id,
            target_job_id=target,
        )
    )


class Round:
    """One job and its undo, on fresh trees."""

    def __init__(
        self, ledger: Ledger, database_url: str, stores: list[Store], *, endpoint: str | None
    ) -> None:
        self.ledger = ledger
        self.stores = stores
        self.urls = (stores[0].url, stores[-1].url)
        self.spec: dict[str, object] = {
            "database_url": database_url,
            "source_url": self.urls[0],
            "destination_url": self.urls[1],
            "endpoint": endpoint,
            "renames": stores[0].can_rename,
        }

    def begin(self) -> str:
        job = _new_job(self.ledger, JobKind.ORGANIZE, self.urls, None)
        rows = _plan(job, self.stores[0], self.stores[-1])
        self.ledger.begin(job.id, rows, folder_rows(set(self.stores), rows))
        return job.id

    def begin_undo(self, job_id: str) -> str:
        undo = _new_job(self.ledger, JobKind.UNDO, self.urls, job_id)
        done = self.ledger.operations(job_id)
        self.ledger.begin(undo.id, undo_operations(done, job_id=undo.id), [])
        return undo.id

    def finish(
        self, zygote: Zygote, rng: random.Random, job_id: str, restore_of: str | None, left: int
    ) -> int:
        """Let workers work at a job until it is done; return how many were killed meanwhile."""
        spec = self.spec | {
            "job_id": job_id,
            "restore_of": restore_of,
            "chunk": rng.choice([1, 7, 500]),
        }
        killed = 0
        for _ in range(min(left, KILLS_A_JOB)):
            killed += zygote.work(spec, rng.choice([0.002, 0.02, 0.1, 0.3]) * rng.random())
        assert not zygote.work(spec, None)
        assert self.ledger.operations(job_id, states=sorted(OPEN)) == []
        return killed


def test_kills_on_a_disk(
    zygote: Zygote,
    ledger: Ledger,
    database_url: str,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    is_campaign = request.config.getoption("--campaign", default=False)
    kills = 475 if is_campaign else KILLS
    rng = random.Random(os.urandom(8) if is_campaign else 2)
    killed = jobs = 0
    while killed < kills:
        folder = tmp_path / f"{jobs}"
        is_across = jobs % 4 != 0
        roots = [make_tree(folder / "one", _tree(rng) | ({} if is_across else TAKEN))]
        if is_across:
            roots.append(make_tree(folder / "two", TAKEN))
        stores: list[Store] = [LocalStore(root, url=f"file://{root}") for root in roots]
        for store in stores:
            store.can_rename = jobs % 3 != 0
        round_ = Round(ledger, database_url, stores, endpoint=None)
        before, content = [facts(root) for root in roots], hashes(*roots)
        job_id = round_.begin()
        killed += round_.finish(zygote, rng, job_id, None, kills - killed)
        copies = Counter(
            each.sha256 for each in ledger.operations(job_id) if each.action == Action.COPY
        )
        states = Counter(str(each.state) for each in ledger.operations(job_id))
        assert states == {"done": 42, "refused": 3}
        assert hashes(*roots) == content + copies
        assert debris(*roots) == []
        undo_id = round_.begin_undo(job_id)
        killed += round_.finish(zygote, rng, undo_id, job_id, kills - killed)
        assert [facts(root) for root in roots] == before
        jobs += 1
        for store in stores:
            store.close()
    print(f"{killed} workers killed in {jobs} jobs and their undos: 0 lost")


def _fill(store: Store, folder: Path, tree: dict[str, str | bytes]) -> None:
    """Put files into object storage."""
    with LocalStore(make_tree(folder, tree), url=f"file://{folder}") as inbox:
        for number, key in enumerate(sorted(tree)):
            row = inbox.stat(key)
            store.receive(
                inbox,
                key,
                key,
                mark=f"setup-{number}",
                expected=inbox.hash(key),
                source_version=row.version,
                modified_ns=row.modified_ns,
            )
            store.settle(f"setup-{number}", key)


def _objects(store: Store) -> Counter[str]:
    live = [row.key for page in store.list_pages() for row in page.rows]
    return Counter(
        store.hash(key).sha256 for key in [*live, *(row.key for row in store.list_trash())]
    )


def test_kills_on_object_storage(  # noqa: PLR0917 - its servers and folders
    zygote: Zygote,
    ledger: Ledger,
    database_url: str,
    tmp_path: Path,
    s3_endpoint: str,
    s3_bucket: str,
    request: pytest.FixtureRequest,
) -> None:
    is_campaign = request.config.getoption("--campaign", default=False)
    kills = 25 if is_campaign else 6
    rng = random.Random(os.urandom(8) if is_campaign else 3)
    killed = jobs = 0
    while killed < kills:
        source = open_store(f"s3://{s3_bucket}/{jobs}/in", s3_endpoint_url=s3_endpoint)
        target = open_store(f"s3://{s3_bucket}/{jobs}/out", s3_endpoint_url=s3_endpoint)
        _fill(source, tmp_path / f"{jobs}-in", _tree(rng, 10))
        _fill(target, tmp_path / f"{jobs}-out", TAKEN)
        trees = [
            {
                row.key: store.hash(row.key).sha256
                for page in store.list_pages()
                for row in page.rows
            }
            for store in (source, target)
        ]
        round_ = Round(ledger, database_url, [source, target], endpoint=s3_endpoint)
        content = _objects(source) + _objects(target)
        job_id = round_.begin()
        killed += round_.finish(zygote, rng, job_id, None, kills - killed)
        copies = Counter(
            each.sha256 for each in ledger.operations(job_id) if each.action == Action.COPY
        )
        assert _objects(source) + _objects(target) == content + copies
        undo_id = round_.begin_undo(job_id)
        killed += round_.finish(zygote, rng, undo_id, job_id, kills - killed)
        assert [
            {
                row.key: store.hash(row.key).sha256
                for page in store.list_pages()
                for row in page.rows
            }
            for store in (source, target)
        ] == trees
        jobs += 1
        source.close()
        target.close()
    print(f"{killed} workers killed in {jobs} jobs and their undos on S3: 0 lost")
