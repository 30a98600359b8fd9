"""What S3 servers and networks do: crashes between requests, lost replies, silent overwriting."""

import itertools
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from models.domain.errors import (
    BusyError,
    CorruptError,
    ExistsError,
    FileOrganizerError,
    ForbiddenError,
    InvalidError,
    Kind,
    MissingError,
    StaleError,
)
from models.domain.organizing import RESERVED_PREFIX
from storage.local import LocalStore
from storage.opening import canonical_url, open_store
from storage.s3 import S3Store
from storage.s3_calls import Fetched, S3Calls, translated
from storage.store import Store

pytestmark = pytest.mark.service

SMALL = b"precious" * 100
BIG = os.urandom(100_000)
HUGE = os.urandom(9 << 20)


class CrashError(BaseException):
    """The process is gone."""


class Door(S3Calls):
    """Requests of one client; does something before or after the n-th."""

    def __init__(self, calls: S3Calls) -> None:
        self._files = calls._files
        self.endpoint_url = calls.endpoint_url
        self.names: list[str] = []
        self.before: Callable[[int, str], None] = lambda number, name: None
        self.after: Callable[[int, str], None] = lambda number, name: None

    def _around(self, name: str, send: Callable[[], Any]) -> Any:
        number = len(self.names)
        self.names.append(name)
        self.before(number, name)
        try:
            return send()
        finally:
            self.after(number, name)

    def call(self, operation: str, **arguments: Any) -> Mapping[str, Any]:
        return self._around(operation, lambda: S3Calls.call(self, operation, **arguments))

    def fetch(self, **arguments: Any) -> Fetched:
        return self._around("fetch", lambda: S3Calls.fetch(self, **arguments))


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[LocalStore]:
    (tmp_path / "small").write_bytes(SMALL)
    (tmp_path / "big").write_bytes(BIG)
    (tmp_path / "huge").write_bytes(HUGE)
    with LocalStore(tmp_path, url=canonical_url(str(tmp_path))) as store:
        yield store


def store_of(calls: S3Calls, bucket: str) -> S3Store:
    """A store that takes everything over 10 kB for large."""
    return S3Store(bucket, "", url=f"s3://{bucket}", calls=calls, small_bytes=10_000)


def receive(store: Store, source: Store, name: str, key: str, mark: str = "job-1") -> str:
    row = source.stat(name)
    return store.receive(
        source,
        name,
        key,
        mark=mark,
        expected=source.hash(name),
        source_version=row.version,
        modified_ns=row.modified_ns,
    )


def objects(calls: S3Calls, bucket: str) -> dict[str, bytes]:
    reply = calls.call("list_objects_v2", Bucket=bucket)
    found = {}
    for entry in reply.get("Contents", ()):
        if entry["Size"]:
            part = calls.fetch(Bucket=bucket, Key=entry["Key"], start=0, length=1 << 30)
            found[entry["Key"]] = part.data
        else:
            found[entry["Key"]] = b""
    return found


def uploads(calls: S3Calls, bucket: str) -> int:
    """How many are unfinished; those of a probe that crashed go when they are an hour old."""
    found = calls.call("list_multipart_uploads", Bucket=bucket).get("Uploads", ())
    return sum("/probe-" not in upload["Key"] for upload in found)


def wipe(calls: S3Calls, bucket: str) -> None:
    for entry in calls.call("list_objects_v2", Bucket=bucket).get("Contents", ()):
        calls.call("delete_object", Bucket=bucket, Key=entry["Key"])
    for upload in calls.call("list_multipart_uploads", Bucket=bucket).get("Uploads", ()):
        arguments = {"Key": upload["Key"], "UploadId": upload["UploadId"]}
        calls.call("abort_multipart_upload", Bucket=bucket, **arguments)


@pytest.mark.crash
@pytest.mark.parametrize("name", ["small", "big", "server-side"])
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_crash_at_every_request_is_repeated_to_one_copy(
    s3_calls: S3Calls, s3_bucket: str, inbox: LocalStore, name: str, moment: str
):
    for point in itertools.count():
        wipe(s3_calls, s3_bucket)
        plain = store_of(s3_calls, s3_bucket)
        source: Store = inbox
        file = name
        if name == "server-side":
            receive(plain, inbox, "big", "source", mark="setup-1")
            source, file = plain, "source"
        before = objects(s3_calls, s3_bucket)

        def crash(number: int, _: str, point: int = point) -> None:
            if number == point:
                raise CrashError

        door = Door(s3_calls)
        setattr(door, moment, crash)
        store = store_of(door, s3_bucket)
        try:
            receive(store, source, file, "out/a")
            break
        except CrashError:
            pass
        again = store_of(s3_calls, s3_bucket)
        version = receive(again, source, file, "out/a")
        again.settle("job-1", "out/a")
        assert again.stat("out/a").version == version
        after = objects(s3_calls, s3_bucket)
        after = {key: data for key, data in after.items() if "/probe-" not in key}
        assert after == before | {"out/a": SMALL if name == "small" else BIG}
        assert uploads(s3_calls, s3_bucket) == 0
    assert point > 6


