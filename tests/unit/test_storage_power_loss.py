"""Power loss: a model of a disk that forgets whatever was not synced, down to the single entry.

Harsher than a real file system: entries of different folders become durable independently, a file's
fsync does not keep its name, unsynced bytes come back torn, and unsynced facts old or new. Only a
rename is atomic, which ext4, XFS, btrfs and APFS all promise.
"""

import errno
import io
import os
import random
import stat
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

import pytest

from models.domain.errors import MissingError, StaleError
from models.domain.manifest import ContentHash
from storage.local import LocalStore
from storage.syscalls import Syscalls

ROOT = 2
SCHEDULES = 1000 if os.environ.get("FILEORGANIZER_LONG_TESTS") else 340
OLD_NS = 1_136_185_445_123_456_789


class PowerLossError(BaseException):
    """The lights went out."""


@dataclass
class Node:
    """One inode as it is, and as it would come back."""

    number: int
    is_folder: bool
    data: bytes = b""
    mode: int = 0o644
    modified_ns: int = OLD_NS
    changed_ns: int = OLD_NS
    entries: dict[str, int] = field(default_factory=dict)
    durable: "tuple[bytes, int, int, int] | None" = None

    @property
    def facts(self) -> tuple[bytes, int, int, int]:
        return self.data, self.mode, self.modified_ns, self.changed_ns


@dataclass(frozen=True)
class Change:
    """One atomic change of one or two folders."""

    edits: tuple[tuple[int, str, int | None], ...]

    @property
    def folders(self) -> set[int]:
        return {folder for folder, _, _ in self.edits}


