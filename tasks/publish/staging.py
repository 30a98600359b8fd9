"""What a job publishes, worked out once and frozen in the lake: both publishers start from it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import pyarrow as pa
from pydantic import TypeAdapter

from models.domain.errors import MissingError
from models.domain.fingerprint import index_profile
from models.domain.jobs import Job, JobKind
from models.domain.operations import Operation
from models.domain.table_refs import TableRef
from tasks.publish import history
from tasks.publish.ports import PublishLedger
from tasks.publish.roots import Change, Given, RootAfter, root_after
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
    """

    root_id: str
    rows: TableRef
    duplicates: TableRef
    index: TableRef
    gone: tuple[str, ...]
    is_complete: bool
    previous_root_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """All that a job publishes; roots that receive files come before those that lose them."""

    roots: tuple[StagedRoot, ...]
    run: StagedRun


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexRefs:
    """What indexing a root gave: its files, their categories, their groups.

    Attributes:
        near: near groups, where they were looked for; without, those there were go on.
    """

    fingerprints: TableRef
    categories: TableRef
    duplicates: TableRef
    near: TableRef | None = None


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
    given = _given(lake, job, root_id, refs)
    found = _work_out(lake, ledger, job, given, folder)
    lake.write_blob(f"{folder}/staged.json", TypeAdapter(Staged).dump_json(found))
    return found


def _given(lake: Lake, job: Job, root_id: str, refs: IndexRefs | None) -> Given | None:
    """Read what the root's indexing gave; of an undo, what its job was planned from."""
    if refs is None and job.target_job_id is not None:
        try:
            # The format of `tasks.lifecycle.remember_index`.
            document = lake.read_blob(f"runs/{job.target_job_id}/index.json")
        except MissingError:
            return None
        refs = TypeAdapter(IndexRefs).validate_json(document)
    if refs is None:
        return None
    return Given(
        root_id=root_id,
        fingerprints=lake.read(refs.fingerprints),
        categories=lake.read(refs.categories),
        duplicates=lake.read(refs.duplicates),
        near=None if refs.near is None else lake.read(refs.near),
    )


def _work_out(
    lake: Lake, ledger: PublishLedger, job: Job, given: Given | None, folder: str
) -> Staged:
    stamp = history.Stamp(run_id=job.id, recorded_at=datetime.now(UTC))
    roots = {job.source_url: job.source_root_id, job.destination_url: job.destination_root_id}
    journal: list[pa.Table] = [history.operation_rows(stamp, [])]
    where = follow(_operations(ledger, job.id, stamp, journal), roots)
    complete = _complete_root(lake, ledger, job, given)
    bases = _bases(lake, ledger, roots.values(), given, complete)
    change = Change(stamp=stamp, job=job, where=where, bases=bases, given=given, complete=complete)
    after = [
        root_after(lake, change, root_id)
        for root_id in _receivers_first(dict.fromkeys(roots.values()), where)
    ]
    states = {str(state): count for state, count in ledger.operation_counts(job.id).items()}
    facts = {
        "fact_operation": pa.concat_tables(journal),
        "fact_event": history.event_rows(stamp, ledger.events(job.id)),
    }
    tables = facts | _tables(stamp, job, after, states)
    expected = {f"operations in state {state}": count for state, count in states.items()}
    total, done = sum(states.values()), states.get("done", 0)
    expected |= {"operations of the job": total, "operations done, of the job": done}
    return Staged(
        roots=tuple(_write_root(lake, folder, job, root) for root in after),
        run=StagedRun(
            run_id=job.id,
            kind=job.kind,
            root_id=job.source_root_id,
            tables={
                name: lake.write_part(table, uri=f"{folder}/{name}.parquet", table_name=name)
                for name, table in tables.items()
                if table.num_rows
            },
            expected=expected,
        ),
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


def _complete_root(lake: Lake, ledger: PublishLedger, job: Job, given: Given | None) -> str | None:
    """Return the root of which everything is known, or None.

    That is the root that was indexed for this job, unless another job told of it since this one
    began: a plan may wait for days before it is approved, and what came meanwhile is not gone.
    """
    if given is None or job.kind is JobKind.UNDO:
        return None
    last = ledger.last_index(given.root_id)
    last_job_id = last.uri.split("/")[1] if last else job.id
    marker = None if last_job_id == job.id else settled(lake, last_job_id)
    if marker is None or job.started_at is None or marker.recorded_at < job.started_at:
        return given.root_id
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
    stamp: history.Stamp, job: Job, after: Sequence[RootAfter], states: Mapping[str, int]
) -> dict[str, pa.Table]:
    """Return the rows of the run that its roots tell, by table of the warehouse."""
    groups = {root.root_id: root.duplicates for root in after}
    members = [member for each in groups.values() for member in each]
    source = next(root.files for root in after if root.root_id == job.source_root_id)
    row = history.job_row(stamp, job, files=source, duplicates=members, states=states)
    return {
        "dim_file": pa.concat_tables([root.history.versions for root in after]),
        "fact_job": to_table([row], history.FactJob),
        "fact_duplicate": history.duplicate_rows(stamp, groups),
        "fact_category": pa.concat_tables([root.history.categories for root in after]),
    }


def _write_root(lake: Lake, folder: str, job: Job, root: RootAfter) -> StagedRoot:
    profile = index_profile(read_gps=job.options.read_gps)

    def write(table: pa.Table, name: str, kind: str) -> TableRef:
        uri = f"{folder}/{profile}/{name}-{root.root_id}.parquet"
        return lake.write_part(table, uri=uri, table_name=kind)

    return StagedRoot(
        root_id=root.root_id,
        rows=write(root.rows, "catalog", "catalog_rows"),
        duplicates=write(
            to_table(root.duplicates, history.DuplicateRow), "duplicates", "duplicates"
        ),
        index=write(root.index, "index", "fingerprints"),
        gone=tuple(root.gone),
        is_complete=root.is_complete,
        previous_root_id=root.previous_root_id,
    )