@pytest.mark.crash
def test_a_crashed_upload_is_abandoned(s3_calls: S3Calls, s3_bucket: str, inbox: LocalStore):
    store_of(s3_calls, s3_bucket).supports_conditional_write()
    for point in itertools.count():
        wipe(s3_calls, s3_bucket)

        def crash(number: int, _: str, point: int = point) -> None:
            if number == point:
                raise CrashError

        door = Door(s3_calls)
        store = store_of(door, s3_bucket)
        store.supports_conditional_write()
        door.names.clear()
        door.after = crash
        try:
            receive(store, inbox, "big", "out/a")
            break
        except CrashError:
            pass
        store_of(s3_calls, s3_bucket).abandon("job-1")
        assert uploads(s3_calls, s3_bucket) == 0
        found = objects(s3_calls, s3_bucket)
        assert found in ({}, {"out/a": BIG}), "published or not, never half"


@pytest.mark.parametrize("name", ["small", "big"])
@pytest.mark.parametrize("lost", ["put_object", "complete_multipart_upload", "upload_part"])
def test_a_lost_reply_is_recognized(
    s3_calls: S3Calls, s3_bucket: str, inbox: LocalStore, name: str, lost: str
):
    """The server did it, but its reply did not arrive; the caller tries again."""
    door = Door(s3_calls)
    is_lost: list[bool] = []

    def lose(_: int, operation: str) -> None:
        if operation == lost and not is_lost:
            is_lost.append(True)
            raise BusyError("connection reset")

    store = store_of(door, s3_bucket)
    store.supports_conditional_write()
    door.after = lose
    for _ in range(2):
        try:
            version = receive(store, inbox, name, "a")
            break
        except BusyError:
            continue
    store.settle("job-1", "a")
    assert store.stat("a").version == version
    assert objects(s3_calls, s3_bucket) == {"a": SMALL if name == "small" else BIG}
    assert uploads(s3_calls, s3_bucket) == 0


@pytest.mark.parametrize("name", ["small", "big"])
def test_somebody_who_comes_in_between_is_not_overwritten(
    s3_calls: S3Calls, s3_bucket: str, inbox: LocalStore, name: str
):
    door = Door(s3_calls)
    store = store_of(door, s3_bucket)
    store.supports_conditional_write()

    def intrude(_: int, operation: str) -> None:
        last = "put_object" if name == "small" else "complete_multipart_upload"
        if operation == last:
            s3_calls.call("put_object", Bucket=s3_bucket, Key="a", Body=b"theirs")

    door.before = intrude
    with pytest.raises(ExistsError):
        receive(store, inbox, name, "a")
    assert objects(s3_calls, s3_bucket) == {"a": b"theirs"}
    assert uploads(s3_calls, s3_bucket) == 0


@pytest.mark.scenario(20)
def test_a_multipart_etag_is_never_taken_for_an_md5(
    s3_calls: S3Calls, s3_bucket: str, inbox: LocalStore
):
    store = store_of(s3_calls, s3_bucket)
    receive(store, inbox, "big", "a")
    row = store.stat("a")
    content = store.hash("a", expected_version=row.version)
    assert "-" in row.version
    assert content.md5 == inbox.hash("big").md5 != row.version


def test_a_source_replaced_during_a_server_side_copy_is_stale(
    s3_calls: S3Calls, s3_bucket: str, inbox: LocalStore
):
    door = Door(s3_calls)
    store = store_of(door, s3_bucket)
    receive(store, inbox, "big", "source", mark="setup-1")

    def replace(_: int, operation: str) -> None:
        if operation == "upload_part_copy":
            s3_calls.call("put_object", Bucket=s3_bucket, Key="source", Body=b"new")

    door.before = replace
    with pytest.raises((StaleError, CorruptError)):
        receive(store, store, "source", "copy")
    assert objects(s3_calls, s3_bucket) == {"source": b"new"}
    assert uploads(s3_calls, s3_bucket) == 0


def test_a_read_never_mixes_two_versions(s3_calls: S3Calls, s3_bucket: str, inbox: LocalStore):
    store = store_of(s3_calls, s3_bucket)
    receive(store, inbox, "huge", "a")
    with store.open("a") as stream:
        stream.read(100)
        s3_calls.call("put_object", Bucket=s3_bucket, Key="a", Body=HUGE[::-1])
        with pytest.raises(StaleError):
            stream.read()


def test_keys_that_are_no_paths_are_problems(s3_calls: S3Calls, s3_bucket: str):
    for key in ["a//b", "/a", "../x", "a/./b", "folder/", "ok", f"d/{RESERVED_PREFIX}/x"]:
        body = b"" if key == "folder/" else b"x"
        s3_calls.call("put_object", Bucket=s3_bucket, Key=key, Body=body)
    page = next(iter(store_of(s3_calls, s3_bucket).list_pages()))
    assert [row.key for row in page.rows] == ["ok"]
    assert {problem.key for problem in page.problems} <= {"a//b", "/a", "../x", "a/./b"}
    assert len(page.problems) >= 3


