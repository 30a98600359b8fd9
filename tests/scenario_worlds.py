"""A root on local disk, on an S3 server or in memory, scanned, planned, applied and undone."""

import itertools
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
from apply_world import OLD_NS, MemoryJournal, Steps, make_tree

from models.domain.categories import CategoryRow
from models.domain.fingerprint import Fingerprint
from models.domain.jobs import OrganizeOptions
from models.domain.operations import Operation, OperationState
from models.domain.plans import Action, ApprovedPlan, Move, Plan, PlanTotals
from models.domain.table_refs import TableRef
from models.domain.targets import Target
from storage.local import LocalStore
from storage.memory import MemoryStore
from storage.s3 import S3Store
from storage.s3_calls import Fetched, S3Calls
from storage.store import Store
from tasks.apply import finishing
from tasks.apply.core import Mover
from tasks.apply.planned import folder_rows, operations_from
from tasks.apply.undo import undo_operations
from tasks.dedupe.core import exact_groups
from tasks.plan.core import make_moves
from warehouse.schemas.arrow import to_rows, to_table

_NUMBERS = itertools.count()


class Root:
    """One storage root under test, written to by a user who overwrites."""

    def __init__(self, store: Store, folder: Path) -> None:
        self.store = store
        self.folder = folder / f"inbox-{next(_NUMBERS)}"

    @property
    def path(self) -> Path:
        assert isinstance(self.store, LocalStore)
        return Path(self.store.url.removeprefix("file://"))

    def write(self, tree: dict[str, str | bytes]) -> None:
        """Put files there, over what there is."""
        if isinstance(self.store, LocalStore):
            make_tree(self.path, tree)
            return
        for key, content in tree.items():
            data = content.encode() if isinstance(content, str) else content
            self.remove(key)
            self._receive(key, data)

    def _receive(self, key: str, data: bytes) -> None:
        number = next(_NUMBERS)
        path = self.folder / f"{number}"
        self.folder.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        os.utime(path, ns=(OLD_NS, OLD_NS))
        with LocalStore(self.folder, url=f"file://{self.folder}") as inbox:
            self.store.receive(
                inbox,
                f"{number}",
                key,
                mark=f"user-{number}",
                expected=inbox.hash(f"{number}"),
                source_version=inbox.stat(f"{number}").version,
                modified_ns=OLD_NS,
            )
        self.store.settle(f"user-{number}", key)

    def remove(self, key: str) -> None:
        """Remove a file if it is there."""
        if self.has(key):
            self.store.delete(key, version=self.store.stat(key).version)

    def has(self, key: str) -> bool:
        """Return whether a file has exactly this name."""
        return key in self.names()

    def names(self) -> list[str]:
        """Return all live keys."""
        return [row.key for page in self.store.list_pages() for row in page.rows]

    def read(self, key: str) -> bytes:
        """Return a file's bytes."""
        with self.store.open(key) as stream:
            return stream.read()

    def tree(self) -> dict[str, bytes]:
        """Return live files."""
        return {key: self.read(key) for key in self.names()}

    def trash(self) -> dict[str, bytes]:
        """Return trashed files by what they were called."""
        return {row.key.split("/", 3)[3]: self.read(row.key) for row in self.store.list_trash()}

    def hashes(self) -> Counter[bytes]:
        """Return the multiset of contents, live and trash."""
        return Counter([*self.tree().values(), *self.trash().values()])

    def scan(self) -> pa.Table:
        """Return the fingerprints of every file, as an index has them."""
        rows = [
            Fingerprint(
                key=row.key,
                size_bytes=row.size_bytes,
                modified_ns=row.modified_ns,
                version=row.version,
                device=row.device,
                inode=row.inode,
                link_count=row.link_count,
                sha256=self.store.hash(row.key).sha256,
            )
            for page in self.store.list_pages()
            for row in page.rows
        ]
        return to_table(rows, Fingerprint)


