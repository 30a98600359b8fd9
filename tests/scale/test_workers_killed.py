"""A big root and small ones, read by two workers that are killed in turn; the leader is, too."""

import re
import time
import uuid
from collections import Counter
from pathlib import Path

import psycopg
import pytest
from PIL import Image
from scale_world import Cluster, eventually

from models.domain.jobs import JobKind, JobStatus
from models.domain.sweeps import Shard
from models.settings import Settings
from storage.opening import canonical_url
from tasks.fingerprint.task import fingerprint_batch, merge_fingerprints
from tasks.lifecycle.sweep_units import job_of_root
from tasks.lifecycle.task import batch_ranges, job_for_root
from tasks.manifest.task import list_manifest
from warehouse.asking import ask
from warehouse.store.parts import open_lake

pytestmark = [pytest.mark.flow, pytest.mark.timeout(1500)]

PICTURES = 1200
SMALL_ROOTS = 3


def account(url: str) -> str:
    name = uuid.uuid4().hex
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        row = connection.execute(
            "INSERT INTO users (email, username, password_hash) VALUES (%s, %s, '!')"
            " RETURNING id::text",
            [f"{name}@example.com", name],
        ).fetchone()
    assert row is not None
    return row[0]


def pictures(folder: Path) -> Path:
    """Pictures that take a while to read, some of them equal."""
    folder.mkdir()
    for number in range(PICTURES):
        shade = number % (PICTURES // 2)
        picture = (
            Image.radial_gradient("L").resize((700, 500)).point(lambda x, n=shade: x ^ n % 251)
        )
        picture.putpixel((shade % 700, shade // 700), shade % 256)
        picture.save(folder / f"{number:05}.png")
    return folder


def pid_of(owner: str) -> int:
    """Return the process in a lease owner's name."""
    return int(owner.split(":")[-2])


def holders(url: str) -> list[tuple[int, int]]:
    """Return shard and process of each shard that is being read."""
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        rows = connection.execute(
            "SELECT number, lease_owner FROM job_shards WHERE done_at IS NULL"
            " AND lease_owner IS NOT NULL AND lease_expires_at > clock_timestamp()"
        ).fetchall()
    return [(number, pid_of(owner)) for number, owner in rows]


def done_shards(cluster: Cluster, job_id: str) -> int:
    return sum(shard.is_done for shard in cluster.ledger.shards([job_id]))


def kill_one_at_work(cluster: Cluster, url: str, worker: str) -> int:
    """Kill a worker while a process of its reads a shard, and return the shard."""

    def found() -> list[int]:
        return [number for number, pid in holders(url) if cluster.holder_in(worker, pid)]

    number = eventually(found)[0]
    cluster.kill(worker)
    return number


def whole(cluster: Cluster, folder: Path, owner: str) -> list[tuple[int, str]]:
    """Index the same folder for another account in one piece; rows and digest of each part."""
    root_id = cluster.ledger.root_for(canonical_url(str(folder)), account_id=owner).id
    job_id = job_for_root(JobKind.REINDEX, root_id)
    cluster.ledger.set_status(job_id, JobStatus.RUNNING)
    listed = list_manifest.fn(job_id, root_id)
    ranges = batch_ranges(listed.changed.rows, batch_rows=Settings().batch_files)
    parts = [
        fingerprint_batch.fn(job_id, root_id, batch, listed.changed, first, last)
        for batch, (first, last) in enumerate(ranges)
    ]
    merged = merge_fingerprints.fn(job_id, root_id, parts, listed.known)
    return [(each.rows, each.sha256) for each in (*parts, merged)]


def test_workers_and_leader_are_killed_and_every_shard_is_read_once(
    cluster: Cluster, tmp_path: Path, database_url: str
):
    big, small = account(database_url), account(database_url)
    folder = pictures(tmp_path / "big")
    root_id = cluster.ledger.root_for(canonical_url(str(folder)), account_id=big).id
    for number in range(SMALL_ROOTS):
        part = tmp_path / f"small {number}"
        part.mkdir()
        (part / "a.txt").write_text(f"{number}")
        cluster.ledger.root_for(canonical_url(str(part)), account_id=small)

    started = time.monotonic()
    cluster.worker("one")
    cluster.worker("two")
    cluster.lead()
    sweep = eventually(lambda: cluster.ledger.current_sweep(JobKind.REINDEX))
    job_id = job_of_root(sweep.id, root_id)
    killed = [kill_one_at_work(cluster, database_url, "one")]
    cluster.kill("lead")
    cluster.worker("three")
    lead = cluster.lead()
    before = done_shards(cluster, job_id)
    eventually(lambda: done_shards(cluster, job_id) > before)
    killed.append(kill_one_at_work(cluster, database_url, "two"))
    cluster.worker("four")
    assert lead.wait(timeout=900) == 0
    print(f"{time.monotonic() - started:.0f} s; killed at shards {killed}")

    job = cluster.ledger.job(job_id)
    assert (job.status, job.error) == (JobStatus.COMPLETED, None)
    shards: list[Shard] = cluster.ledger.shards([job_id])
    assert len(shards) == PICTURES // 150
    assert all(shard.is_done for shard in shards)
    assert all(shards[number].epoch > 1 for number in killed)
    finished = Counter(
        run["parameters"]["shard"]
        for run in cluster.runs("reindex-shard")
        if run["state_name"] == "Completed"
    )
    assert finished == {shard.number: 1 for shard in shards}

    starts = sorted(run["estimated_start_time_delta"] for run in cluster.runs("reindex-shard"))
    print("from launching a shard to its first line, s:", starts)

    last = cluster.ledger.last_index(root_id)
    assert last is not None
    found = [(part.rows, part.sha256) for shard in shards for part in shard.parts or ()]
    assert [*found, (last.rows, last.sha256)] == whole(cluster, folder, account(database_url))

    jobs = cluster.ledger.jobs(limit=100, account_id=small)
    assert [job.status for job in jobs] == [JobStatus.COMPLETED] * SMALL_ROOTS
    lake = open_lake(Settings().lake)
    assert ask(lake, "SELECT count(*) FROM files").rows == ((PICTURES + SMALL_ROOTS,),)
    runs = ask(lake, "SELECT count(*), sum(files_count) FROM fact_job").rows
    assert runs == ((1 + SMALL_ROOTS, PICTURES + SMALL_ROOTS),)
    tables = cluster.api.filter("artifacts", {"artifacts": {"key": {"like_": "sweep-"}}})
    told = str([table["data"] for table in tables])
    assert re.search(r"shards_done.{2,6}8", told)
    assert str(tmp_path) not in told
    assert root_id in told
    assert cluster.ledger.current_sweep(JobKind.REINDEX) is None


MANY = 10


def test_one_root_of_one_account_does_not_wait_for_the_many_of_another(
    cluster: Cluster, tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
):
    many, one = account(database_url), account(database_url)
    for number in range(MANY + 1):
        folder = tmp_path / f"{number:02}"
        folder.mkdir()
        (folder / "a.txt").write_text(f"{number}")
        owner = one if number == MANY else many  # the one comes last
        cluster.ledger.root_for(canonical_url(str(folder)), account_id=owner)
    cluster.env["FILEORGANIZER_SWEEP_RUNS"] = "2"
    cluster.worker("alone", limit=2)
    assert cluster.lead().wait(timeout=900) == 0
    with psycopg.connect(database_url.replace("+psycopg", "")) as connection:
        order = connection.execute(
            "SELECT user_id::text, status FROM organization_jobs ORDER BY started_at"
        ).fetchall()
    assert Counter(order) == {(many, "completed"): MANY, (one, "completed"): 1}
    assert one in [owner for owner, _ in order[:3]]
    print("the one account's root was visited as number", [who for who, _ in order].index(one) + 1)
