"""What a job publishes, worked out once and frozen in the lake: both publishers start from it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pyarrow as pa
from pydantic import TypeAdapter

from models.domain.errors import MissingError
from models.domain.fingerprint import index_profile
from models.domain.jobs import Job, JobKind
from models.domain.operations import Operation
from models.domain.standing import Standing
from models.domain.table_refs import TableRef
from tasks.publish import history
from tasks.publish.batches import WrittenRoot, is_aligned, write_in_batches
from tasks.publish.history import RootHistory
from tasks.publish.ports import PublishLedger
from tasks.publish.roots import Change, Given, IndexRefs, RootAfter, root_after
from tasks.publish.standing import bytes_of, relisted, standing_of, still_standing
from tasks.publish.whereabouts import Whereabouts, follow
from warehouse.schemas.arrow import to_table
from warehouse.store.parts import Lake
from warehouse.store.publishing import StagedRun, settled

PAGE_OPERATIONS = 50_000
"""Operations read from the journal at once: about 50 MB of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StagedRoot:
    """What is published of one root.

    Attributes:
        rows: CatalogRow: all its files, or those that arrived.
        duplicates: DuplicateRow: all its groups.
        index: Fingerprint: its next index.
        gone: keys that went, when `rows` is not all there is.
        is_complete: whether `rows` is all there is.
        previous_root_id: root in which the catalog finds where files were.
        standing: what holds of it once all this is published; None when it cannot be told.
        is_unchanged: whether all of it was published before, by an earlier job.
    """

    root_id: str
    rows: TableRef
    duplicates: TableRef
    index: TableRef
    gone: tuple[str, ...]
    is_complete: bool
    previous_root_id: str
    standing: Standing | None = None
    is_unchanged: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """All that a job publishes; roots that receive files come before those that lose them."""

    roots: tuple[StagedRoot, ...]
    run: StagedRun


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """A root that is staged, with what the warehouse is told of it.

    Attributes:
        members: DuplicateRow: all its groups.
        history: what the warehouse is told of its files, unless that is written already.
        parts: what of it is written already, by table of the warehouse.
        files_count, files_bytes: all its files.
    """

    staged: StagedRoot
    members: pa.Table
    history: RootHistory
    files_count: int
    files_bytes: int
    parts: Mapping[str, TableRef] = field(default_factory=dict[str, TableRef])


def staged(
    lake: Lake, ledger: PublishLedger, job_id: str, root_id: str, refs: IndexRefs | None
) -> Staged:
    """Return what a job publishes; found in the lake when it was worked out before.

    Args:
        lake: where the parts are.
        ledger: the job and its journal.
        job_id: the job; all its operations are closed.
        root_id: the root that `refs` is of.
        refs: the root as it was indexed before the operations; an undo goes without, and what
            its job was planned from is taken.

    Raises:
        MissingError: there is no such job.
        BusyError: the lake or the ledger does not answer.
    """
    folder = f"runs/{job_id}/publish"
    try:
        return TypeAdapter(Staged).validate_json(lake.read_blob(f"{folder}/staged.json"))
    except MissingError:
        pass
    job = ledger.job(job_id)
    found = _work_out(lake, ledger, job, _refs(lake, job, refs), root_id)
    lake.write_blob(f"{folder}/staged.json", TypeAdapter(Staged).dump_json(found))
    return found


def _refs(lake: Lake, job: Job, refs: IndexRefs | None) -> IndexRefs | None:
    """Return what the root's indexing gave; of an undo, what its job was planned from."""
    if refs is not None or job.target_job_id is None:
        return refs
    try:
        # The format of `tasks.lifecycle.remember_index`.
        document = lake.read_blob(f"runs/{job.target_job_id}/index.json")
    except MissingError:
        return None
    return TypeAdapter(IndexRefs).validate_json(document)