class Arena:
    """A source and a destination, perhaps one, and everything a job does to them."""

    def __init__(self, source: Root, target: Root) -> None:
        self.source = source
        self.target = target
        self.journal = MemoryJournal()
        self.jobs = itertools.count(1)

    @property
    def stores(self) -> list[Store]:
        by_url = {root.store.url: root.store for root in (self.source, self.target)}
        return list(by_url.values())

    def hashes(self) -> Counter[bytes]:
        """Return the multiset of contents over both roots."""
        roots = {root.store.url: root for root in (self.source, self.target)}
        return sum((root.hashes() for root in roots.values()), Counter())

    def plan(self, options: OrganizeOptions) -> list[Move]:
        """Scan both roots and return what shall happen."""
        scanned = self.source.scan()
        rows = to_rows(scanned, Fingerprint)
        categories = to_table([_category(row.key) for row in rows], CategoryRow)
        store = self.target.store
        target = Target(folds_case=store.folds_case, normalizes_unicode=store.normalizes_unicode)
        urls = {"source_url": self.source.store.url, "destination_url": store.url}
        groups = exact_groups(scanned, categories, options=options, target=target, **urls)
        is_one = urls["source_url"] == urls["destination_url"]
        existing = None if is_one else self.target.scan()
        moves = make_moves(
            scanned, categories, groups, existing, options=options, target=target, **urls
        )
        return to_rows(moves, Move)

    def plan_of_displacement(self, key: str, to: str) -> list[Move]:
        """Return a plan that moves a file to where another one gives way, to the trash."""
        row = next(each for each in to_rows(self.source.scan(), Fingerprint) if each.key == key)
        taken = next(each for each in to_rows(self.target.scan(), Fingerprint) if each.key == to)
        return [
            _move(0, Action.DISPLACE, taken, None, unit="u"),
            _move(1, Action.MOVE, row, to, unit="u"),
        ]

    def plan_of_renames(
        self, renames: dict[str, str], *, action: Action = Action.MOVE
    ) -> list[Move]:
        """Return a plan that moves some files somewhere, each alone, in the order of their keys."""
        rows = {row.key: row for row in to_rows(self.source.scan(), Fingerprint)}
        return [
            _move(seq, action, rows[key], to)
            for seq, (key, to) in enumerate(sorted(renames.items()))
        ]

    def duplicates_to_trash(
        self, key: str, *, keeper: str, seq: int = 0, unit: str | None = None
    ) -> list[Move]:
        """Return a plan that puts one file to the trash because of another."""
        rows = {row.key: row for row in to_rows(self.source.scan(), Fingerprint)}
        return [_move(seq, Action.TRASH, rows[key], None, keeper=keeper, unit=unit)]

    def begin(self, moves: Sequence[Move], options: OrganizeOptions | None = None) -> str:
        """Approve and journal a plan; return the job's id."""
        job_id = f"job-{next(self.jobs)}"
        table = TableRef(uri="", table="moves", rows=len(moves), sha256="")
        plan = Plan(
            id=f"plan-{job_id}",
            job_id=job_id,
            source_url=self.source.store.url,
            destination_url=self.target.store.url,
            options=options or OrganizeOptions(),
            totals=PlanTotals(**dict.fromkeys(PlanTotals.__dataclass_fields__, 0)),
            moves=table,
            plan_hash="",
            created_at=datetime.now(UTC),
        )
        approved = ApprovedPlan(plan=plan, approved_by="test", approved_at=datetime.now(UTC))
        operations = operations_from(approved, to_table(moves, Move))
        self.journal.begin(job_id, operations, folder_rows(self.stores, operations))
        return job_id

    def mover(self, job_id: str) -> Mover:
        """Return a worker with a lease of its own."""
        epoch = self.journal.new_epoch(job_id)
        return Mover(self.stores, self.journal, job_id=job_id, epoch=epoch)

    def work(self, job_id: str, undo_of: str | None = None) -> None:
        """Carry out what is open of a job, and deal with the folders."""
        self.mover(job_id).apply(self.journal.operations(job_id))
        if undo_of is None:
            finishing.pruned(self.stores, self.journal.operations(job_id))
        else:
            finishing.restored(self.stores, self.journal.folders(undo_of))

    def organize(self, **options: object) -> str:
        """Scan, plan, approve and apply; return the job's id."""
        chosen = OrganizeOptions(**options)  # pyright: ignore[reportArgumentType]
        job_id = self.begin(self.plan(chosen), chosen)
        self.work(job_id)
        return job_id

    def begin_undo(self, job_id: str) -> str:
        """Journal the undo of a job; return its id."""
        undo_id = f"undo-{next(self.jobs)}"
        done = self.journal.operations(job_id)
        self.journal.begin(undo_id, undo_operations(done, job_id=undo_id), [])
        return undo_id

    def undo(self, job_id: str) -> str:
        """Undo a job; return the undo's id."""
        undo_id = self.begin_undo(job_id)
        self.work(undo_id, undo_of=job_id)
        return undo_id

    def states(self, job_id: str) -> list[str]:
        """Return how each operation ended."""
        return [str(each.state) for each in self.journal.operations(job_id)]

    def operations(self, job_id: str, state: OperationState) -> list[Operation]:
        """Return the operations in one state."""
        return self.journal.operations(job_id, states=[state])


