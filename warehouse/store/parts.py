"""The lake: immutable Parquet parts and blobs at rest, on disk or on S3, named by their inputs."""

import hashlib
import os
import uuid
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, Protocol, TypeVar
from urllib.parse import urlsplit

import pyarrow as pa

from models.domain.errors import (
    BrokenError,
    BusyError,
    CorruptError,
    ForbiddenError,
    InvalidError,
    MissingError,
)
from models.domain.table_refs import TableRef

ROW_GROUP_ROWS = 65_536
"""Rows of a row group; fixed, because it is part of the bytes. One batch (2,000 files) is one."""
ZSTD_LEVEL = 3
"""Zstandard's own default; higher levels cost more CPU than the bytes they save here."""
TEMPORARY_FOLDER = ".temporary"
"""Below a lake on disk: files being written. Never read, removed when the write ends."""

Value = TypeVar("Value")


class _Shelf(Protocol):
    """Bytes by name, whole or not at all."""

    def path(self, uri: str) -> str: ...
    def put(self, uri: str, data: bytes | memoryview) -> None: ...
    def get(self, uri: str) -> bytes: ...
    def names(self, uri: str) -> list[str]: ...


@contextmanager
def _translated(what: str) -> Generator[None]:
    """Give foreign errors their kind where they enter."""
    try:
        yield
    except FileNotFoundError as error:
        raise MissingError(f"{what}: not in the lake") from error
    except PermissionError as error:
        raise ForbiddenError(f"{what}: the lake does not let us in: {error}") from error
    except (TimeoutError, ConnectionError) as error:
        raise BusyError(f"{what}: the lake does not answer: {error}") from error
    except OSError as error:
        raise BrokenError(f"{what}: {error}") from error


def _fsync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _make_folders(folder: Path) -> None:
    """Create a folder and its parents, each on disk before what is below it."""
    if folder.is_dir():
        return
    _make_folders(folder.parent)
    folder.mkdir(exist_ok=True)
    _fsync_folder(folder.parent)


class _LocalShelf:
    """A folder: temporary file, fsync, rename, fsync of the folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, uri: str) -> str:
        return str(self.root / uri)

    def put(self, uri: str, data: bytes | memoryview) -> None:
        target = self.root / uri
        temporary = self.root / TEMPORARY_FOLDER / uuid.uuid4().hex
        with _translated(uri):
            _make_folders(target.parent)
            _make_folders(temporary.parent)
            try:
                with temporary.open("xb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                temporary.replace(target)
            finally:
                temporary.unlink(missing_ok=True)
            _fsync_folder(target.parent)

    def get(self, uri: str) -> bytes:
        with _translated(uri):
            return (self.root / uri).read_bytes()

    def names(self, uri: str) -> list[str]:
        with _translated(uri):
            return [path.name for path in (self.root / uri).iterdir()]


class _S3Shelf:
    """A bucket's prefix: one PUT is atomic, and equal names carry equal bytes."""

    def __init__(self, url: str, endpoint_url: str | None) -> None:
        import s3fs

        self.url = url
        self.files: Any = s3fs.S3FileSystem(
            endpoint_url=endpoint_url, use_listings_cache=False, skip_instance_cache=True
        )

    def path(self, uri: str) -> str:
        return f"{self.url}/{uri}"

    def put(self, uri: str, data: bytes | memoryview) -> None:
        self._call(uri, partial(self.files.pipe_file, self.path(uri), bytes(data)))

    def get(self, uri: str) -> bytes:
        return self._call(uri, partial(self.files.cat_file, self.path(uri)))

    def names(self, uri: str) -> list[str]:
        paths = self._call(uri, partial(self.files.ls, self.path(uri), detail=False))
        return [PurePosixPath(path).name for path in paths]

    def _call(self, uri: str, call: Callable[[], Value]) -> Value:
        from botocore.exceptions import BotoCoreError

        with _translated(uri):
            try:
                return call()
            except BotoCoreError as error:
                raise BusyError(f"{uri}: the lake does not answer: {error}") from error


def _checked(uri: str) -> str:
    """Return the uri, if it names something below the lake.

    Raises:
        InvalidError: it is empty, absolute or climbs.
    """
    parts = PurePosixPath(uri).parts
    if not parts or uri.startswith("/") or ".." in parts or parts[0] == TEMPORARY_FOLDER:
        raise InvalidError(f"{uri!r} is no path below the lake")
    return str(PurePosixPath(uri))


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

    def __init__(self, url: str, shelf: _Shelf, s3_endpoint_url: str | None) -> None:
        self.url = url
        self.s3_endpoint_url = s3_endpoint_url
        self._shelf = shelf

    def path(self, uri: str) -> str:
        """Return the absolute path or S3 URL of a uri below the lake.

        Raises:
            InvalidError: `uri` is empty, absolute or climbs.
        """
        return self._shelf.path(_checked(uri))

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
        uri = _checked(uri)
        encoder = _Encoder(schema, table_name)
        for batch in batches:
            encoder.write(batch)
        return self._put(uri, encoder, table_name)

    def part_writer(self, schema: pa.Schema, *, uri: str, table_name: str) -> "PartWriter":
        """Return a writer of one table, for who makes several tables at once; see above."""
        return PartWriter(self._put, _Encoder(schema, table_name), _checked(uri), table_name)

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
        data = self._shelf.get(_checked(ref.uri))
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

        uri = _checked(uri)
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
        self._shelf.put(_checked(uri), data)

    def read_blob(self, uri: str) -> bytes:
        """Return the bytes at `uri`.

        Raises:
            MissingError: there are none.
        """
        return self._shelf.get(_checked(uri))

    def names(self, uri: str) -> list[str]:
        """Return the names right below `uri`, sorted; [] when there is nothing.

        Raises:
            BusyError: the lake does not answer.
        """
        try:
            return sorted(self._shelf.names(_checked(uri)))
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
        return Lake(url, _S3Shelf(url, s3_endpoint_url), s3_endpoint_url)
    path = url.removeprefix("file://")
    if "://" in path or not path:
        raise InvalidError(f"a lake is a path or s3://bucket/prefix, not {url!r}")
    root = Path(path).expanduser().absolute()
    return Lake(str(root), _LocalShelf(root), None)