def _work_out(
    lake: Lake, ledger: PublishLedger, job: Job, refs: IndexRefs | None, root_id: str
) -> Staged:
    stamp = history.Stamp(run_id=job.id, recorded_at=datetime.now(UTC))
    roots = {job.source_url: job.source_root_id, job.destination_url: job.destination_root_id}
    journal: list[pa.Table] = [history.operation_rows(stamp, [])]
    where = follow(_operations(ledger, job.id, stamp, journal), roots)
    standing = None
    if refs is not None and where.is_as_before and set(roots.values()) == {root_id}:
        profile = index_profile(read_gps=job.options.read_gps)
        standing = still_standing(lake, ledger, root_id, refs, profile=profile)
    if standing is None:
        told = _told(lake, ledger, (stamp, job, where), refs, root_id)
    else:
        told = [_as_before(lake, job, root_id, standing)]
    states = {str(state): count for state, count in ledger.operation_counts(job.id).items()}
    facts = {
        "fact_operation": pa.concat_tables(journal),
        "fact_event": history.event_rows(stamp, ledger.events(job.id)),
    }
    tables = facts | _tables(stamp, job, told, states)
    expected = {f"operations in state {state}": count for state, count in states.items()}
    total, done = sum(states.values()), states.get("done", 0)
    expected |= {"operations of the job": total, "operations done, of the job": done}
    return Staged(
        roots=tuple(root.staged for root in told),
        run=StagedRun(
            run_id=job.id,
            kind=job.kind,
            root_id=job.source_root_id,
            tables={
                name: lake.write_part(table, uri=f"{_folder(job)}/{name}.parquet", table_name=name)
                for name, table in tables.items()
                if table.num_rows
            }
            | {name: ref for root in told for name, ref in root.parts.items() if ref.rows},
            expected=expected,
        ),
    )


def _folder(job: Job) -> str:
    return f"runs/{job.id}/publish"


def _uri(job: Job, root_id: str, name: str) -> str:
    """Return where a part of a root is; the profile in it says who may carry its index over."""
    profile = index_profile(read_gps=job.options.read_gps)
    return f"{_folder(job)}/{profile}/{name}-{root_id}.parquet"


def _as_before(lake: Lake, job: Job, root_id: str, standing: Standing) -> _Told:
    """Return a root of which everything is published already: nothing is told but its groups.

    Groups are told by every run, because the newest run's are those that count.
    """
    return _Told(
        staged=StagedRoot(
            root_id=root_id,
            rows=standing.rows,
            duplicates=standing.members,
            index=standing.index,
            gone=(),
            is_complete=True,
            previous_root_id=root_id,
            standing=relisted(lake, job.id, root_id, standing),
            is_unchanged=True,
        ),
        members=lake.read(standing.members),
        history=history.no_history(),
        files_count=standing.rows.rows,
        files_bytes=standing.files_bytes,
    )


def _told(
    lake: Lake,
    ledger: PublishLedger,
    done: tuple[history.Stamp, Job, Whereabouts],
    refs: IndexRefs | None,
    root_id: str,
) -> list[_Told]:
    """Work out and write what is published of each root of a job."""
    stamp, job, where = done
    root_ids = dict.fromkeys([job.source_root_id, job.destination_root_id])
    complete = None if refs is None else _complete_root(lake, ledger, job, root_id)
    stands = refs if job.kind is not JobKind.UNDO and where.is_as_before else None
    is_quiet = stands is not None and [*root_ids] == [root_id] and complete == root_id
    in_batches = stands if stands is not None and is_quiet and is_aligned(lake, stands) else None
    given = None
    if refs is not None:
        given = Given.read(lake, root_id, refs, only_groups=in_batches is not None)
    change = Change(stamp=stamp, job=job, where=where, bases={}, given=given, complete=complete)
    if in_batches is not None:
        uris = {name: _uri(job, root_id, name) for name in ("rows", "members", "index")}
        uris |= {name: f"{_folder(job)}/{name}.parquet" for name in ("dim_file", "fact_category")}
        written = write_in_batches(lake, change, root_id, in_batches, uris)
        return [_told_in_batches(lake, job, root_id, in_batches, written)]
    change = replace(change, bases=_bases(lake, ledger, root_ids, given, complete))
    return [
        _write_root(lake, job, root_after(lake, change, each), stands)
        for each in _receivers_first(root_ids, where)
    ]


def _told_in_batches(
    lake: Lake, job: Job, root_id: str, refs: IndexRefs, written: WrittenRoot
) -> _Told:
    parts = written.parts
    return _Told(
        staged=StagedRoot(
            root_id=root_id,
            rows=parts["rows"],
            duplicates=parts["members"],
            index=parts["index"],
            gone=(),
            is_complete=True,
            previous_root_id=root_id,
            standing=None
            if written.unread_count
            else standing_of(
                lake, job.id, root_id, refs, published=parts, files_bytes=written.files_bytes
            ),
        ),
        members=written.members,
        history=history.no_history(),
        parts={name: parts[name] for name in ("dim_file", "fact_category")},
        files_count=refs.fingerprints.rows,
        files_bytes=written.files_bytes,
    )


