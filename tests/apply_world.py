"""What tests of applying share: trees, operations, a journal in memory, and crashes on demand."""

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

from models.domain.errors import ConflictError
from models.domain.operations import (
    OPEN,
    FolderRow,
    Operation,
    OperationState,
    Outcome,
)
from models.domain.organizing import RESERVED_PREFIX
from models.domain.plans import Action
from storage.local import LocalStore
from storage.store import Store
from storage.syscalls import Syscalls
from tasks.apply.core import Mover
from tasks.apply.folders import emptied_folders, prune, restore_folders
from tasks.apply.planned import folder_rows, trash_key

OLD_NS = 1_600_000_000_000_000_000
"""Modification time of made files: long ago, so that nothing looks freshly written."""


STAGING = f"{RESERVED_PREFIX}/tmp"  # noqa: S108 - below a root, not /tmp


class Crash(BaseException):
    """The worker is gone, here and now."""


class Steps:
    """Counts the steps of writing and crashes before a chosen one; what is dead stays dead."""

    def __init__(self, crash_before: int | None = None) -> None:
        self.count = 0
        self.crash_before = crash_before
        self.is_dead = False
        self.names: list[str] = []

    def step(self, name: str) -> None:
        if self.is_dead or self.count == self.crash_before:
            self.is_dead = True
            raise Crash(name)
        self.names.append(name)
        self.count += 1


WRITING_CALLS = (
    "write",
    "truncate",
    "set_facts",
    "fsync",
    "fsync_folder",
    "rename_new",
    "rename_case",
    "link",
    "unlink",
    "mkdir",
    "rmdir",
)


class CrashingSyscalls(Syscalls):
    """The operating system, until the worker dies; then it closes what the worker had open."""

    def __init__(self, steps: Steps) -> None:
        self.steps = steps
        self.open_fds: set[int] = set()

    def _opened(self, fd: int) -> int:
        self.open_fds.add(fd)
        return fd

    def open_root(self, path: str) -> int:
        return self._opened(super().open_root(path))

    def open_folder(self, root_fd: int, key: str) -> int:
        return self._opened(super().open_folder(root_fd, key))

    def open_file(self, name: str, flags: int, *, dir_fd: int, mode: int = 0o600) -> int:
        if flags & os.O_CREAT:
            self.steps.step("make_file")
        return self._opened(super().open_file(name, flags, dir_fd=dir_fd, mode=mode))

    def stream(self, fd: int) -> BinaryIO:
        self.open_fds.discard(fd)  # the stream owns it now
        return super().stream(fd)

    def close(self, fd: int) -> None:
        self.open_fds.discard(fd)
        super().close(fd)

    def die(self) -> None:
        """Close everything, as the kernel does; locks end with that."""
        for fd in sorted(self.open_fds):
            self.close(fd)


def _crashing(name: str) -> Callable[..., object]:
    real = getattr(Syscalls, name)

    def call(self: CrashingSyscalls, *args: object, **kwargs: object) -> object:
        self.steps.step(name)
        return real(self, *args, **kwargs)

    return call


for _name in WRITING_CALLS:
    setattr(CrashingSyscalls, _name, _crashing(_name))


FOLLOWS = {
    state: OPEN if state is not OperationState.PLANNED else frozenset({OperationState.PLANNED})
    for state in OperationState
}
"""For each state, those it may follow."""


