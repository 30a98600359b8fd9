"""What a disk can do to a store: odd files, full disks, growing files, folded names."""

import errno
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from models.domain.errors import (
    BrokenError,
    BusyError,
    ExistsError,
    FileOrganizerError,
    ForbiddenError,
    InvalidError,
    Kind,
    MissingError,
    StaleError,
    UnsafePathError,
)
from models.domain.manifest import ListingProblem
from models.domain.organizing import RESERVED_PREFIX
from storage.hashing import hash_stream
from storage.local import LocalStore
from storage.opening import canonical_url, local_path, open_store
from storage.store import FolderFacts, RenameUnsupportedError
from storage.syscalls import Syscalls

OLD_NS = 1_136_185_445_123_456_789


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    root.mkdir()
    return root


@pytest.fixture
def store(root: Path) -> Iterator[LocalStore]:
    with LocalStore(root, url=canonical_url(str(root))) as store:
        yield store


def receive(store: LocalStore, key: str = "a", to: str = "b", mark: str = "job-1") -> str:
    row = store.stat(key)
    return store.receive(
        store,
        key,
        to,
        mark=mark,
        expected=store.hash(key),
        source_version=row.version,
        modified_ns=row.modified_ns,
    )


def listed(store: LocalStore) -> tuple[list[str], list[ListingProblem]]:
    pages = list(store.list_pages())
    return [r.key for p in pages for r in p.rows], [q for p in pages for q in p.problems]


@pytest.mark.scenario(28)
def test_what_is_no_file_is_a_problem_and_links_are_never_followed(store: LocalStore, root: Path):
    (root / "d").mkdir()
    (root / "d" / "f").write_bytes(b"x")
    (root / "d" / "loop").symlink_to("..")
    (root / "link").symlink_to("/etc/passwd")
    (root / "dangling").symlink_to("nowhere")
    os.mkfifo(root / "pipe")
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(root / "socket"))
    bad = os.fsencode(root) + b"/caf\xe9"
    Path(os.fsdecode(bad)).write_bytes(b"x")
    (Path(os.fsdecode(bad + b"-folder"))).mkdir()
    (root / "d" / RESERVED_PREFIX).mkdir()
    (root / "d" / RESERVED_PREFIX / "hidden").write_bytes(b"x")
    keys, problems = listed(store)
    assert keys == ["d/f"]
    assert {problem.key for problem in problems} == {
        *("d/loop", "link", "dangling", "pipe", "socket"),
        *("caf\\xe9", "caf\\xe9-folder/"),
    }
    assert all(problem.reason for problem in problems)
    server.close()


class BindMounted(Syscalls):
    """The folder `again` is a bind mount of `d`."""

    def fstat(self, fd: int) -> os.stat_result:
        path = Path(f"/proc/self/fd/{fd}").readlink()
        return (path.with_name("d") if path.name == "again" else path).stat()


@pytest.mark.scenario(28)
def test_a_folder_met_twice_counts_once(root: Path):
    for name in ("d", "again"):
        (root / name).mkdir()
        (root / name / "f").write_bytes(b"x")
    with LocalStore(root, url="file:///x", syscalls=BindMounted()) as store:
        keys, problems = listed(store)
    assert keys == ["again/f"]
    assert [problem.key for problem in problems] == ["d/"]
    assert "same folder" in problems[0].reason


class Unreadable(Syscalls):
    """The folder `d` may not be opened (tests may run as root, who may everything)."""

    def open_folder(self, root_fd: int, key: str) -> int:
        if key == "d":
            raise PermissionError(errno.EACCES, "Permission denied")
        return super().open_folder(root_fd, key)


def test_an_unreadable_folder_is_a_problem_not_an_absence(root: Path):
    (root / "d").mkdir()
    (root / "e").write_bytes(b"x")
    with LocalStore(root, url="file:///x", syscalls=Unreadable()) as store:
        keys, problems = listed(store)
    assert keys == ["e"]
    assert [problem.key for problem in problems] == ["d/"]