class ModelDisk(Syscalls):
    """A kernel with one such disk; loses power before its n-th writing call."""

    def __init__(self) -> None:
        self.nodes: dict[int, Node] = {ROOT: Node(ROOT, is_folder=True, mode=0o755)}
        self.changes: list[Change] = []
        self.base: dict[int, dict[str, int]] = {ROOT: {}}
        self.required: set[int] = set()
        self.fds: dict[int, list[int]] = {}
        self.locked: dict[int, int] = {}
        self.clock = OLD_NS
        self.next = 10
        self.steps_left: int | None = None

    # What the tests do with it

    def settle_down(self) -> None:
        """Make all as it is now durable."""
        for node in self.nodes.values():
            node.durable = node.facts
        self.base = {n.number: dict(n.entries) for n in self.nodes.values() if n.is_folder}
        self.changes.clear()
        self.required.clear()

    def lose_power(self, rng: random.Random) -> None:
        """Come back with what was synced and a random part of what was not."""
        kept = self._closed(self.required)
        share = rng.random()
        for index in range(len(self.changes)):
            if index not in kept and rng.random() < share:
                kept = self._closed(kept | {index})
        entries = {number: dict(names) for number, names in self.base.items()}
        for index in sorted(kept):
            for folder, name, number in self.changes[index].edits:
                if number is None:
                    entries.setdefault(folder, {}).pop(name, None)
                else:
                    entries.setdefault(folder, {})[name] = number
        for node in self.nodes.values():
            node.entries = entries.get(node.number, {})
            if not node.is_folder:
                self._tear(node, rng)
        self.fds.clear()
        self.locked.clear()
        self.steps_left = None
        self.settle_down()

    def _closed(self, chosen: set[int]) -> set[int]:
        """Return the changes that must have come before, folder by folder, with the chosen."""
        closed: set[int] = set()
        touched: set[int] = set()
        for index in range(len(self.changes) - 1, -1, -1):
            if index in chosen or self.changes[index].folders & touched:
                closed.add(index)
                touched |= self.changes[index].folders
        return closed

    def _tear(self, node: Node, rng: random.Random) -> None:
        if node.durable == node.facts:
            return
        data, mode, modified_ns, changed_ns = node.durable or (b"", 0, 0, 0)
        if node.data != data:
            length = rng.randint(0, len(node.data))
            zeros = b"\0" * rng.choice([0, len(node.data) - length])
            node.data = rng.choice([data, node.data[:length] + zeros])
        if rng.random() < 0.5:
            node.mode, node.modified_ns, node.changed_ns = mode, modified_ns, changed_ns

    def tree(self) -> dict[str, bytes]:
        """All files that can be reached."""
        found: dict[str, bytes] = {}
        pending = [("", ROOT)]
        while pending:
            below, number = pending.pop()
            for name, child in self.nodes[number].entries.items():
                if self.nodes[child].is_folder:
                    pending.append((f"{below}{name}/", child))
                else:
                    found[below + name] = self.nodes[child].data
        return found

    # The kernel

    def _step(self) -> None:
        if self.steps_left is not None:
            if self.steps_left == 0:
                raise PowerLossError
            self.steps_left -= 1

    def _new_fd(self, number: int) -> int:
        self.next += 1
        self.fds[self.next] = [number, 0]
        return self.next

    def _node(self, fd: int) -> Node:
        return self.nodes[self.fds[fd][0]]

    def _entry(self, fd: int, name: str) -> Node:
        try:
            return self.nodes[self._node(fd).entries[name]]
        except KeyError:
            raise FileNotFoundError(errno.ENOENT, "No such file", name) from None

    def _change(self, *edits: tuple[int, str, int | None]) -> None:
        self.clock += 1_000_000
        for folder, name, number in edits:
            entries = self.nodes[folder].entries
            for touched in (number, entries.get(name)):
                if touched is not None:
                    self.nodes[touched].changed_ns = self.clock
            if number is None:
                del entries[name]
            else:
                entries[name] = number
        self.changes.append(Change(edits))

    def _make(self, fd: int, name: str, *, is_folder: bool, mode: int) -> Node:
        self.next += 1
        node = self.nodes[self.next] = Node(self.next, is_folder, mode=mode)
        node.modified_ns = self.clock
        self.base.setdefault(node.number, {})
        self._change((self.fds[fd][0], name, node.number))
        return node

    def _facts(self, node: Node) -> os.stat_result:
        links = sum(list(n.entries.values()).count(node.number) for n in self.nodes.values())
        kind = stat.S_IFDIR if node.is_folder else stat.S_IFREG
        basic = [kind | node.mode, node.number, 1, links, 0, 0, len(node.data), 0, 0, 0]
        times = {"st_mtime_ns": node.modified_ns, "st_ctime_ns": node.changed_ns}
        return os.stat_result(basic, times)

    def open_root(self, path: str) -> int:
        return self._new_fd(ROOT)

    def open_folder(self, root_fd: int, key: str) -> int:
        number = self.fds[root_fd][0]
        for part in key.split("/") if key else ():
            if part not in self.nodes[number].entries:
                raise FileNotFoundError(errno.ENOENT, "No such folder", key)
            number = self.nodes[number].entries[part]
            if not self.nodes[number].is_folder:
                raise NotADirectoryError(errno.ENOTDIR, "Not a folder", key)
        return self._new_fd(number)

    def open_file(self, name: str, flags: int, *, dir_fd: int, mode: int = 0o600) -> int:
        if name not in self._node(dir_fd).entries and flags & os.O_CREAT:
            self._step()
            return self._new_fd(self._make(dir_fd, name, is_folder=False, mode=mode).number)
        return self._new_fd(self._entry(dir_fd, name).number)

    def close(self, fd: int) -> None:
        found = self.fds.pop(fd, None)
        if found is not None and self.locked.get(found[0]) == fd:
            del self.locked[found[0]]

    def stat(self, name: str, *, dir_fd: int) -> os.stat_result:
        return self._facts(self._entry(dir_fd, name))

    def fstat(self, fd: int) -> os.stat_result:
        return self._facts(self._node(fd))

    def filesystem_id(self, fd: int) -> int:
        return 1

    def entries(self, fd: int) -> Generator[tuple[str, bool]]:
        for name, number in list(self._node(fd).entries.items()):
            yield name, self.nodes[number].is_folder

    def stream(self, fd: int) -> BinaryIO:
        found = io.BytesIO(self._node(fd).data)
        self.close(fd)
        return found

    def readinto(self, fd: int, buffer: memoryview, offset: int) -> int:
        part = self._node(fd).data[offset : offset + len(buffer)]
        buffer[: len(part)] = part
        return len(part)

    def write(self, fd: int, data: memoryview) -> int:
        self._step()
        part = bytes(data[:40])
        node, position = self._node(fd), self.fds[fd][1]
        node.data = node.data[:position] + part
        self.fds[fd][1] += len(part)
        self.clock += 1
        node.modified_ns = node.changed_ns = self.clock
        return len(part)

    def truncate(self, fd: int) -> None:
        self._step()
        self._node(fd).data = b""

    def lock(self, fd: int) -> None:
        if self.locked.setdefault(self.fds[fd][0], fd) != fd:
            raise BlockingIOError(errno.EAGAIN, "locked")

    def forget(self, fd: int) -> None:
        return

    def set_facts(self, fd: int, *, mode: int | None, modified_ns: int) -> None:
        self._step()
        node = self._node(fd)
        node.mode = node.mode if mode is None else mode
        node.modified_ns = modified_ns
        self.clock += 1
        node.changed_ns = self.clock

    def fsync(self, fd: int) -> None:
        self._step()
        self._node(fd).durable = self._node(fd).facts

    def fsync_folder(self, fd: int) -> None:
        self._step()
        folder = self.fds[fd][0]
        for index, change in enumerate(self.changes):
            if folder in change.folders:
                self.required.add(index)

    def rename_new(self, name: str, new_name: str, *, dir_fd: int, new_dir_fd: int) -> None:
        self._step()
        node = self._entry(dir_fd, name)
        if new_name in self._node(new_dir_fd).entries:
            raise FileExistsError(errno.EEXIST, "File exists", new_name)
        folder, new_folder = self.fds[dir_fd][0], self.fds[new_dir_fd][0]
        self._change((folder, name, None), (new_folder, new_name, node.number))

    def link(self, name: str, new_name: str, *, dir_fd: int, new_dir_fd: int) -> None:
        self._step()
        node = self._entry(dir_fd, name)
        if new_name in self._node(new_dir_fd).entries:
            raise FileExistsError(errno.EEXIST, "File exists", new_name)
        self._change((self.fds[new_dir_fd][0], new_name, node.number))

    def unlink(self, name: str, *, dir_fd: int) -> None:
        self._step()
        self._entry(dir_fd, name)
        self._change((self.fds[dir_fd][0], name, None))

    def mkdir(self, name: str, *, dir_fd: int) -> None:
        self._step()
        if name in self._node(dir_fd).entries:
            raise FileExistsError(errno.EEXIST, "File exists", name)
        self._make(dir_fd, name, is_folder=True, mode=0o755)

    def rmdir(self, name: str, *, dir_fd: int) -> None:
        self._step()
        if self._entry(dir_fd, name).entries:
            raise OSError(errno.ENOTEMPTY, "Directory not empty", name)
        self._change((self.fds[dir_fd][0], name, None))