class MemoryJournal:
    """A journal in memory: passes the same contract test as the one in Postgres."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[int, Operation]] = {}
        self.folder_rows: dict[str, list[FolderRow]] = {}
        self.epochs: dict[str, int] = {}
        self.steps = Steps()
        self.records = 0

    def new_epoch(self, job_id: str) -> int:
        self.epochs[job_id] = self.epochs.get(job_id, 0) + 1
        return self.epochs[job_id]

    def begin(
        self, job_id: str, operations: Sequence[Operation], folders: Sequence[FolderRow]
    ) -> None:
        self.steps.step("journal.begin")
        rows = {operation.seq: operation for operation in operations}
        if job_id in self.rows:
            if rows.keys() != self.rows[job_id].keys():
                raise ConflictError("the journal has other operations")
            return
        self.rows[job_id] = rows
        self.folder_rows[job_id] = list(folders)

    def operations(
        self,
        job_id: str,
        *,
        states: Sequence[OperationState] | None = None,
        after_seq: int = -1,
        limit: int | None = None,
    ) -> list[Operation]:
        found = [
            operation
            for seq, operation in sorted(self.rows.get(job_id, {}).items())
            if seq > after_seq and (states is None or operation.state in states)
        ]
        return found[:limit]

    def folders(self, job_id: str) -> list[FolderRow]:
        return self.folder_rows[job_id]

    def record(self, job_id: str, epoch: int, outcomes: Sequence[Outcome]) -> None:
        if outcomes:
            self.steps.step("journal.record")
        if epoch != self.epochs.get(job_id):
            raise ConflictError(f"epoch {epoch} is fenced off")
        self.records += bool(outcomes)
        rows = dict(self.rows.get(job_id, {}))
        for outcome in outcomes:
            row = rows.get(outcome.seq)
            if row is None or (row.state not in FOLLOWS[outcome.state]):
                if row is not None and row.state == outcome.state:
                    continue
                raise ConflictError(f"operation {outcome.seq} is there already")
            rows[outcome.seq] = replace(
                row,
                state=outcome.state,
                destination_version=outcome.destination_version or row.destination_version,
                receipt=outcome.receipt or row.receipt,
                error=outcome.error,
            )
        self.rows[job_id] = rows

    def operation_counts(self, job_id: str) -> dict[OperationState, int]:
        return dict(Counter(each.state for each in self.operations(job_id)))


class CopyingStore(LocalStore):
    """A disk that cannot rename, as object storage: forces copies within one root."""

    can_rename = False


def make_tree(root: Path, tree: dict[str, str | bytes]) -> Path:
    """Write files; folders get their times afterwards, so that they are old too."""
    root.mkdir(parents=True, exist_ok=True)
    for key, content in tree.items():
        path = root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        os.utime(path, ns=(OLD_NS + len(key), OLD_NS + len(key)))
    for folder, _, _ in os.walk(root, topdown=False):
        os.utime(folder, ns=(OLD_NS, OLD_NS))
    return root


def contents(root: Path) -> dict[str, bytes]:
    """Return every file below a root, the trash included."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def facts(root: Path) -> dict[str, tuple[int, int, bytes]]:
    """Return mode, modification time and bytes of everything below a root, and of the root."""
    return {
        path.relative_to(root).as_posix(): (
            path.stat().st_mode,
            path.stat().st_mtime_ns,
            path.read_bytes() if path.is_file() else b"",
        )
        for path in [root, *sorted(root.rglob("*"))]
    }


def hashes(*roots: Path) -> Counter[str]:
    """Return the multiset of content hashes of live files and trash, without staging."""
    return Counter(
        hashlib.sha256(content).hexdigest()
        for root in roots
        for key, content in contents(root).items()
        if not key.startswith(STAGING)
    )


def debris(*roots: Path) -> list[str]:
    """Return what is left of ours besides the trash."""
    return [
        str(path)
        for root in roots
        for path in root.rglob("*")
        if RESERVED_PREFIX in path.parts
        and f"{RESERVED_PREFIX}/trash" not in path.as_posix()
        and path.name != RESERVED_PREFIX
    ]