def test_a_very_deep_tree_is_listed(store: LocalStore, root: Path):
    fd = os.open(root, os.O_RDONLY)
    for _ in range(1200):
        os.mkdir("d", dir_fd=fd)
        below = os.open("d", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = below
    os.close(os.open("f", os.O_CREAT | os.O_WRONLY, dir_fd=fd))
    os.close(fd)
    assert listed(store) == (["d/" * 1200 + "f"], [])
    assert store.hash("d/" * 1200 + "f").size_bytes == 0
    # Deeper than Python's recursion: whoever cleans up after the tests could not remove it.
    subprocess.run(["rm", "-rf", str(root / "d")], check=True)


@pytest.mark.scenario(25)
def test_a_vanished_root_is_an_error_never_an_empty_listing(store: LocalStore, root: Path):
    assert listed(store) == ([], [])
    identity = store.identity()
    root.rename(root.with_name("gone"))
    with pytest.raises(MissingError):
        listed(store)
    with pytest.raises(MissingError):
        store.identity()
    root.mkdir()
    assert store.identity() != identity, "something else lies there now"


class FullDisk(Syscalls):
    def __init__(self, room: int, number: int = errno.ENOSPC) -> None:
        self.room = room
        self.number = number

    def write(self, fd: int, data: memoryview) -> int:
        if self.room <= 0:
            raise OSError(self.number, os.strerror(self.number))
        count = super().write(fd, data[: self.room])
        self.room -= count
        return count


@pytest.mark.scenario(12)
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG])
def test_a_full_disk_keeps_the_source_and_no_partial_bytes(root: Path, number: int):
    (root / "a").write_bytes(b"x" * 10_000)
    with LocalStore(root, url="file:///x", syscalls=FullDisk(5_000, number)) as store:
        with pytest.raises(BrokenError) as failure:
            receive(store)
        assert "b" in str(failure.value)
        store.tidy()
    assert [path.name for path in root.rglob("*")] == ["a"]
    assert (root / "a").read_bytes() == b"x" * 10_000


