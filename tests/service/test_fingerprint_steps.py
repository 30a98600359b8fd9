"""The three steps through their edges: real Postgres, a lake on disk, files that misbehave."""

import hashlib
import io
import os
import shutil
import struct
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import fingerprint_samples as samples
import pytest

from models.domain.errors import MissingError, StaleError
from models.domain.fingerprint import Fingerprint, Problem
from models.domain.jobs import Job, JobKind, JobStatus, OrganizeOptions
from models.domain.manifest import ManifestRow
from models.domain.table_refs import TableRef
from models.settings import Settings
from storage.opening import canonical_url, open_store
from tasks.categorize.task import categorize
from tasks.fingerprint import core
from tasks.fingerprint.children import ParserPool
from tasks.fingerprint.nursery import Limits
from tasks.fingerprint.reading import WHOLE_BYTES, Buffer, read_once
from tasks.fingerprint.task import fingerprint_batch, merge_fingerprints
from tasks.ledger.ledger import open_ledger
from tasks.manifest.task import Listed, list_manifest
from warehouse.schemas.arrow import to_rows
from warehouse.store.parts import open_lake


class World:
    """A folder of files, a database, a lake, and the three steps over them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with open_ledger(Settings()) as ledger:
            self.root_id = ledger.root_for(canonical_url(str(folder))).id

    def job(self, **options: Any) -> str:
        with open_ledger(Settings()) as ledger:
            url = ledger.root(self.root_id).url
            job = Job(
                id=str(uuid.uuid4()),
                kind=JobKind.ORGANIZE,
                account_id=ledger.local_account(),
                status=JobStatus.PENDING,
                source_url=url,
                destination_url=url,
                source_root_id=self.root_id,
                destination_root_id=self.root_id,
                options=OrganizeOptions(**options),
                created_at=datetime(2026, 1, 1, tzinfo=UTC),
            )
            return ledger.create_job(job).id

    def batches(self, job_id: str, listed: Listed, size: int = 4) -> list[TableRef]:
        rows = listed.changed.rows
        return [
            fingerprint_batch.fn(
                job_id, self.root_id, number, listed.changed, first, min(first + size, rows)
            )
            for number, first in enumerate(range(0, rows, size))
        ]

    def index(self, **options: Any) -> tuple[Listed, dict[str, Fingerprint]]:
        """Run the steps and remember the result as the root's last index."""
        job_id = self.job(**options)
        listed = list_manifest.fn(job_id, self.root_id)
        parts = self.batches(job_id, listed)
        merged = merge_fingerprints.fn(job_id, self.root_id, parts, listed.known)
        with open_ledger(Settings()) as ledger:
            ledger.set_last_index(self.root_id, merged, job_id=job_id)
        rows = to_rows(open_lake(Settings().lake).read(merged), Fingerprint)
        assert [row.key for row in rows] == sorted(row.key for row in rows)
        return listed, {row.key: row for row in rows}