class LinkOnlyDisk(ModelDisk):
    """The same without an exclusive rename, as NFS."""

    def rename_new(self, name: str, new_name: str, *, dir_fd: int, new_dir_fd: int) -> None:
        raise OSError(errno.EINVAL, "Invalid argument")


CONTENTS = {f"in/{number}": f"content of file {number} ".encode() * 5 for number in range(4)}


class Journal:
    """What Postgres would hold: durable at once."""

    def __init__(self, versions: dict[str, str]) -> None:
        self.versions = versions
        self.state = dict.fromkeys(versions, "planned")


def content_of(data: bytes) -> ContentHash:
    digest = sha256(data).hexdigest()
    return ContentHash(md5="", sha256=digest, size_bytes=len(data), version="")


def move_all(disk: ModelDisk, journal: Journal, *, is_renaming: bool) -> None:
    """Move everything as the mover does, from whatever the journal says."""
    with LocalStore(Path("/model"), url="file:///model", syscalls=disk) as store:
        if is_renaming:
            with store.batch():
                for key, version in journal.versions.items():
                    if journal.state[key] != "done":
                        rename(store, key, version)
            journal.state = dict.fromkeys(journal.state, "done")
            return
        for number, key in enumerate(journal.versions):
            copy_and_delete(store, journal, key, f"job-{number}")
        store.tidy()


