"""Delta tables of the warehouse: appended once for each run, whatever is killed or repeated."""

import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

import pyarrow as pa

from models.domain.errors import (
    BrokenError,
    BusyError,
    CorruptError,
    MissingError,
)
from models.domain.warehouse_rows import RunStatus
from warehouse.schemas.arrow import arrow_schema
from warehouse.schemas.tables import PARTITION, PUBLISHED_RUNS, TABLES, WarehouseTable
from warehouse.sources import TableFile
from warehouse.store.parts import Lake
from warehouse.store.writing import described, evolved, reader_of, writer_properties

FOLDER = "warehouse"
"""Where the tables live below the lake, unless the pointer says otherwise."""

POINTER = "warehouse.folder"
"""Blob below the lake that names the folder of a rebuilt warehouse: one write exchanges them."""

APPEND_ATTEMPTS = 8
"""How often an append meets a conflict before it is called busy: a conflict means that another
commit of the same run, or a creation, got in between, and one look at the table settles it."""

COMMIT_RETRIES = 50
"""Retries inside one commit when others commit first (Delta's own default is 15): two publishers
committed 20 of 20 on disk and on S3 (DESIGN D8)."""


Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Compaction:
    """What compacting a table did, in Parquet files."""

    files_before: int
    files_after: int
    files_removed: int


def present_folder(lake: Lake) -> str:
    """Return the folder of the lake's warehouse.

    Raises:
        CorruptError: the pointer names no such folder.
    """
    try:
        name = lake.read_blob(POINTER).decode()
    except MissingError:
        return FOLDER
    if not re.fullmatch(rf"{FOLDER}-[0-9a-f]+", name):
        raise CorruptError(f"{POINTER} of the lake names no warehouse: {name[:40]!r}")
    return name