@pytest.fixture
def world(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("FILEORGANIZER_DATABASE_URL", database_url)
    monkeypatch.setenv("FILEORGANIZER_LAKE_URL", str(tmp_path / "lake"))
    folder = tmp_path / "files"
    folder.mkdir()
    for name, data in samples.samples().items():
        (folder / name).write_bytes(data)
    return World(folder)


def test_the_second_index_reads_what_changed_and_nothing_else(world: World):
    first, rows = world.index()
    assert first.changed.rows == first.manifest.rows == len(samples.samples())
    again, same = world.index()
    assert (again.changed.rows, again.known.rows) == (0, len(rows))
    assert same == rows
    (world.folder / "p.txt").write_bytes(b"other words\n")
    (world.folder / "new.txt").write_bytes(b"new\n")
    (world.folder / "a.jpg").unlink()
    third, changed = world.index()
    assert third.changed.rows == 2
    assert changed["p.txt"].sha256 != rows["p.txt"].sha256
    assert "a.jpg" not in changed
    verified, everything = world.index(verify=True)
    assert verified.changed.rows == verified.manifest.rows
    assert everything == changed
    positions, _ = world.index(read_gps=True)
    assert positions.changed.rows == positions.manifest.rows


@pytest.mark.scenario(26)
def test_the_same_bytes_in_another_inode_are_read_again(world: World):
    world.index()
    path = world.folder / "p.txt"
    before = path.stat()
    shutil.copy2(path, world.folder / "copy")
    (world.folder / "copy").replace(path)
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    listed, _ = world.index()
    assert listed.changed.rows == 1


@pytest.mark.scenario(21)
def test_an_edit_that_keeps_size_and_time_is_seen(world: World):
    _, rows = world.index()
    path = world.folder / "p.txt"
    before = path.stat()
    path.write_bytes(b"plain wordz\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    listed, changed = world.index()
    assert listed.changed.rows == 1
    assert changed["p.txt"].sha256 != rows["p.txt"].sha256


@pytest.mark.scenario(30)
def test_one_byte_in_the_middle_makes_another_content(world: World):
    data = bytearray(os.urandom(200_000))
    (world.folder / "x.bin").write_bytes(data)
    data[100_000] ^= 1
    (world.folder / "y.bin").write_bytes(data)
    _, rows = world.index()
    assert rows["x.bin"].size_bytes == rows["y.bin"].size_bytes
    assert rows["x.bin"].sha256 != rows["y.bin"].sha256


@pytest.mark.scenario(28)
def test_links_and_loops_are_counted_once(world: World):
    (world.folder / "loop").symlink_to(world.folder, target_is_directory=True)
    (world.folder / "link.txt").symlink_to(world.folder / "p.txt")
    listed, rows = world.index()
    assert set(rows) == set(samples.samples())
    assert listed.problems.rows == 2


@pytest.mark.scenario(25)
def test_a_vanished_root_is_an_error_and_an_emptied_mount_point_too(world: World):
    _, rows = world.index()
    moved = world.folder.with_name("elsewhere")
    world.folder.rename(moved)
    with pytest.raises(MissingError):
        list_manifest.fn(world.job(), world.root_id)
    world.folder.mkdir()
    with pytest.raises(StaleError, match="not mounted"):
        list_manifest.fn(world.job(), world.root_id)
    world.folder.rmdir()
    moved.rename(world.folder)
    listed, same = world.index()
    assert (listed.changed.rows, same) == (0, rows)


def test_a_finished_step_is_found_and_not_made_again(world: World):
    job_id = world.job()
    listed = list_manifest.fn(job_id, world.root_id)
    parts = world.batches(job_id, listed)
    (world.folder / "late.txt").write_text("late")
    (world.folder / "p.txt").write_text("changed since")
    assert list_manifest.fn(job_id, world.root_id) == listed
    assert world.batches(job_id, listed) == parts
    merged = merge_fingerprints.fn(job_id, world.root_id, list(reversed(parts)), listed.known)
    assert merge_fingerprints.fn(job_id, world.root_id, parts, listed.known) == merged
    categories = categorize.fn(job_id, merged)
    assert categories.rows == merged.rows
    assert categorize.fn(job_id, merged) == categories


@pytest.mark.scenario(24)
def test_a_file_changed_since_the_listing_is_deferred_and_taken_next_time(world: World):
    job_id = world.job()
    listed = list_manifest.fn(job_id, world.root_id)
    with (world.folder / "p.txt").open("ab") as file:
        file.write(b"and growing")
    (world.folder / "o.zip").unlink()
    lake = open_lake(Settings().lake)
    parts = world.batches(job_id, listed)
    rows = {row.key: row for row in to_rows(lake.read_many(parts), Fingerprint)}
    assert Problem.DEFERRED.is_kind_of(rows["p.txt"].problem)
    assert Problem.UNREADABLE.is_kind_of(rows["o.zip"].problem)
    assert rows["p.txt"].sha256 is rows["o.zip"].sha256 is None
    merged = merge_fingerprints.fn(job_id, world.root_id, parts, listed.known)
    with open_ledger(Settings()) as ledger:
        ledger.set_last_index(world.root_id, merged, job_id=job_id)
    taken, after = world.index()
    assert taken.changed.rows == 1
    assert after["p.txt"].sha256 is not None


@pytest.mark.scenario(24)
def test_a_file_that_grows_while_it_is_read_is_refused(tmp_path: Path):
    path = tmp_path / "log"
    path.write_bytes(b"x" * 100)
    store = open_store(canonical_url(str(tmp_path)))
    row = store.stat("log")

    class Growing:
        """The store, but the file grows between the read and the check."""

        def open(self, key: str, *, offset: int = 0) -> Any:
            with store.open(key, offset=offset) as stream:
                data = stream.read()
            with path.open("ab") as file:
                file.write(b"more")
            return io.BytesIO(data)

        def stat(self, key: str) -> ManifestRow:
            return store.stat(key)

        def read_range(self, key: str, start: int, length: int) -> bytes:
            return store.read_range(key, start, length)

    with pytest.raises(StaleError):
        read_once(Growing(), row, Buffer())


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_may_not_be_read_is_a_row(world: World):
    (world.folder / "p.txt").chmod(0)
    _, rows = world.index()
    assert Problem.UNREADABLE.is_kind_of(rows["p.txt"].problem)


def test_large_files_are_streamed_and_still_parsed(tmp_path: Path):
    """A video whose index lies behind 70 MB of padding."""
    plain = samples.video({"title": "T"})
    at = plain.index(b"moov") - 4
    padding = struct.pack(">I", WHOLE_BYTES + 5_000_000) + b"free" + bytes(WHOLE_BYTES + 4_999_992)
    data = plain[:at] + padding + plain[at:]
    (tmp_path / "a.mp4").write_bytes(data)
    store = open_store(canonical_url(str(tmp_path)))
    content = read_once(store, store.stat("a.mp4"), Buffer())
    assert content.sha256 == hashlib.sha256(data).hexdigest()
    assert content.md5 == hashlib.md5(data, usedforsecurity=False).hexdigest()
    assert len(content.blob) < len(data)
    assert content.tail == data[-4096:]
    row = store.stat("a.mp4")
    decision = core.type_of(row, content, lambda _: "unknown")
    request = core.request_for(decision, row.size_bytes)
    assert request is not None
    with ParserPool(Limits(memory_bytes=500_000_000, cpu_s=10, children=1)) as pool:
        parsed = pool.parse(
            request,
            blob=content.blob,
            fetch=lambda offset, count: store.read_range("a.mp4", offset, count),
        )
    assert (parsed.facts["width"], parsed.facts["title"]) == (64, "T")