def _operations(
    ledger: PublishLedger, job_id: str, stamp: history.Stamp, journal: list[pa.Table]
) -> Iterator[Operation]:
    """Yield the journal in order, page by page, and append each page's rows to `journal`."""
    after = -1
    while page := ledger.operations(job_id, after_seq=after, limit=PAGE_OPERATIONS):
        journal.append(history.operation_rows(stamp, page))
        yield from page
        after = page[-1].seq


def _complete_root(lake: Lake, ledger: PublishLedger, job: Job, root_id: str) -> str | None:
    """Return the root that was indexed for a job if everything of it is known, else None.

    That is so unless another job told of it since this one began: a plan may wait for days before
    it is approved, and what came meanwhile is not gone.
    """
    if job.kind is JobKind.UNDO:
        return None
    last_job_id = ledger.last_index_job(root_id)
    marker = None if last_job_id in {None, job.id} else settled(lake, str(last_job_id))
    if marker is None or job.started_at is None or marker.recorded_at < job.started_at:
        return root_id
    return None


def _bases(
    lake: Lake,
    ledger: PublishLedger,
    root_ids: Iterable[str],
    given: Given | None,
    complete: str | None,
) -> dict[str, tuple[pa.Table, str]]:
    """Return each root's files before the operations, and where they are kept."""
    bases: dict[str, tuple[pa.Table, str]] = {}
    for root_id in root_ids:
        if given is not None and root_id == complete:
            bases[root_id] = (given.fingerprints, "")
            continue
        last = ledger.last_index(root_id)
        if last is not None:
            bases[root_id] = (lake.read(last), last.uri)
    return bases


def _receivers_first(root_ids: Mapping[str, None], where: Whereabouts) -> list[str]:
    """Order roots so that a file is carried to where it went before its old root is swept."""
    receiving = {root for (root, _), arrival in where.arrivals.items() if arrival.origin[0] != root}
    return sorted(root_ids, key=lambda root: (root not in receiving, root))


def _tables(
    stamp: history.Stamp, job: Job, told: Sequence[_Told], states: Mapping[str, int]
) -> dict[str, pa.Table]:
    """Return the rows of the run that its roots tell, by table of the warehouse."""
    source = next(root for root in told if root.staged.root_id == job.source_root_id)
    duplicates = history.duplicate_rows(stamp, {root.staged.root_id: root.members for root in told})
    row = history.job_row(
        stamp,
        job,
        files=(source.files_count, source.files_bytes),
        duplicates=duplicates,
        states=states,
    )
    return {
        "dim_file": pa.concat_tables([root.history.versions for root in told]),
        "fact_job": to_table([row], history.FactJob),
        "fact_duplicate": duplicates,
        "fact_category": pa.concat_tables([root.history.categories for root in told]),
    }


def _write_root(lake: Lake, job: Job, root: RootAfter, stands: IndexRefs | None) -> _Told:
    """Write what is published of a root; `stands` is what indexing gave, where it still holds."""

    def write(table: pa.Table, name: str, kind: str) -> TableRef:
        return lake.write_part(table, uri=_uri(job, root.root_id, name), table_name=kind)

    unread_count = root.files.column("sha256").null_count
    files_bytes = bytes_of(root.files)
    parts = {
        "rows": write(root.rows, "rows", "catalog_rows"),
        "members": write(root.duplicates, "members", "duplicates"),
        "index": write(root.index, "index", "fingerprints"),
    }
    standing = None
    if stands is not None and root.is_complete and not unread_count:
        standing = standing_of(
            lake, job.id, root.root_id, stands, published=parts, files_bytes=files_bytes
        )
    return _Told(
        staged=StagedRoot(
            root_id=root.root_id,
            rows=parts["rows"],
            duplicates=parts["members"],
            index=parts["index"],
            gone=tuple(root.gone),
            is_complete=root.is_complete,
            previous_root_id=root.previous_root_id,
            standing=standing,
        ),
        members=root.duplicates,
        history=root.history,
        files_count=root.files.num_rows,
        files_bytes=files_bytes,
    )