class Warehouse:
    """The tables below `<lake>/warehouse/`.

    Rows are appended with an application transaction named after their run, so that a repeated
    append finds its own and changes nothing, and two appends of one run at once conflict instead
    of doubling it. What readers see is decided by `published_runs` alone.

    Attributes:
        lake: where the tables are.
        folder: below which folder of it; the present one unless given.
    """

    def __init__(self, lake: Lake, folder: str | None = None) -> None:
        self.lake = lake
        self.folder = folder or present_folder(lake)

    def uri(self, name: str) -> str:
        """Return the path or S3 URL of a table."""
        return self.lake.path(f"{self.folder}/{name}")

    def append_once(self, table: WarehouseTable, rows: pa.Table, *, run_id: str) -> int:
        """Append the rows of a run, unless they are there, and return how many were appended.

        Args:
            table: where to.
            rows: (n,) rows of `table.row`; of one run, and the same ones whenever it is repeated.
            run_id: the run; one append a table.

        Raises:
            BusyError: others commit without end.
            BrokenError: the rows do not fit the table.
        """
        return self.append_batches(table, lambda: [rows], rows=rows.num_rows, run_id=run_id)

    def append_batches(
        self,
        table: WarehouseTable,
        batches: Callable[[], Iterable[pa.Table]],
        *,
        rows: int,
        run_id: str,
    ) -> int:
        """Append as `append_once` does, with one batch at a time in memory.

        Args:
            table: where to.
            batches: gives the rows from the start, whenever it is called.
            rows: how many there are.
            run_id: the run; one append a table.

        Raises:
            BusyError, BrokenError: see `append_once`.
        """
        return self._settled(lambda: self._append_once(table, batches, rows, run_id))

    def rows_of(self, table: WarehouseTable, *, run_id: str) -> pa.Table:
        """Return the rows at rest of one run, published or not, (n,) in no order."""
        import pyarrow.compute as pc

        dataset = self.dataset(table)
        if dataset is None:
            return arrow_schema(table.row).empty_table()
        return dataset.to_table(filter=pc.field("run_id") == run_id)

    def dataset(self, table: WarehouseTable) -> Any | None:
        """Return the table's present version as a pyarrow dataset; None before its first row."""
        delta = self._open(table)
        if delta is None:
            return None
        return delta.to_pyarrow_dataset(
            filesystem=self.arrow_files(table),
            schema=arrow_schema(table.row),
        )

    def arrow_files(self, table: WarehouseTable) -> Any:
        """Return Arrow's file system, rooted at the table's folder."""
        return self.lake.arrow_files(f"{self.folder}/{table.name}")

    def files(self, table: WarehouseTable) -> list[TableFile]:
        """Return the Parquet files of the table's present version, by name."""
        from urllib.parse import unquote

        delta = self._open(table)
        if delta is None:
            return []
        actions = pa.table(delta.get_add_actions(flatten=True))
        names = ["path", "size_bytes", "min.run_id", "max.run_id"]
        month = f"partition.{PARTITION}"
        found = [
            TableFile(
                name=unquote(row["path"]),
                month=row.get(month),
                run_id=row["min.run_id"] if row["min.run_id"] == row["max.run_id"] else None,
                size_bytes=row["size_bytes"],
            )
            for row in actions.select(
                [name for name in (*names, month) if name in actions.column_names]
            ).to_pylist()
        ]
        return sorted(found, key=lambda file: file.name)

    def published(self) -> frozenset[str]:
        """Return the runs whose rows are seen."""
        dataset = self.dataset(PUBLISHED_RUNS)
        if dataset is None:
            return frozenset()
        rows = dataset.to_table(columns=["run_id", "status"]).to_pylist()
        return frozenset(row["run_id"] for row in rows if row["status"] == RunStatus.PUBLISHED)

    def seen(self, names: Iterable[str] | None = None) -> dict[str, Any]:
        """Return what readers see, each table as a pyarrow dataset or an empty table.

        The runs are read before the tables: whatever is published by then is there in full, and
        stays as it was however long the datasets are read.

        Args:
            names: which tables; all without.
        """
        import pyarrow.compute as pc

        published = sorted(self.published())
        found: dict[str, Any] = {}
        for table in TABLES:
            if names is not None and table.name not in set(names):
                continue
            dataset = self.dataset(table)
            if dataset is None:
                found[table.name] = arrow_schema(table.row).empty_table()
            elif table is PUBLISHED_RUNS:
                found[table.name] = dataset
            else:
                values = pa.array(published, pa.string())
                found[table.name] = dataset.filter(pc.field("run_id").isin(values))
        return found

    def seen_files(self) -> list[tuple[WarehouseTable, list[TableFile]]]:
        """Return each table with the files that hold rows of published runs, the runs first.

        The runs are read before the tables, as in `seen`. Rows of a file of several runs still
        have to be asked for theirs.
        """
        published = self.published()
        found = [(PUBLISHED_RUNS, self.files(PUBLISHED_RUNS))]
        for table in TABLES:
            if table is not PUBLISHED_RUNS:
                files = self.files(table)
                seen = [file for file in files if file.run_id is None or file.run_id in published]
                found.append((table, seen))
        return found

    def compact(self, table: WarehouseTable, *, keep_hours: int) -> Compaction | None:
        """Rewrite many small files of a table as few, and drop files that no reader needs.

        Its rows stay as they are. Readers that began before go on reading the old files for
        `keep_hours`; publishers may append meanwhile.

        Args:
            table: which; None comes back when it has no row yet.
            keep_hours: age at which files that are in no present version are removed.

        Raises:
            BusyError: others commit without end.
        """
        return self._settled(lambda: self._compact(table, keep_hours))

    def _compact(self, table: WarehouseTable, keep_hours: int) -> Compaction | None:
        delta = self._open(table)
        if delta is None:
            return None
        before = len(delta.file_uris())
        delta.optimize.compact(writer_properties=writer_properties(table))
        delta.create_checkpoint()
        removed = delta.vacuum(
            retention_hours=keep_hours, dry_run=False, enforce_retention_duration=False
        )
        return Compaction(
            files_before=before, files_after=len(delta.file_uris()), files_removed=len(removed)
        )

    def delete_runs(self, table: WarehouseTable, run_ids: Collection[str]) -> int:
        """Remove the rows of runs for good and return how many went; their markers stay.

        Raises:
            BusyError: others commit without end.
        """
        return self._settled(lambda: self._delete_runs(table, run_ids))

    def _delete_runs(self, table: WarehouseTable, run_ids: Collection[str]) -> int:
        delta = self._open(table)
        if delta is None or not run_ids:
            return 0
        listed = ", ".join(f"'{run_id.replace(chr(39), chr(39) * 2)}'" for run_id in run_ids)
        metrics = delta.delete(f"run_id IN ({listed})")
        return int(metrics.get("num_deleted_rows") or 0)

    def _append_once(
        self,
        table: WarehouseTable,
        batches: Callable[[], Iterable[pa.Table]],
        rows: int,
        run_id: str,
    ) -> int:
        from deltalake import CommitProperties, Transaction, write_deltalake

        delta = self._open(table) or self._create(table)
        if rows == 0 or delta.transaction_version(run_id) is not None:
            return 0
        # The same snapshot that was asked is written to: a commit of this run that came in
        # between is then a conflict (seen: of three at once, one wins and two are refused).
        schema = arrow_schema(table.row)
        known = {field.name for field in delta.schema().fields}
        is_as_known = known == set(schema.names)
        shape = schema if is_as_known else evolved(schema, known)
        with reader_of(batches, shape) as reader:
            write_deltalake(
                delta,
                reader,
                mode="append",
                schema_mode=None if is_as_known else "merge",
                writer_properties=writer_properties(table),
                commit_properties=CommitProperties(
                    app_transactions=[Transaction(run_id, 1)], max_commit_retries=COMMIT_RETRIES
                ),
            )
        return rows

    def _settled(self, attempt: Callable[[], Result]) -> Result:
        """Repeat an attempt while others commit first; each attempt looks afresh."""
        from deltalake.exceptions import CommitFailedError, DeltaError

        conflict: Exception | None = None
        for _ in range(APPEND_ATTEMPTS):
            try:
                return attempt()
            except CommitFailedError as error:
                conflict = error
            except (OSError, DeltaError, pa.ArrowException) as error:
                raise BrokenError(f"the warehouse cannot be written: {error}") from error
        raise BusyError(f"others keep writing to the warehouse: {conflict}") from conflict

    def _open(self, table: WarehouseTable) -> Any | None:
        from deltalake import DeltaTable
        from deltalake.exceptions import TableNotFoundError

        try:
            return DeltaTable(self.uri(table.name), storage_options=self._options())
        except TableNotFoundError:
            return None

    def _create(self, table: WarehouseTable) -> Any:
        """Create a table, or open the one that somebody created just now."""
        from deltalake import DeltaTable

        return DeltaTable.create(
            self.uri(table.name),
            schema=described(arrow_schema(table.row)),
            mode="ignore",
            partition_by=[PARTITION] if table.has_partitions else None,
            name=table.name,
            description=(table.row.__doc__ or "").strip(),
            storage_options=self._options(),
        )

    def _options(self) -> dict[str, str] | None:
        """Return what object storage must be told; credentials are AWS's usual ones."""
        if not self.lake.url.startswith("s3://"):
            return None
        options = {"AWS_CONDITIONAL_PUT": "etag"}
        if endpoint := self.lake.s3_endpoint_url:
            options["AWS_ENDPOINT_URL"] = endpoint
            options["AWS_ALLOW_HTTP"] = str(endpoint.startswith("http://")).lower()
        return options
