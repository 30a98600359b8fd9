"""Every system call of every write on local disk: crash before and after it, then do it again."""

import errno
import itertools
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from models.domain.errors import ExistsError, MissingError
from storage.local import LocalStore
from storage.store import RenameUnsupportedError
from storage.syscalls import Syscalls

DATA = b"precious" * 1000
OLD_NS = 1_136_185_445_123_456_789
WRITES = (
    *("open_file", "write", "truncate", "set_facts", "fsync", "fsync_folder", "lock"),
    *("rename_new", "rename_case", "link", "unlink", "mkdir", "rmdir"),
)


class CrashError(BaseException):
    """The process is gone."""


class Crashing(Syscalls):
    """Crashes at the n-th writing call: before it at even points, after it at odd ones."""

    def __init__(self, point: int | None = None) -> None:
        self.point = point
        self.count = 0

    def _maybe(self) -> None:
        if self.count == self.point:
            self.count += 1
            raise CrashError
        self.count += 1

    def refuse(self, name: str) -> None:
        """Overridden where a disk lacks something."""


class NoRename(Crashing):
    """NFS: no exclusive rename, but links."""

    def refuse(self, name: str) -> None:
        if name == "rename_new":
            raise OSError(errno.EINVAL, "no such flag")


def _crashing(name: str) -> Callable[..., object]:
    real = getattr(Syscalls, name)

    def call(self: Crashing, *args: object, **kwargs: object) -> object:
        self._maybe()
        self.refuse(name)
        found = real(self, *args, **kwargs)
        self._maybe()
        return found

    return call


for _name in WRITES:
    setattr(Crashing, _name, _crashing(_name))


class OtherMount(Crashing):
    """`out/` is a mount of another device, as system calls see it."""

    device_differs = True

    def rename_new(self, name: str, new_name: str, *, dir_fd: int, new_dir_fd: int) -> None:
        if self._is_out(dir_fd) != self._is_out(new_dir_fd):
            raise OSError(errno.EXDEV, "other device")
        super().rename_new(name, new_name, dir_fd=dir_fd, new_dir_fd=new_dir_fd)

    def link(self, name: str, new_name: str, *, dir_fd: int, new_dir_fd: int) -> None:
        if self._is_out(dir_fd) != self._is_out(new_dir_fd):
            raise OSError(errno.EXDEV, "other device")
        super().link(name, new_name, dir_fd=dir_fd, new_dir_fd=new_dir_fd)

    def _is_out(self, fd: int) -> bool:
        return "/root/out" in str(Path(f"/proc/self/fd/{fd}").readlink())

    def fstat(self, fd: int) -> os.stat_result:
        return self._moved(super().fstat(fd), fd)

    def stat(self, name: str, *, dir_fd: int) -> os.stat_result:
        return self._moved(super().stat(name, dir_fd=dir_fd), dir_fd)

    def _moved(self, facts: os.stat_result, fd: int) -> os.stat_result:
        if not (self.device_differs and self._is_out(fd)):
            return facts
        return os.stat_result([*facts[:2], facts.st_dev + 1, *facts[3:]], _named(facts))


def _named(facts: os.stat_result) -> dict[str, object]:
    names = ("st_mtime_ns", "st_ctime_ns", "st_atime_ns")
    return {name: getattr(facts, name) for name in names}


class BindMount(OtherMount):
    """`out/` is a mount of the same device."""

    device_differs = False


DISKS = [Crashing, NoRename, OtherMount, BindMount]


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """A root in memory where there is such a disk: thousands of syncs cost nothing there."""
    shared = Path("/dev/shm")  # noqa: S108 - a private folder is made below it
    base = shared if os.access(shared, os.W_OK) else tmp_path
    with tempfile.TemporaryDirectory(dir=base) as folder:
        root = Path(folder) / "root"
        root.mkdir()
        yield root