def operation(  # noqa: PLR0917 - reads as a sentence: what, from where, to where
    seq: int,
    action: str,
    source: Store,
    source_key: str,
    destination: Store,
    destination_key: str | None = None,
    *,
    job_id: str = "job",
    unit: str | None = None,
    keeper: str | None = None,
    receipt: dict[str, str] | None = None,
) -> Operation:
    """Plan one operation on a file as it is now."""
    row = source.stat(source_key)
    content = source.hash(source_key)
    if action == Action.TRASH or destination_key is None:
        destination, destination_key = source, trash_key(job_id, source_key)
    return Operation(
        job_id=job_id,
        seq=seq,
        unit_id=unit or f"u{seq}",
        action=action,
        source_url=source.url,
        source_key=source_key,
        destination_url=destination.url,
        destination_key=destination_key,
        size_bytes=row.size_bytes,
        modified_ns=row.modified_ns,
        sha256=content.sha256,
        version=row.version,
        keeper_key=keeper,
        receipt=receipt,
    )


@dataclass
class World:
    """Two roots and a journal; stores are opened anew by every worker."""

    source_root: Path
    destination_root: Path
    kind: type[LocalStore] = LocalStore
    journal: MemoryJournal = field(default_factory=MemoryJournal)
    planners: tuple[LocalStore, LocalStore] | tuple[()] = ()

    @classmethod
    def make(
        cls,
        folder: Path,
        source: dict[str, str | bytes],
        destination: dict[str, str | bytes] | None = None,
        *,
        kind: type[LocalStore] = LocalStore,
    ) -> "World":
        """Make both trees; without a second one the source is the destination too."""
        source_root = make_tree(folder / "source", source)
        if destination is None:
            return cls(source_root, source_root, kind)
        return cls(source_root, make_tree(folder / "destination", destination), kind)

    @property
    def roots(self) -> list[Path]:
        return sorted({self.source_root, self.destination_root})

    def open(self) -> tuple[LocalStore, LocalStore]:
        """Return the source's and the destination's store, for planning; closed by `close`."""
        if not self.planners:
            self.planners = self._open(Syscalls())
        return self.planners

    def _open(self, syscalls: Syscalls) -> tuple[LocalStore, LocalStore]:
        source = self.kind(self.source_root, url=f"file://{self.source_root}", syscalls=syscalls)
        if self.destination_root == self.source_root:
            return source, source
        url = f"file://{self.destination_root}"
        return source, self.kind(self.destination_root, url=url, syscalls=syscalls)

    def close(self) -> None:
        """Close what `open` opened."""
        for store in self.planners:
            store.close()
        self.planners = ()

    def begin(self, operations: Sequence[Operation], job_id: str = "job") -> None:
        """Journal what is going to be done."""
        self.journal.begin(job_id, operations, folder_rows(set(self.open()), operations))
        self.close()

    def work(
        self,
        job_id: str = "job",
        *,
        steps: Steps | None = None,
        restore_of: str | None = None,
        may_continue: Callable[[], bool] = lambda: True,
    ) -> Counter[str]:
        """One worker's life: apply what is open, then deal with the folders; may crash."""
        steps = steps or Steps()
        self.journal.steps = steps
        syscalls = CrashingSyscalls(steps)
        stores = {store.url: store for store in self._open(syscalls)}
        epoch = self.journal.new_epoch(job_id)
        mover = Mover(
            list(stores.values()),
            self.journal,
            job_id=job_id,
            epoch=epoch,
            may_continue=may_continue,
            clock=lambda: 0.0,
        )
        try:
            counts = mover.apply(self.journal.operations(job_id))
            if restore_of is None:
                prune(stores, emptied_folders(self.journal.operations(job_id)))
                for store in stores.values():
                    store.tidy()
            else:
                restore_folders(stores, self.journal.folders(restore_of))
        finally:
            for store in stores.values():
                store.close()
            syscalls.die()
        return counts

    def states(self, job_id: str = "job") -> list[str]:
        """Return the state of each operation, in order."""
        return [str(each.state) for each in self.journal.operations(job_id)]

    def is_finished(self, job_id: str = "job") -> bool:
        """Return whether nothing is open."""
        return not self.journal.operations(job_id, states=sorted(OPEN))
