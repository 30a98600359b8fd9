"""One contract, every storage."""

import hashlib
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from models.domain.errors import (
    BrokenError,
    BusyError,
    ConflictError,
    CorruptError,
    ExistsError,
    ForbiddenError,
    MissingError,
    StaleError,
    UnsafePathError,
)
from models.domain.manifest import ContentHash, ManifestRow
from models.domain.organizing import RESERVED_PREFIX
from storage.keys import STAGING
from storage.local import LocalStore
from storage.memory import MemoryStore
from storage.opening import canonical_url, open_store
from storage.s3 import S3Store
from storage.s3_calls import S3Calls
from storage.store import RenameUnsupportedError, Store

pytestmark = pytest.mark.service

OLD_NS = 1_136_185_445_123_456_789
BIG_BYTES = 20 << 20


@dataclass(frozen=True)
class World:
    """A store under test and a local one to copy from."""

    store: Store
    inbox: LocalStore
    inbox_path: Path

    def bring(self, name: str, data: bytes) -> tuple[ManifestRow, ContentHash]:
        """Put a file into the inbox."""
        path = self.inbox_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        path.chmod(0o640)
        os.utime(path, ns=(OLD_NS, OLD_NS))
        return self.inbox.stat(name), self.inbox.hash(name)

    def receive(self, name: str, key: str, *, mark: str = "job-0") -> str:
        """Copy an inbox file into the store under test."""
        row = self.inbox.stat(name)
        return self.store.receive(
            self.inbox,
            name,
            key,
            mark=mark,
            expected=self.inbox.hash(name),
            source_version=row.version,
            modified_ns=row.modified_ns,
        )

    def put(self, key: str, data: bytes, *, mark: str = "setup-0") -> str:
        """Have a settled file in the store under test."""
        name = hashlib.sha256(key.encode()).hexdigest()
        self.bring(name, data)
        version = self.receive(name, key, mark=mark)
        self.store.settle(mark, key)
        return version

    def keys(self, prefix: str = "") -> list[str]:
        """All keys listed."""
        return [row.key for page in self.store.list_pages(prefix) for row in page.rows]


