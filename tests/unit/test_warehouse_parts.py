"""The lake's parts: whole or not at all, checked when read, equal inputs give equal bytes."""

import itertools
import os
import tempfile
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.domain.errors import BrokenError, CorruptError, InvalidError, MissingError
from models.domain.manifest import ManifestRow
from warehouse.schemas.arrow import arrow_schema, to_rows, to_table
from warehouse.store.parts import ROW_GROUP_ROWS, open_lake

ROWS = [
    ManifestRow(key=f"in/{n:04}.txt", size_bytes=n, modified_ns=n * 10**9, version=f"v{n}")
    for n in range(100)
]
TABLE = to_table(ROWS, ManifestRow)
URI = "runs/job/manifest/part-00000.parquet"


def test_a_part_is_read_as_it_was_written(tmp_path):
    lake = open_lake(str(tmp_path / "lake"))
    ref = lake.write_part(TABLE, uri=URI, table_name="manifest")
    assert (ref.rows, ref.table, ref.uri) == (100, "manifest", URI)
    read = lake.read(ref)
    assert to_rows(read, ManifestRow) == ROWS
    assert read.schema.equals(arrow_schema(ManifestRow))
    assert read.schema.field("size_bytes").metadata == {b"doc": b"Size in bytes."}


def test_find_is_the_checkpoint_of_a_step(tmp_path):
    lake = open_lake(f"file://{tmp_path}/lake/")
    assert lake.find(URI) is None
    ref = lake.write_part(TABLE, uri=URI, table_name="manifest")
    assert lake.find(URI) == ref
    Path(lake.path(URI)).write_bytes(b"PAR1 torn")
    assert lake.find(URI) is None


@settings(deadline=None)  # the first example imports Parquet
@given(st.lists(st.integers(0, 100), max_size=6))
def test_bytes_do_not_depend_on_how_rows_are_chunked(cuts):
    edges = sorted({0, 100, *cuts})
    pieces = [TABLE.slice(start, end - start) for start, end in itertools.pairwise(edges)]
    chunked = pa.concat_tables(pieces).replace_schema_metadata({"pandas": "{}", "row": b"M"})
    whole = TABLE.replace_schema_metadata({"row": "M"})
    with tempfile.TemporaryDirectory() as folder:
        lake = open_lake(folder)
        refs = [lake.write_part(each, uri=URI, table_name="manifest") for each in (chunked, whole)]
        batches = lake.write_batches(pieces, whole.schema, uri=URI, table_name="manifest")
    assert refs[0] == refs[1] == batches


@pytest.mark.parametrize("rows", [0, 1, ROW_GROUP_ROWS, 2 * ROW_GROUP_ROWS + 7])
def test_batches_of_any_size_are_the_same_part_as_all_at_once(tmp_path, rows):
    numbers = pa.array(range(rows), pa.int64())
    table = pa.table({"n": numbers, "text": numbers.cast(pa.string())})
    lake = open_lake(str(tmp_path))
    whole = lake.write_part(table, uri=URI, table_name="numbers")
    writer = lake.part_writer(table.schema, uri="other.parquet", table_name="numbers")
    for first in range(0, rows, 50_000):
        writer.write(table.slice(first, 50_000))
    assert not Path(lake.path("other.parquet")).exists()
    batches = writer.finish()
    assert (batches.rows, batches.sha256) == (rows, whole.sha256)
    read = [*lake.read_batches(batches)]
    assert [each.num_rows for each in read[:-1]] == [ROW_GROUP_ROWS] * (len(read) - 1)
    assert pa.concat_tables(read).equals(table)
    assert lake.read(batches, columns=["text"]).equals(table.select(["text"]))


def test_changed_bytes_are_never_read(tmp_path):
    lake = open_lake(str(tmp_path))
    ref = lake.write_part(TABLE, uri=URI, table_name="manifest")
    path = Path(lake.path(URI))
    data = bytearray(path.read_bytes())
    data[20] ^= 1
    path.write_bytes(data)
    with pytest.raises(CorruptError, match="changed after it was written"):
        lake.read(ref)
    with pytest.raises(MissingError):
        lake.read(replace(ref, uri="runs/other/part.parquet"))


def test_several_parts_are_read_in_order(tmp_path):
    lake = open_lake(str(tmp_path))
    refs = [
        lake.write_part(part, uri=f"runs/j/s/part-{n}.parquet", table_name="manifest")
        for n, part in enumerate((TABLE.slice(0, 30), TABLE.slice(30)))
    ]
    assert to_rows(lake.read_many(refs), ManifestRow) == ROWS
    with pytest.raises(InvalidError):
        lake.read_many([])


def test_a_write_that_fails_leaves_the_old_part_and_no_debris(tmp_path, monkeypatch):
    lake = open_lake(str(tmp_path))
    lake.write_blob("runs/j/state.json", b"old")

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(BrokenError, match="No space left"):
        lake.write_blob("runs/j/state.json", b"new")
    assert lake.read_blob("runs/j/state.json") == b"old"
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["state.json"]


@pytest.mark.parametrize("uri", ["", "/etc/passwd", "../x", "a/../../x", ".temporary/x", "."])
def test_nothing_outside_the_lake_has_a_name(tmp_path, uri):
    lake = open_lake(str(tmp_path))
    for call in (lake.path, lake.find, lake.read_blob):
        with pytest.raises(InvalidError):
            call(uri)
    with pytest.raises(InvalidError):
        lake.write_blob(uri, b"")


@pytest.mark.parametrize("url", ["http://host/lake", "", "s3://", "file://"])
def test_a_lake_is_a_path_or_s3(url):
    with pytest.raises(InvalidError):
        open_lake(url)
