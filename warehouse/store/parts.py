"""The lake: immutable Parquet parts and blobs at rest, on disk or on S3, named by their inputs."""

import hashlib
from collections.abc import Callable, Generator, Iterable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa

from models.domain.errors import (
    CorruptError,
    InvalidError,
    MissingError,
)
from models.domain.table_refs import TableRef
from warehouse.store.shelves import LocalShelf, S3Shelf, Shelf, checked_uri

ROW_GROUP_ROWS = 65_536
"""Rows of a row group; fixed, because it is part of the bytes. One batch (2,000 files) is one."""
ZSTD_LEVEL = 3
"""Zstandard's own default; higher levels cost more CPU than the bytes they save here."""


class _Encoder:
    """Rows to Parquet, a row group at a time; equal rows in equal order give equal bytes.

    What is kept is compressed: a tenth to a fifth of the rows' size.
    """

    def __init__(self, schema: pa.Schema, table_name: str) -> None:
        import pyarrow.parquet as pq

        row = (schema.metadata or {}).get(b"row", b"")
        self._schema = schema.with_metadata({b"row": row, b"table": table_name.encode()})
        self._sink = pa.BufferOutputStream()
        self._writer = pq.ParquetWriter(
            self._sink,
            self._schema,
            compression="zstd",
            compression_level=ZSTD_LEVEL,
            version="2.6",
        )
        self._waiting: list[pa.Table] = []
        self._waiting_rows = 0
        self.rows = 0

    def write(self, table: pa.Table) -> None:
        """Take (n,) rows; what does not fill a row group waits for more."""
        self.rows += table.num_rows
        self._waiting.append(table.cast(self._schema).replace_schema_metadata(None))
        self._waiting_rows += table.num_rows
        if self._waiting_rows >= ROW_GROUP_ROWS:
            self._write_groups(self._waiting_rows // ROW_GROUP_ROWS * ROW_GROUP_ROWS)

    def _write_groups(self, rows: int) -> None:
        waiting = pa.concat_tables(self._waiting)
        for first in range(0, rows, ROW_GROUP_ROWS):
            group = waiting.slice(first, min(ROW_GROUP_ROWS, rows - first)).combine_chunks()
            self._writer.write_table(
                group.replace_schema_metadata(self._schema.metadata), ROW_GROUP_ROWS
            )
        self._waiting = [waiting.slice(rows)]
        self._waiting_rows -= rows

    def finish(self) -> memoryview:
        """Return the file."""
        if self._waiting_rows:
            self._write_groups(self._waiting_rows)
        elif not self.rows:  # a table without rows still has a row group, as pyarrow writes it
            self._writer.write_table(self._schema.empty_table(), ROW_GROUP_ROWS)
        self._writer.close()
        return memoryview(self._sink.getvalue())


class Lake:
    """Parts and blobs below one URL.

    A part's name derives from its inputs, so an existing part is the checkpoint of its step:
    `runs/<job_id>/<step>/part-<n>.parquet`.

    Attributes:
        url: absolute path, or `s3://bucket/prefix`; without a slash at its end.
        s3_endpoint_url: where S3 is, when it is not AWS.
    """

    def __init__(self, url: str, shelf: Shelf, s3_endpoint_url: str | None) -> None:
        self.url = url
        self.s3_endpoint_url = s3_endpoint_url
        self._shelf = shelf

    def path(self, uri: str) -> str:
        """Return the absolute path or S3 URL of a uri below the lake.

        Raises:
            InvalidError: `uri` is empty, absolute or climbs.
        """
        return self._shelf.path(checked_uri(uri))

    def write_part(self, table: pa.Table, *, uri: str, table_name: str) -> TableRef:
        """Write a table, whole or not at all, and return its reference.

        Repeating it with equal rows changes nothing; the order of rows is kept.

        Args:
            table: (n,) rows.
            uri: where, below the lake.
            table_name: name of the schema, kept in the file.

        Raises:
            InvalidError: `uri` is no path below the lake.
            BusyError: the lake does not answer.
            BrokenError: the lake cannot be written, for example for want of space.
        """
        return self.write_batches([table], table.schema, uri=uri, table_name=table_name)

    def write_batches(
        self, batches: Iterable[pa.Table], schema: pa.Schema, *, uri: str, table_name: str
    ) -> TableRef:
        """Write batches of rows as one table, as `write_part` would write all of them at once.

        One row group of rows is in memory at a time, and the compressed rest.

        Args:
            batches: rows of `schema`, in order.
            schema: columns, in order.
            uri: where, below the lake.
            table_name: name of the schema, kept in the file.

        Raises:
            InvalidError, BusyError, BrokenError: see `write_part`.
        """
        uri = checked_uri(uri)
        encoder = _Encoder(schema, table_name)
        for batch in batches:
            encoder.write(batch)
        return self._put(uri, encoder, table_name)

    def part_writer(self, schema: pa.Schema, *, uri: str, table_name: str) -> "PartWriter":
        """Return a writer of one table, for who makes several tables at once; see above."""
        return PartWriter(self._put, _Encoder(schema, table_name), checked_uri(uri), table_name)

    def _put(self, uri: str, encoder: _Encoder, table_name: str) -> TableRef:
        data = encoder.finish()
        self._shelf.put(uri, data)
        digest = hashlib.sha256(data).hexdigest()
        return TableRef(uri=uri, table=table_name, rows=encoder.rows, sha256=digest)

    def read(self, ref: TableRef, *, columns: Sequence[str] | None = None) -> pa.Table:
        """Return the table of a reference, (ref.rows,) rows in the order they were written.

        Args:
            ref: what to read.
            columns: only these, in this order; all unless given.

        Raises:
            MissingError: the part is gone.
            CorruptError: its bytes are not those that were written.
        """
        import pyarrow.parquet as pq

        wanted = None if columns is None else list(columns)
        return pq.read_table(pa.BufferReader(self._verified(ref)), columns=wanted)

    def read_batches(
        self, ref: TableRef, *, columns: Sequence[str] | None = None
    ) -> Generator[pa.Table]:
        """Yield the rows of a reference a row group at a time: `ROW_GROUP_ROWS`, the last fewer.

        Raises:
            MissingError, CorruptError: see `read`.
        """
        import pyarrow.parquet as pq

        wanted = None if columns is None else list(columns)
        file = pq.ParquetFile(pa.BufferReader(self._verified(ref)))
        for group in range(file.num_row_groups):
            yield file.read_row_group(group, columns=wanted)

    def _verified(self, ref: TableRef) -> bytes:
        data = self._shelf.get(checked_uri(ref.uri))
        if hashlib.sha256(data).hexdigest() != ref.sha256:
            raise CorruptError(f"{ref.uri}: the part was changed after it was written")
        return data

    def read_many(self, refs: Sequence[TableRef]) -> pa.Table:
        """Return the rows of several parts of one schema, one after the other.

        Raises:
            InvalidError: there is no reference, so that nobody can say which columns.
            MissingError: a part is gone.
            CorruptError: the bytes of a part are not those that were written.
        """
        if not refs:
            raise InvalidError("no part to read")
        return pa.concat_tables([self.read(ref) for ref in refs])

    def find(self, uri: str) -> TableRef | None:
        """Return the reference of a complete part, or None: the step has to (re)write it.

        Raises:
            InvalidError: `uri` is no path below the lake.
            BusyError: the lake does not answer.
        """
        import pyarrow.parquet as pq

        uri = checked_uri(uri)
        try:
            data = self._shelf.get(uri)
            footer = pq.read_metadata(pa.BufferReader(data))
        except (MissingError, pa.ArrowInvalid):
            return None
        name = (footer.metadata or {}).get(b"table", b"").decode()
        digest = hashlib.sha256(data).hexdigest()
        return TableRef(uri=uri, table=name, rows=footer.num_rows, sha256=digest)

    def arrow_files(self, uri: str) -> Any:
        """Return Arrow's own file system, rooted at a folder of the lake.

        Arrow reads ahead on threads of its own. Through a file system written in Python (as
        deltalake hands out by default) such a thread may ask for the interpreter while the process
        is leaving; Python ends the thread then, in the middle of C++, which aborts the process
        (seen in 2 of 80 readers of S3, after their work was done).

        Raises:
            InvalidError: `uri` is no path below the lake.
        """
        from pyarrow.fs import LocalFileSystem, S3FileSystem, SubTreeFileSystem

        path = self.path(uri)
        if not self.url.startswith("s3://"):
            return SubTreeFileSystem(path, LocalFileSystem())
        endpoint = urlsplit(self.s3_endpoint_url or "")
        files = S3FileSystem(
            endpoint_override=endpoint.netloc or None,
            scheme="http" if endpoint.scheme == "http" else "https",
        )
        return SubTreeFileSystem(path.removeprefix("s3://"), files)

    def write_blob(self, uri: str, data: bytes) -> None:
        """Write bytes, whole or not at all, in place of what was there.

        Raises:
            InvalidError: `uri` is no path below the lake.
            BusyError: the lake does not answer.
            BrokenError: the lake cannot be written.
        """
        self._shelf.put(checked_uri(uri), data)

    def read_blob(self, uri: str) -> bytes:
        """Return the bytes at `uri`.

        Raises:
            MissingError: there are none.
        """
        return self._shelf.get(checked_uri(uri))

    def names(self, uri: str) -> list[str]:
        """Return the names right below `uri`, sorted; [] when there is nothing.

        Raises:
            BusyError: the lake does not answer.
        """
        try:
            return sorted(self._shelf.names(checked_uri(uri)))
        except MissingError:
            return []


class PartWriter:
    """Writes one table in batches; nothing is in the lake before `finish`."""

    def __init__(
        self,
        put: Callable[[str, _Encoder, str], TableRef],
        encoder: _Encoder,
        uri: str,
        table_name: str,
    ) -> None:
        self._put = put
        self._encoder = encoder
        self._uri = uri
        self._table_name = table_name

    def write(self, batch: pa.Table) -> None:
        """Take (n,) more rows."""
        self._encoder.write(batch)

    @property
    def rows(self) -> int:
        """Rows taken so far."""
        return self._encoder.rows

    def finish(self) -> TableRef:
        """Write the table, whole or not at all, and return its reference; see `Lake.write_part`."""
        return self._put(self._uri, self._encoder, self._table_name)


def open_lake(url: str, *, s3_endpoint_url: str | None = None) -> Lake:
    """Return the lake at a path or `s3://bucket/prefix`; nothing is created until it is written.

    Args:
        url: absolute or relative path, `file://` URL or S3 URL.
        s3_endpoint_url: `Settings.s3_endpoint_url`; credentials are AWS's usual ones.

    Raises:
        InvalidError: another scheme, or no bucket.
    """
    if url.startswith("s3://"):
        if not url.removeprefix("s3://").strip("/"):
            raise InvalidError("a lake on S3 is s3://bucket/prefix")
        url = url.rstrip("/")
        return Lake(url, S3Shelf(url, s3_endpoint_url), s3_endpoint_url)
    path = url.removeprefix("file://")
    if "://" in path or not path:
        raise InvalidError(f"a lake is a path or s3://bucket/prefix, not {url!r}")
    root = Path(path).expanduser().absolute()
    return Lake(str(root), LocalShelf(root), None)