def test_a_missing_bucket_is_an_error_never_an_empty_listing(s3_calls: S3Calls):
    store = store_of(s3_calls, "no-such-bucket-here")
    with pytest.raises(MissingError):
        list(store.list_pages())
    with pytest.raises(MissingError):
        store.identity()


def test_one_store_serves_many_threads(s3_calls: S3Calls, s3_bucket: str, inbox: LocalStore):
    store = store_of(s3_calls, s3_bucket)
    failures: list[BaseException] = []

    def run(number: int) -> None:
        try:
            receive(store, inbox, "small", f"t/{number}", mark=f"job-{number}")
        except BaseException as error:  # noqa: BLE001 - reported below
            failures.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert len(list(store.list_pages(page_size=5))) == 4


@pytest.mark.usefixtures("_aws_environment")
def test_no_server_is_busy():
    store = open_store("s3://bucket", s3_endpoint_url="http://127.0.0.1:9")
    with store, pytest.raises(BusyError):
        store.stat("a")


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("NoSuchKey", 404, Kind.MISSING),
        ("404", 404, Kind.MISSING),
        ("AccessDenied", 403, Kind.FORBIDDEN),
        ("PreconditionFailed", 412, Kind.CONFLICT),
        ("ConditionalRequestConflict", 409, Kind.BUSY),
        ("SlowDown", 503, Kind.BUSY),
        ("", 500, Kind.BUSY),
        ("", 429, Kind.BUSY),
        ("InvalidRange", 416, Kind.INVALID),
        ("NotImplemented", 501, Kind.BROKEN),
        ("MalformedXML", 400, Kind.INVALID),
    ],
)
def test_what_s3_says_becomes_ours(code: str, status: int, kind: Kind):
    reply = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    error = translated(reply, "a/b")
    assert error.kind is kind
    assert "'a/b'" in str(error)


def test_keys_longer_than_s3_takes_are_invalid(s3_calls: S3Calls, s3_bucket: str):
    with pytest.raises(InvalidError):
        store_of(s3_calls, s3_bucket).stat("é" * 513)


def test_moto_refuses_to_overwrite(s3_calls: S3Calls, s3_bucket: str):
    assert store_of(s3_calls, s3_bucket).supports_conditional_write()
    assert objects(s3_calls, s3_bucket) == {}
    assert uploads(s3_calls, s3_bucket) == 0


def test_what_a_crashed_probe_left_goes_in_time(
    s3_calls: S3Calls, s3_bucket: str, monkeypatch: pytest.MonkeyPatch
):
    name = f"{RESERVED_PREFIX}/probe-1234"
    s3_calls.call("put_object", Bucket=s3_bucket, Key=name, Body=b"1")
    s3_calls.call("create_multipart_upload", Bucket=s3_bucket, Key=name)
    s3_calls.call("put_object", Bucket=s3_bucket, Key="mine", Body=b"1")
    store = store_of(s3_calls, s3_bucket)
    store.tidy()
    assert name in objects(s3_calls, s3_bucket), "another worker may be probing right now"
    monkeypatch.setattr("storage.s3_probe.LIFE_S", -10)
    store.tidy()
    assert list(objects(s3_calls, s3_bucket)) == ["mine"]
    assert not s3_calls.call("list_multipart_uploads", Bucket=s3_bucket).get("Uploads")


def test_a_server_that_overwrites_silently_is_only_read(
    overwriting_s3_endpoint: str, inbox: LocalStore
):
    calls = S3Calls(overwriting_s3_endpoint)
    calls.call("create_bucket", Bucket="bucket")
    for key, data in {"a.txt": SMALL, "d/b.bin": HUGE}.items():
        calls.call("put_object", Bucket="bucket", Key=key, Body=data)
    with store_of(calls, "bucket") as store:
        rows = [row for page in store.list_pages(page_size=1) for row in page.rows]
        assert [(row.key, row.size_bytes) for row in rows] == [
            ("a.txt", len(SMALL)),
            ("d/b.bin", len(HUGE)),
        ]
        assert store.hash("d/b.bin").sha256 == inbox.hash("huge").sha256
        assert store.hash("a.txt", expected_version=rows[0].version).sha256 == (
            inbox.hash("small").sha256
        )
        assert store.read_range("d/b.bin", 8_900_000, 50) == HUGE[8_900_000:][:50]
        assert not store.supports_conditional_write()
        with pytest.raises(ForbiddenError) as failure:
            receive(store, inbox, "small", "new.txt")
        assert "overwritten" in str(failure.value)
        keys = [row.key for page in store.list_pages() for row in page.rows]
        assert keys == ["a.txt", "d/b.bin"]
        receive(inbox, store, "d/b.bin", "downloaded", mark="job-2")
        assert inbox.hash("downloaded").sha256 == inbox.hash("huge").sha256


def test_a_wrong_signature_is_forbidden(
    overwriting_s3_endpoint: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with open_store("s3://bucket", s3_endpoint_url=overwriting_s3_endpoint) as store:
        with pytest.raises(FileOrganizerError) as failure:
            list(store.list_pages())
        assert failure.value.kind is Kind.FORBIDDEN
        assert "AWS_" in str(failure.value)