@pytest.fixture(params=["local", "memory", "memory-folding", "s3", "s3-prefix"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    inbox_path = tmp_path / "inbox"
    inbox_path.mkdir()
    inbox = LocalStore(inbox_path, url=canonical_url(str(inbox_path)))
    name = tmp_path.name.replace("_", "-").strip("-")
    if request.param == "local":
        (tmp_path / "root").mkdir()
        store = open_store(str(tmp_path / "root"))
    elif request.param.startswith("memory"):
        query = "?fold_case=1&normalize=1" if "folding" in request.param else ""
        store = open_store(f"memory://{name}{query}")
    else:
        bucket = request.getfixturevalue("s3_bucket")
        prefix = "some/prefix" if "prefix" in request.param else ""
        calls = request.getfixturevalue("s3_calls")
        store = S3Store(bucket, prefix, url=f"s3://{bucket}/{prefix}".rstrip("/"), calls=calls)
    yield World(store=store, inbox=inbox, inbox_path=inbox_path)
    if isinstance(store, LocalStore):
        store.close()
    inbox.close()


def test_a_received_file_has_its_bytes_time_and_mode(world: World):
    row, content = world.bring("a.txt", b"hello")
    version = world.receive("a.txt", "out/deep/a.txt")
    found = world.store.stat("out/deep/a.txt")
    assert found.version == version
    assert (found.size_bytes, found.modified_ns) == (5, OLD_NS)
    assert world.store.file_mode("out/deep/a.txt") == 0o640
    again = world.store.hash("out/deep/a.txt", expected_version=version)
    assert (again.md5, again.sha256) == (content.md5, content.sha256)
    world.store.settle("job-0", "out/deep/a.txt")
    assert world.store.stat("out/deep/a.txt").version == version, "settling must not change it"
    assert world.inbox.stat("a.txt") == row


@pytest.mark.parametrize("size_bytes", [0, 1, 1 << 20, BIG_BYTES])
def test_files_of_every_size_arrive(world: World, size_bytes: int):
    data = os.urandom(size_bytes)
    world.bring("big", data)
    version = world.receive("big", "big")
    assert world.store.hash("big").sha256 == hashlib.sha256(data).hexdigest()
    with world.store.open("big") as stream:
        assert stream.read() == data
    assert world.store.read_range("big", size_bytes // 2, 100) == data[size_bytes // 2 :][:100]
    with world.store.open("big", offset=size_bytes) as stream:
        assert stream.read() == b""
    assert world.store.stat("big").version == version


def test_going_back_out_restores_time_and_mode(world: World):
    world.bring("a.txt", b"hello")
    world.receive("a.txt", "a.txt")
    listed = next(iter(world.store.list_pages())).rows[0]
    world.inbox.receive(
        world.store,
        "a.txt",
        "back.txt",
        mark="undo-0",
        expected=world.store.hash("a.txt"),
        source_version=listed.version,
        modified_ns=listed.modified_ns,
    )
    assert world.inbox.stat("back.txt").modified_ns == OLD_NS
    assert world.inbox.file_mode("back.txt") == 0o640


def test_a_taken_key_is_never_overwritten(world: World):
    world.put("taken.txt", b"first")
    world.bring("other.txt", b"second")
    with pytest.raises(ExistsError):
        world.receive("other.txt", "taken.txt", mark="job-9")
    assert world.store.read_range("taken.txt", 0, 99) == b"first"
    assert world.keys() == ["taken.txt"]


def test_equal_bytes_of_somebody_else_are_still_somebody_elses(world: World):
    world.put("taken.txt", b"same")
    world.bring("other.txt", b"same")
    with pytest.raises(ExistsError):
        world.receive("other.txt", "taken.txt", mark="job-9")


def test_receiving_twice_is_receiving_once(world: World):
    world.bring("a.txt", b"hello")
    first = world.receive("a.txt", "a.txt")
    assert world.receive("a.txt", "a.txt") == first
    world.store.settle("job-0", "a.txt")
    world.store.settle("job-0", "a.txt")
    assert world.keys() == ["a.txt"]


def test_a_repeat_needs_no_source_once_it_is_published(world: World):
    row, content = world.bring("a.txt", b"hello")
    first = world.receive("a.txt", "a.txt")
    (world.inbox_path / "a.txt").unlink()
    again = world.store.receive(
        world.inbox,
        "a.txt",
        "a.txt",
        mark="job-0",
        expected=content,
        source_version=row.version,
        modified_ns=row.modified_ns,
    )
    assert again == first


@pytest.mark.parametrize("change", ["grow", "shrink", "edit"])
def test_a_source_that_changed_is_refused(world: World, change: str):
    row, content = world.bring("a.txt", b"hello")
    data = {"grow": b"hello!", "shrink": b"hell", "edit": b"jello"}[change]
    (world.inbox_path / "a.txt").write_bytes(data)
    os.utime(world.inbox_path / "a.txt", ns=(OLD_NS, OLD_NS))
    with pytest.raises(StaleError):
        world.store.receive(
            world.inbox,
            "a.txt",
            "a.txt",
            mark="job-0",
            expected=content,
            source_version=row.version,
            modified_ns=row.modified_ns,
        )
    assert world.keys() == []
    with pytest.raises(MissingError):
        world.store.stat("a.txt")


def test_a_missing_source_is_missing(world: World):
    row, content = world.bring("a.txt", b"hello")
    (world.inbox_path / "a.txt").unlink()
    with pytest.raises(MissingError):
        world.store.receive(
            world.inbox,
            "a.txt",
            "a.txt",
            mark="job-0",
            expected=content,
            source_version=row.version,
            modified_ns=row.modified_ns,
        )


def test_listing_is_sorted_paged_and_free_of_our_own_folder(world: World):
    keys = ["a-b", "a/b", "a.txt", "a/é/z", "a/b-", "Z", "a b", "ab/c", "a/\U0001f600"]
    for number, key in enumerate(keys):
        world.put(key, b"x", mark=f"setup-{number}")
    world.put(f"{RESERVED_PREFIX}/trash/job-1/a-b", b"gone", mark="trash-1")
    pages = list(world.store.list_pages(page_size=2))
    assert [len(page.rows) for page in pages] == [2, 2, 2, 2, 1]
    assert [row.key for page in pages for row in page.rows] == sorted(keys)
    assert world.keys("a") == sorted(key for key in keys if key.startswith("a/"))
    assert world.keys("nowhere") == []
    row = world.store.stat("a.txt")
    listed = [row for page in pages for row in page.rows if row.key == "a.txt"]
    assert [(found.size_bytes, found.version) for found in listed] == [(1, row.version)]


def test_the_trash_lists_by_job(world: World):
    for job, key in [("job-1", "a/b"), ("job-1", "c"), ("job-2", "a/b")]:
        world.put(world.store.trash_key(job, key), key.encode(), mark=f"{job}-{len(key)}")
    mine = [row.key for row in world.store.list_trash("job-1")]
    assert mine == [f"{RESERVED_PREFIX}/trash/job-1/a/b", f"{RESERVED_PREFIX}/trash/job-1/c"]
    assert len(list(world.store.list_trash())) == 3
    assert list(world.store.list_trash("job-3")) == []


def test_delete_takes_only_the_planned_version(world: World):
    version = world.put("a.txt", b"hello")
    with pytest.raises(StaleError):
        world.store.delete("a.txt", version="other")
    assert world.keys() == ["a.txt"]
    world.store.delete("a.txt", version=version)
    assert world.keys() == []
    with pytest.raises(MissingError):
        world.store.delete("a.txt", version=version)


def test_hashing_another_version_is_refused(world: World):
    world.put("a.txt", b"hello")
    with pytest.raises(StaleError):
        world.store.hash("a.txt", expected_version="other")


def test_confirm_reads_again_when_the_version_differs(world: World):
    version = world.put("a.txt", b"hello")
    content = world.store.hash("a.txt")
    assert world.store.confirm("a.txt", version=version, expected=content) == version
    assert world.store.confirm("a.txt", version="older", expected=content) == version
    world.bring("other", b"jello")
    with pytest.raises(StaleError):
        world.store.confirm("a.txt", version="older", expected=world.inbox.hash("other"))


def test_rename_moves_or_says_that_it_cannot(world: World):
    version = world.put("a.txt", b"hello")
    if not world.store.can_rename:
        with pytest.raises(RenameUnsupportedError):
            world.store.rename("a.txt", "b/c.txt", version=version)
        return
    with pytest.raises(StaleError):
        world.store.rename("a.txt", "b/c.txt", version="other")
    moved = world.store.rename("a.txt", "b/c.txt", version=version)
    assert world.store.rename("a.txt", "b/c.txt", version=version) == moved, "a repeat is free"
    assert world.store.stat("b/c.txt").version == moved
    assert world.keys() == ["b/c.txt"]
    world.put("taken.txt", b"other")
    with pytest.raises(ExistsError):
        world.store.rename("b/c.txt", "taken.txt", version=moved)
    with pytest.raises(MissingError):
        world.store.rename("nowhere", "taken.txt", version=moved)
    assert world.store.read_range("taken.txt", 0, 99) == b"other"
    assert world.store.read_range("b/c.txt", 0, 99) == b"hello"


@pytest.mark.parametrize("size_bytes", [3, BIG_BYTES])
def test_copying_within_one_store(world: World, size_bytes: int):
    data = os.urandom(size_bytes)
    version = world.put("a.bin", data)
    content = world.store.hash("a.bin")
    copied = world.store.receive(
        world.store,
        "a.bin",
        "b/a.bin",
        mark="job-7",
        expected=content,
        source_version=version,
        modified_ns=OLD_NS,
    )
    world.store.settle("job-7", "b/a.bin")
    assert world.store.stat("b/a.bin").modified_ns == OLD_NS
    assert world.store.stat("b/a.bin").version == copied
    assert world.store.hash("b/a.bin").sha256 == content.sha256
    world.store.delete("a.bin", version=version)
    assert world.keys() == ["b/a.bin"]


def test_names_compare_as_the_store_says(world: World):
    world.put("Photo.JPG", b"one", mark="n-1")
    world.put("caf\u00e9.txt", b"two", mark="n-2")
    world.bring("x", b"three")
    for key, is_same in [
        ("photo.jpg", world.store.folds_case),
        ("cafe\u0301.txt", world.store.normalizes_unicode),
    ]:
        if is_same:
            with pytest.raises(ExistsError):
                world.receive("x", key, mark="n-3")
        else:
            world.receive("x", key, mark="n-3")
            world.store.settle("n-3", key)
    assert world.store.read_range("Photo.JPG", 0, 9) == b"one"
    assert world.store.read_range("caf\u00e9.txt", 0, 9) == b"two"


@pytest.mark.scenario(5)
def test_changing_only_the_case_is_no_conflict_with_itself(world: World):
    version = world.put("a.txt", b"intact")
    if not world.store.can_rename:
        pytest.skip("this storage has no rename")
    world.store.rename("a.txt", "A.txt", version=version)
    assert world.keys() == ["A.txt"]
    assert world.store.read_range("A.txt", 0, 9) == b"intact"


NASTY = ["new\nline", "quo'te\"", "$(touch x)", ".leading", "-rf", "tab\there", "a\\b", "*?[2024]"]


@pytest.mark.scenario(7)
@pytest.mark.parametrize("name", NASTY)
def test_a_strange_name_touches_exactly_that_file(world: World, name: str):
    if "\n" in name and isinstance(world.store, S3Store):
        pytest.skip("moto's router answers 404 to a key with a newline")
    world.put("bystander", b"other", mark="by-1")
    version = world.put(name, b"data")
    assert sorted(world.keys()) == sorted(["bystander", name])
    world.store.delete(name, version=version)
    assert world.keys() == ["bystander"]


UNSAFE = ["", "/", "/etc/passwd", "..", "../x", "a/../../x", "a//b", "./a", "a/.", "a/", "a\0b"]


@pytest.mark.parametrize("key", UNSAFE)
def test_a_key_that_is_no_key_is_refused_everywhere(world: World, key: str):
    world.bring("x", b"x")
    store = world.store
    attempts: list[Callable[[], object]] = [
        lambda: store.stat(key),
        lambda: store.open(key),
        lambda: store.hash(key),
        lambda: store.delete(key, version="v"),
        lambda: store.rename(key, "b", version="v"),
        lambda: store.trash_key("job-1", key),
        lambda: world.receive("x", key),
    ]
    for attempt in attempts:
        with pytest.raises((UnsafePathError, RenameUnsupportedError)):
            attempt()


def test_our_own_folder_cannot_be_written_as_a_key(world: World):
    world.bring("x", b"x")
    for key in [f"{STAGING}/x", f"{RESERVED_PREFIX}/x", f"a/{RESERVED_PREFIX}/x"]:
        with pytest.raises(ForbiddenError):
            world.receive("x", key)


def test_abandoning_leaves_nothing(world: World):
    world.store.abandon("job-0")
    world.store.tidy()
    assert world.keys() == []
    assert world.store.identity() == world.store.identity()


@pytest.mark.scenario(17)
@pytest.mark.parametrize("size_bytes", [0, 5, 1 << 20, BIG_BYTES])
def test_a_stream_is_taken_in_and_hashed(world: World, size_bytes: int):
    data = os.urandom(size_bytes)
    with world.store.take_in("tenants/a/b", mark="in-0") as intake:
        for start in range(0, size_bytes, 300_000):
            intake.write(data[start : start + 300_000])
        with pytest.raises(MissingError):
            world.store.stat("tenants/a/b")
        taken = intake.publish()
    found = world.store.hash("tenants/a/b", expected_version=taken.version)
    assert (found.md5, found.sha256) == (taken.md5, taken.sha256)
    assert taken.sha256 == hashlib.sha256(data).hexdigest()
    assert taken.md5 == hashlib.md5(data, usedforsecurity=False).hexdigest()
    row = world.store.stat("tenants/a/b")
    assert (row.size_bytes, row.modified_ns) == (size_bytes, taken.modified_ns)
    world.store.delete("tenants/a/b", version=taken.version)


@pytest.mark.parametrize("size_bytes", [5, BIG_BYTES])
def test_a_stream_that_ends_early_leaves_nothing(world: World, size_bytes: int):
    with world.store.take_in("a/b", mark="in-0") as intake:
        intake.write(os.urandom(size_bytes))
    lost = world.store.take_in("a/c", mark="in-1")
    lost.write(os.urandom(size_bytes))
    world.store.abandon("in-1")  # what a crash would have left
    world.store.tidy()
    assert world.keys() == []
    assert list(world.store.list_pages(STAGING)) == []
    with pytest.raises((BusyError, BrokenError, MissingError, ExistsError)):
        intake.write(b"more")


def test_a_stream_overwrites_nobody(world: World):
    world.put("a/b", b"first")
    with world.store.take_in("a/b", mark="in-0") as intake:
        intake.write(b"second")
        with pytest.raises(ExistsError):
            intake.publish()
    with world.store.open("a/b") as stream:
        assert stream.read() == b"first"


def test_racing_for_one_key_has_one_winner(world: World):
    contents = {number: f"content {number}".encode() for number in range(6)}
    for number, data in contents.items():
        world.bring(f"in-{number}", data)
    won: list[int] = []
    lost: list[int] = []

    def run(number: int) -> None:
        try:
            world.receive(f"in-{number}", "one", mark=f"job-{number}")
            won.append(number)
        except ConflictError:
            lost.append(number)

    threads = [threading.Thread(target=run, args=(number,)) for number in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(won), len(lost)) == (1, 5)
    assert world.store.read_range("one", 0, 99) == contents[won[0]]


def test_what_was_written_is_read_again(world: World, monkeypatch: pytest.MonkeyPatch):
    """Scenario 13: a truncated copy is found, removed, and the source kept."""
    world.bring("a.txt", b"hello world")
    if isinstance(world.store, MemoryStore):
        pytest.skip("memory has nothing between writing and reading")
    if isinstance(world.store, S3Store):
        real = world.store.calls.call

        def call(operation: str, **arguments: object):
            if operation == "put_object" and str(arguments["Key"]).endswith("a.txt"):
                arguments["Body"] = b"hello"
                del arguments["ContentMD5"]
            return real(operation, **arguments)

        monkeypatch.setattr(world.store.calls, "call", call)
    else:
        syscalls = world.store._syscalls  # type: ignore[attr-defined]
        syscalls.write = lambda fd, data: os.write(fd, data[:5]) and len(data)
    with pytest.raises(CorruptError):
        world.receive("a.txt", "a.txt")
    assert world.keys() == []
    assert (world.inbox_path / "a.txt").read_bytes() == b"hello world"


def test_s3_keeps_the_headers_of_what_it_copies(
    s3_calls: S3Calls, s3_endpoint: str, s3_bucket: str
):
    calls = s3_calls
    calls.call(
        "put_object",
        Bucket=s3_bucket,
        Key="a.json",
        Body=b"{}",
        ContentType="application/json",
        Metadata={"owner": "me"},
    )
    with open_store(f"s3://{s3_bucket}", s3_endpoint_url=s3_endpoint) as store:
        row = store.stat("a.json")
        store.receive(
            store,
            "a.json",
            "b.json",
            mark="j-1",
            expected=store.hash("a.json"),
            source_version=row.version,
            modified_ns=row.modified_ns,
        )
    reply = calls.call("head_object", Bucket=s3_bucket, Key="b.json")
    assert reply["ContentType"] == "application/json"
    assert reply["Metadata"]["owner"] == "me"