class Growing(Syscalls):
    """Somebody appends to `a` whenever it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def open_file(self, name: str, flags: int, *, dir_fd: int, mode: int = 0o600) -> int:
        if name == "a":
            with self.path.open("ab") as file:
                file.write(b"more")
        return super().open_file(name, flags, dir_fd=dir_fd, mode=mode)


@pytest.mark.scenario(24)
def test_a_growing_file_is_stale(root: Path):
    (root / "a").write_bytes(b"x" * 10_000)
    with LocalStore(root, url="file:///x") as plain:
        row, content = plain.stat("a"), plain.hash("a")
    with LocalStore(root, url="file:///x", syscalls=Growing(root / "a")) as store:
        with pytest.raises(StaleError):
            store.receive(
                store,
                "a",
                "b",
                mark="job-1",
                expected=content,
                source_version=row.version,
                modified_ns=1,
            )
        store.tidy()
    assert [path.name for path in root.rglob("*")] == ["a"]


@pytest.mark.scenario(21)
def test_an_edit_of_equal_size_and_time_is_refused(store: LocalStore, root: Path):
    (root / "a").write_bytes(b"before")
    os.utime(root / "a", ns=(OLD_NS, OLD_NS))
    version, content = store.stat("a").version, store.hash("a")
    (root / "a").write_bytes(b"after!")
    os.utime(root / "a", ns=(OLD_NS, OLD_NS))
    with pytest.raises(StaleError):
        store.delete("a", version=version)
    with pytest.raises(StaleError):
        store.rename("a", "b", version=version)
    with pytest.raises(StaleError):
        store.confirm("a", version=version, expected=content)
    assert (root / "a").read_bytes() == b"after!"


@pytest.mark.scenario(19)
def test_a_hardlink_of_the_destination_stays(store: LocalStore, root: Path):
    (root / "a").write_bytes(b"x")
    (root / "b").hardlink_to(root / "a")
    row = store.stat("a")
    assert (row.link_count, row.inode) == (2, store.stat("b").inode)
    with pytest.raises(ExistsError):
        store.rename("a", "b", version=row.version)
    with pytest.raises(ExistsError):
        receive(store)
    assert listed(store)[0] == ["a", "b"]


def test_moving_one_hardlink_leaves_the_other_confirmable(store: LocalStore, root: Path):
    (root / "a").write_bytes(b"x")
    (root / "b").hardlink_to(root / "a")
    version, content = store.stat("b").version, store.hash("b")
    store.rename("a", "c", version=store.stat("a").version)
    current = store.confirm("b", version=version, expected=content)
    store.rename("b", "d", version=current)
    assert listed(store)[0] == ["c", "d"]


class Folding(Syscalls):
    """A disk that folds case: every name is looked for in lower case."""

    def stat(self, name: str, *, dir_fd: int) -> os.stat_result:
        return super().stat(name.lower(), dir_fd=dir_fd)


def test_folding_is_found_out_without_writing(root: Path):
    (root / "photo.jpg").write_bytes(b"")
    before = root.stat().st_mtime_ns
    with LocalStore(root, url="file:///x", syscalls=Folding()) as store:
        assert store.folds_case
        assert store.normalizes_unicode
    with LocalStore(root, url="file:///x") as store:
        assert not store.folds_case
    assert root.stat().st_mtime_ns == before


def test_two_workers_at_one_mark_do_not_mix(store: LocalStore, root: Path):
    (root / "a").write_bytes(b"x")
    staging = root / RESERVED_PREFIX / "tmp"
    staging.mkdir(parents=True)
    held = os.open(staging / "job-1", os.O_RDWR | os.O_CREAT)
    Syscalls().lock(held)
    with pytest.raises(BusyError):
        receive(store)
    os.close(held)
    receive(store)
    assert listed(store)[0] == ["a", "b"]


def test_a_file_where_a_folder_is_needed_is_a_conflict(store: LocalStore, root: Path):
    (root / "a").write_bytes(b"x")
    (root / "f").write_bytes(b"file")
    with pytest.raises(ExistsError):
        receive(store, to="f/b")
    with pytest.raises(ExistsError):
        store.rename("a", "f/deep/b", version=store.stat("a").version)
    (root / "folder").mkdir()
    with pytest.raises(ExistsError):
        receive(store, to="folder")
    assert listed(store)[0] == ["a", "f"]


def test_names_too_long_are_invalid(store: LocalStore, root: Path):
    (root / "a").write_bytes(b"x")
    with pytest.raises(InvalidError):
        receive(store, to="x" * 256)
    with pytest.raises(InvalidError):
        receive(store, to="x/" * 2500 + "x")


class Elsewhere(Syscalls):
    """A root on another disk, which its own `fstat` tells, or a file system mounted below it."""

    def __init__(self, *, tells: bool) -> None:
        self.tells = tells

    def fstat(self, fd: int) -> os.stat_result:
        facts = [*super().fstat(fd)]
        facts[2] += self.tells
        return os.stat_result(facts)

    def rename_new(self, name: str, new_name: str, *, dir_fd: int, new_dir_fd: int) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")


@pytest.fixture
def other(root: Path) -> Path:
    (root.parent / "other").mkdir()
    return root.parent / "other"


def test_a_file_goes_to_another_root_of_its_disk_by_one_rename(
    store: LocalStore, root: Path, other: Path
):
    (root / "a").write_bytes(b"x")
    inode, version = (root / "a").stat().st_ino, store.stat("a").version
    with LocalStore(other, url="file:///other") as target:
        assert target.can_adopt(store)
        with pytest.raises(StaleError):
            target.adopt(store, "a", "b/c", version="other")
        moved = target.adopt(store, "a", "b/c", version=version)
        assert target.adopt(store, "a", "b/c", version=version) == moved, "a repeat is free"
        assert (other / "b/c").stat().st_ino == inode
        assert not (root / "a").exists()
        (root / "a").write_bytes(b"newer")
        with pytest.raises(ExistsError):
            target.adopt(store, "a", "b/c", version=store.stat("a").version)
        assert (root / "a").read_bytes() == b"newer"
        assert store.adopt(target, "b/c", "back", version=moved) == store.stat("back").version
        with pytest.raises(MissingError):
            store.adopt(target, "b/c", "nowhere", version=moved)


@pytest.mark.parametrize("tells", [True, False])
def test_roots_on_two_disks_are_not_renamed_between(
    store: LocalStore, root: Path, other: Path, tells: bool
):
    (root / "a").write_bytes(b"x")
    with LocalStore(other, url="file:///other", syscalls=Elsewhere(tells=tells)) as target:
        assert target.can_adopt(store) is not tells
        with pytest.raises(RenameUnsupportedError):
            target.adopt(store, "a", "b", version=store.stat("a").version)
    assert (root / "a").read_bytes() == b"x"
    with LocalStore(root.parent / "gone", url="file:///gone") as target:
        assert not target.can_adopt(store)


class Neither(Syscalls):
    """A disk without exclusive rename and without links."""

    def rename_new(self, name: str, new_name: str, *, dir_fd: int, new_dir_fd: int) -> None:
        raise OSError(errno.EINVAL, "Invalid argument")

    def link(self, name: str, new_name: str, *, dir_fd: int, new_dir_fd: int) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")


def test_a_disk_that_could_overwrite_is_refused(root: Path):
    (root / "a").write_bytes(b"x")
    with LocalStore(root, url="file:///x", syscalls=Neither()) as store:
        with pytest.raises(ForbiddenError):
            receive(store)
        store.tidy()
    assert [path.name for path in root.rglob("*")] == ["a"]


class Counting(Syscalls):
    def __init__(self) -> None:
        self.syncs = 0
        self.opens = 0

    def fsync_folder(self, fd: int) -> None:
        self.syncs += 1
        super().fsync_folder(fd)

    def open_folder(self, root_fd: int, key: str) -> int:
        self.opens += 1
        return super().open_folder(root_fd, key)


def test_a_batch_syncs_each_folder_once_and_leaks_nothing(root: Path):
    for number in range(500):
        (root / str(number)).write_bytes(b"")
    calls = Counting()
    with LocalStore(root, url="file:///x", syscalls=calls) as store:
        versions = {row.key: row.version for page in store.list_pages() for row in page.rows}
        before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - counting descriptors
        calls.opens = 0
        with store.batch():
            for key, version in versions.items():
                store.rename(key, f"to/{key}", version=version)
            assert calls.syncs == 1, "the new folder, before anything moves into it"
        assert calls.syncs <= 4
        assert calls.opens <= 6
        with store.batch():
            for key in versions:
                store.rename(f"to/{key}", f"many/{key}/x", version=store.stat(f"to/{key}").version)
        assert len(os.listdir("/proc/self/fd")) <= before + 1  # noqa: PTH208 - the same
        assert len(listed(store)[0]) == 500


def test_folders_are_made_restored_and_pruned(store: LocalStore, root: Path):
    (root / "d" / "e").mkdir(parents=True)
    (root / "d").chmod(0o750)
    os.utime(root / "d", ns=(OLD_NS, OLD_NS))
    facts = store.folder_facts("d")
    assert facts == FolderFacts(mode=0o750, modified_ns=OLD_NS)
    assert not store.prune_folder("d")
    assert store.prune_folder("d/e")
    assert store.prune_folder("d")
    assert not store.prune_folder("d")
    assert store.folder_facts("d") is None
    store.restore_folder("d", facts)
    assert store.folder_facts("d") == facts
    with pytest.raises(UnsafePathError):
        store.prune_folder("")


def test_times_are_set(store: LocalStore, root: Path):
    (root / "a").write_bytes(b"x")
    version = store.set_times("a", OLD_NS)
    assert store.stat("a").modified_ns == OLD_NS
    assert store.stat("a").version == version


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.EACCES, Kind.FORBIDDEN),
        (errno.EROFS, Kind.FORBIDDEN),
        (errno.ESTALE, Kind.BUSY),
        (errno.EMFILE, Kind.BUSY),
        (errno.EIO, Kind.BROKEN),
        (errno.EXFULL, Kind.BROKEN),
    ],
)
def test_what_the_system_says_becomes_ours(root: Path, number: int, kind: Kind):
    class Failing(Syscalls):
        def stat(self, name: str, *, dir_fd: int) -> os.stat_result:
            raise OSError(number, os.strerror(number), name)

    with LocalStore(root, url="file:///x", syscalls=Failing()) as store:
        with pytest.raises(FileOrganizerError) as failure:
            store.stat("a")
        assert failure.value.kind is kind
        assert "'a'" in str(failure.value)


def test_hashing_hands_out_the_head(root: Path):
    data = os.urandom(3_000_000)
    (root / "a").write_bytes(data)
    heads: list[bytes] = []
    with (root / "a").open("rb") as stream:
        md5, sha256, size_bytes = hash_stream(stream, on_head=heads.append, head_bytes=2_000_000)
    assert heads == [data[:2_000_000]]
    with LocalStore(root, url="file:///x") as store:
        found = store.hash("a")
    assert (found.md5, found.sha256, found.size_bytes) == (md5, sha256, size_bytes)
    with (root / "a").open("rb") as stream:
        hash_stream(stream, on_head=heads.append, head_bytes=1 << 30)
    assert heads[1] == data


def test_urls_have_one_spelling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "My Photos %20 é\n?#"
    folder.mkdir()
    (tmp_path / "link").symlink_to(folder)
    url = canonical_url(str(folder))
    assert url == canonical_url(url) == canonical_url(f"{folder}/")
    assert url == canonical_url("link") == canonical_url("./link/../link/")
    assert local_path(url) == folder.resolve()
    assert open_store(url).url == url
    assert canonical_url("s3://bucket/a//".replace("//", "/").replace("s3:/", "s3://")) == (
        "s3://bucket/a"
    )
    assert canonical_url("S3://bucket") == "s3://bucket"
    assert canonical_url("memory://x?normalize=1&fold_case=1") == (
        "memory://x?fold_case=1&normalize=1"
    )
    assert canonical_url("memory://x/?fold_case=0") == "memory://x"


@pytest.mark.parametrize(
    "text",
    [
        *("", "http://host/x", "file://host/x", "file:x://y", "s3://", "s3://A_B", "s3://k:s@b/x"),
        *("s3://bucket/../x", "s3://bucket/a//b", "s3://bucket/a\nb", "filecache::s3://bucket/x"),
        *("memory://", "memory://x?other=1", "memory://../x", "a\0b", "gs://bucket", "ftp://x/y"),
    ],
)
def test_other_urls_are_refused(text: str):
    with pytest.raises(InvalidError):
        canonical_url(text)