def fresh(root: Path) -> None:
    """Put the tree back to how every attempt begins."""
    for path in sorted(root.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    (root / "in").mkdir()
    (root / "in" / "a").write_bytes(DATA)
    os.utime(root / "in" / "a", ns=(OLD_NS, OLD_NS))


def tree(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def receive(store: LocalStore, source: LocalStore) -> str:
    row = source.stat("in/a")
    return store.receive(
        source,
        "in/a",
        "out/deep/a",
        mark="job-1",
        expected=source.hash("in/a"),
        source_version=row.version,
        modified_ns=row.modified_ns,
    )


@pytest.mark.scenario(11)
@pytest.mark.parametrize("disk", DISKS)
@pytest.mark.parametrize("is_batch", [False, True])
def test_a_crashed_receive_is_repeated_to_one_copy(
    root: Path, disk: type[Crashing], is_batch: bool
):
    def attempt(point: int | None) -> bool:
        with LocalStore(root, url="file:///x", syscalls=disk(point)) as store:
            try:
                if is_batch:
                    with store.batch():
                        receive(store, store)
                else:
                    receive(store, store)
            except CrashError:
                return True
        return False

    count = 0
    for first in itertools.count():
        fresh(root)
        if not attempt(first):
            break
        for second in (None, first, first + 2, first // 2):
            if attempt(second):
                assert tree(root)["in/a"] == DATA
        count += 1
        with LocalStore(root, url="file:///x", syscalls=disk()) as store:
            version = receive(store, store)
            assert store.stat("out/deep/a").version == version
            assert store.stat("out/deep/a").modified_ns == OLD_NS
            store.settle("job-1", "out/deep/a")
            assert store.stat("out/deep/a").version == version
            assert tree(root) == {"in/a": DATA, "out/deep/a": DATA}
            store.tidy()
        assert not list(root.rglob(".fileorganizer"))
    assert count > 15


@pytest.mark.parametrize("disk", DISKS)
def test_a_crashed_receive_can_be_abandoned(root: Path, disk: type[Crashing]):
    for point in itertools.count():
        fresh(root)
        with LocalStore(root, url="file:///x", syscalls=disk(point)) as store:
            try:
                receive(store, store)
                break
            except CrashError:
                pass
        for again in (0, 1, 2, 3, None):
            with LocalStore(root, url="file:///x", syscalls=disk(again)) as store:
                try:
                    store.abandon("job-1")
                except CrashError:
                    continue
        with LocalStore(root, url="file:///x", syscalls=disk()) as store:
            store.abandon("job-1")
            store.tidy()
        found = tree(root)
        assert found.pop("out/deep/a", DATA) == DATA, "published or not, never half"
        assert found == {"in/a": DATA}


@pytest.mark.parametrize("disk", DISKS)
def test_a_stranger_at_the_destination_is_never_touched(root: Path, disk: type[Crashing]):
    for point in itertools.count():
        fresh(root)
        with LocalStore(root, url="file:///x", syscalls=disk(point)) as store:
            try:
                receive(store, store)
                break
            except CrashError:
                pass
        mine = root / "out" / "deep" / "a"
        if mine.exists():
            continue  # published before the crash: the name is not free for a stranger
        mine.parent.mkdir(parents=True, exist_ok=True)
        mine.write_bytes(DATA)  # even with our bytes it is somebody else's
        inode = mine.stat().st_ino
        with LocalStore(root, url="file:///x", syscalls=disk()) as store:
            with pytest.raises(ExistsError):
                receive(store, store)
            store.abandon("job-1")
        assert mine.stat().st_ino == inode
        assert tree(root) == {"in/a": DATA, "out/deep/a": DATA}


def test_an_edited_copy_is_not_claimed_nor_emptied(root: Path):
    """The user edits our published file before the journal knew of it."""
    fresh(root)
    with LocalStore(root, url="file:///x") as store:
        row = store.stat("in/a")
        content = store.hash("in/a")
        receive(store, store)
        (root / "out" / "deep" / "a").write_bytes(b"edited")
        with pytest.raises(ExistsError):
            store.receive(
                store,
                "in/a",
                "out/deep/a",
                mark="job-1",
                expected=content,
                source_version=row.version,
                modified_ns=row.modified_ns,
            )
    assert tree(root)["out/deep/a"] == b"edited"


@pytest.mark.parametrize("is_batch", [False, True])
def test_a_crashed_rename_is_repeated(root: Path, is_batch: bool):
    for point in itertools.count():
        fresh(root)
        with LocalStore(root, url="file:///x") as store:
            version = store.stat("in/a").version
        with LocalStore(root, url="file:///x", syscalls=Crashing(point)) as store:
            try:
                if is_batch:
                    with store.batch():
                        store.rename("in/a", "out/deep/a", version=version)
                else:
                    store.rename("in/a", "out/deep/a", version=version)
                break
            except CrashError:
                pass
        assert list(tree(root).values()) == [DATA]
        with LocalStore(root, url="file:///x") as store:
            moved = store.rename("in/a", "out/deep/a", version=version)
            assert store.stat("out/deep/a").version == moved
        assert tree(root) == {"out/deep/a": DATA}
    assert point > 6


def test_a_rename_claims_no_stranger(root: Path):
    fresh(root)
    with LocalStore(root, url="file:///x") as store:
        version = store.stat("in/a").version
        (root / "in" / "a").unlink()
        (root / "b").write_bytes(DATA)
        with pytest.raises(MissingError):
            store.rename("in/a", "b", version=version)


def test_a_crashed_delete_is_repeated(root: Path):
    for point in itertools.count():
        fresh(root)
        with LocalStore(root, url="file:///x", syscalls=Crashing(point)) as store:
            version = store.stat("in/a").version
            try:
                store.delete("in/a", version=version)
                break
            except CrashError:
                pass
        with LocalStore(root, url="file:///x") as store:
            try:
                store.delete("in/a", version=version)
            except MissingError:
                assert point > 0
        assert tree(root) == {}


def test_a_crashed_settle_is_repeated(root: Path):
    for point in itertools.count():
        fresh(root)
        with LocalStore(root, url="file:///x") as store:
            version = receive(store, store)
        with LocalStore(root, url="file:///x", syscalls=Crashing(point)) as store:
            try:
                store.settle("job-1", "out/deep/a")
                break
            except CrashError:
                pass
        with LocalStore(root, url="file:///x") as store:
            store.settle("job-1", "out/deep/a")
            assert store.stat("out/deep/a").version == version
        assert tree(root) == {"in/a": DATA, "out/deep/a": DATA}


def test_across_mounts_rename_says_so(root: Path):
    fresh(root)
    for disk in (OtherMount, BindMount, NoRename):
        with LocalStore(root, url="file:///x", syscalls=disk()) as store:
            version = store.stat("in/a").version
            with pytest.raises(RenameUnsupportedError):
                store.rename("in/a", "out/a", version=version)
        assert tree(root) == {"in/a": DATA}