def _move(  # noqa: PLR0917 - reads as a sentence
    seq: int,
    action: Action,
    row: Fingerprint,
    to: str | None,
    keeper: str | None = None,
    unit: str | None = None,
) -> Move:
    return Move(
        seq=seq,
        unit_id=unit or f"u{seq}",
        action=action,
        source_key=row.key,
        destination_key=to,
        size_bytes=row.size_bytes,
        modified_ns=row.modified_ns,
        sha256=row.sha256,
        version=row.version,
        keeper_key=keeper,
        reason="test",
    )


def _category(key: str) -> CategoryRow:
    is_photo = key.lower().endswith((".jpg", ".cr3", ".heic"))
    return CategoryRow(
        key=key,
        category="Photos" if is_photo else "Work",
        subcategory=None,
        coarse_category="Others",
        confidence_ratio=1.0,
        reason="",
        decided_by="test",
    )


READING_CALLS = frozenset(
    {"head_object", "head_bucket", "list_objects_v2", "list_parts", "list_multipart_uploads"}
)


class CrashingCalls(S3Calls):
    """Requests to S3 of a worker that dies before a chosen write, or whose bytes are tampered.

    Requests that only read leave the same storage behind, so crashing before them is crashing
    before the next write.
    """

    def __init__(self, calls: S3Calls, steps: Steps | None = None) -> None:
        self.endpoint_url = calls.endpoint_url
        self._calls = calls
        self.steps = steps or Steps()
        self.tamper: Callable[[str, dict[str, object]], None] = lambda *_: None

    def call(self, operation: str, **arguments: object) -> Mapping[str, Any]:
        if self.steps.is_dead or operation not in READING_CALLS:
            self.steps.step(operation)
        self.tamper(operation, arguments)
        return self._calls.call(operation, **arguments)

    def fetch(self, *, start: int, length: int, **arguments: object) -> Fetched:
        if self.steps.is_dead:
            self.steps.step("get_object")
        return self._calls.fetch(start=start, length=length, **arguments)

    def close(self) -> None:
        """The client is another's."""


def with_calls(store: Store, calls: S3Calls) -> S3Store:
    """Return the same root of object storage, spoken to by another client."""
    assert isinstance(store, S3Store)
    prefix = store.url.split("/", 3)[3]
    return S3Store(store.bucket, prefix, url=store.url, calls=calls)


def memory_root(name: str, folder: Path, *, is_folding: bool) -> Root:
    """Return a fresh root in memory."""
    flags = "?fold_case=1&normalize=1" if is_folding else ""
    return Root(MemoryStore(f"memory://{name}-{next(_NUMBERS)}{flags}"), folder)


def local_root(name: str, folder: Path, kind: type[LocalStore] = LocalStore) -> Root:
    """Return a fresh folder."""
    path = make_tree(folder / f"{name}-{next(_NUMBERS)}", {})
    return Root(kind(path, url=f"file://{path}"), folder)


def s3_root(name: str, folder: Path, bucket: str, calls: S3Calls) -> Root:
    """Return a fresh prefix."""
    prefix = f"{name}-{next(_NUMBERS)}"
    return Root(S3Store(bucket, prefix, url=f"s3://{bucket}/{prefix}", calls=calls), folder)