def rename(store: LocalStore, key: str, version: str) -> None:
    try:
        store.rename(key, f"out/{key}", version=version)
    except StaleError:
        current = store.confirm(key, version=version, expected=content_of(CONTENTS[key]))
        store.rename(key, f"out/{key}", version=current)


def copy_and_delete(store: LocalStore, journal: Journal, key: str, mark: str) -> None:
    version, data = journal.versions[key], CONTENTS[key]
    if journal.state[key] == "planned":
        store.receive(
            store,
            key,
            f"out/{key}",
            mark=mark,
            expected=content_of(data),
            source_version=version,
            modified_ns=OLD_NS,
        )
        journal.state[key] = "copied"
    if journal.state[key] == "copied":
        try:
            current = store.confirm(key, version=version, expected=content_of(data))
            store.delete(key, version=current)
        except MissingError:
            pass
        journal.state[key] = "done"
    if journal.state[key] == "done":
        store.settle(mark, f"out/{key}")
        journal.state[key] = "settled"


def check(disk: ModelDisk, journal: Journal) -> None:
    """Nothing is lost, and what was reported is so."""
    tree = disk.tree()
    for key, data in CONTENTS.items():
        places = [place for place in (key, f"out/{key}") if tree.get(place) == data]
        assert places, f"{key} is lost"
        if journal.state[key] in {"copied", "done", "settled"}:
            assert tree.get(f"out/{key}") == data, f"{key} was reported"
        if journal.state[key] in {"done", "settled"}:
            assert key not in tree, f"{key} came back"
    assert tree["stranger"] == b"theirs"


def new_disk(kind: Callable[[], ModelDisk]) -> ModelDisk:
    disk = kind()
    root = disk.open_root("")
    disk.mkdir("in", dir_fd=root)
    folder = disk.open_folder(root, "in")
    for key, data in {**CONTENTS, "stranger": b"theirs"}.items():
        where = folder if "/" in key else root
        fd = disk.open_file(key.rpartition("/")[2], os.O_CREAT, dir_fd=where, mode=0o644)
        disk.nodes[disk.fds[fd][0]].data = data
        disk.nodes[disk.fds[fd][0]].modified_ns = OLD_NS
    disk.fds.clear()
    disk.settle_down()
    return disk


@pytest.mark.parametrize(
    ("kind", "is_renaming"),
    [(ModelDisk, True), (ModelDisk, False), (LinkOnlyDisk, False)],
    ids=["rename", "copy", "copy-by-link"],
)
def test_no_schedule_of_power_losses_loses_a_byte(kind: Callable[[], ModelDisk], is_renaming: bool):
    losses = 0
    for seed in range(SCHEDULES):
        rng = random.Random(seed)
        disk = new_disk(kind)
        with LocalStore(Path("/model"), url="file:///model", syscalls=disk) as store:
            journal = Journal({key: store.stat(key).version for key in CONTENTS})
        for _ in range(rng.randint(1, 3)):
            disk.steps_left = rng.randint(0, 14 if is_renaming else 110)
            try:
                move_all(disk, journal, is_renaming=is_renaming)
            except PowerLossError:
                losses += 1
            disk.lose_power(rng)
            check(disk, journal)
        move_all(disk, journal, is_renaming=is_renaming)
        disk.lose_power(rng)
        check(disk, journal)
        expected = {f"out/{key}": data for key, data in CONTENTS.items()}
        assert disk.tree() == {**expected, "stranger": b"theirs"}
    assert losses > SCHEDULES // 2, "most schedules must have lost power in the midst"


def test_the_model_forgets_what_was_not_synced():
    """The model itself can lose: without a sync, files do vanish."""

    class Forgetful(ModelDisk):
        def fsync_folder(self, fd: int) -> None:
            return

    lost = 0
    for seed in range(50):
        disk = new_disk(Forgetful)
        with LocalStore(Path("/model"), url="file:///model", syscalls=disk) as store:
            journal = Journal({key: store.stat(key).version for key in CONTENTS})
        move_all(disk, journal, is_renaming=False)
        disk.lose_power(random.Random(seed))
        try:
            check(disk, journal)
        except AssertionError:
            lost += 1
    assert lost > 10
