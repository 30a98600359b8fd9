"""Archives in the parsing children: hostile ones cost a row, sound ones are read once."""

import hashlib
import os
import random
import zipfile

import archive_samples as samples
import pytest

from models.domain.archives import ArchiveContent, Listing, pack_listing, unpack_listing
from models.domain.errors import MissingError
from models.domain.fingerprint import Fingerprint, Problem
from models.domain.table_refs import TableRef
from models.settings import Settings
from storage.opening import canonical_url, open_store
from storage.s3 import S3Store
from tasks.dedupe.archives_task import compare_archives
from tasks.fingerprint import archive_libarchive
from tasks.fingerprint.archive_listings import (
    LakeListings,
    archive_contents,
    list_archives,
)
from tasks.fingerprint.archive_task import archive_limits, find_archives, list_archive_batch
from tasks.fingerprint.children import ParserPool
from tasks.fingerprint.signatures import sniff
from tasks.ledger.database import close_pools
from tasks.ledger.ledger import Ledger
from warehouse.schemas.arrow import to_rows, to_table
from warehouse.store.parts import open_lake

pytestmark = pytest.mark.service

CPU_S = 20


@pytest.fixture(scope="module")
def pool():
    settings = Settings(parser_memory_bytes=600_000_000, archive_cpu_s=CPU_S, work_threads=2)
    with ParserPool(archive_limits(settings)) as opened:
        yield opened


class Kept:
    """Listings in memory."""

    def __init__(self):
        self.payloads = {}

    def get(self, sha256):
        return self.payloads.get(sha256)

    def put(self, sha256, payload):
        self.payloads[sha256] = payload


def scanned(store):
    """Fingerprints as far as archives need them."""
    rows = []
    for page in store.list_pages():
        for row in page.rows:
            facts = {name: getattr(row, name) for name in row.__slots__}
            label = sniff(store.read_range(row.key, 0, 8192))
            found = store.hash(row.key)
            rows.append(Fingerprint(**facts, sha256=found.sha256, content_label=label or "unknown"))
    return to_table(sorted(rows, key=lambda row: row.key), Fingerprint)


def listed(store, pool, kept=None, cpu_s=CPU_S):
    """Listings by name of the archive."""
    contents = to_rows(archive_contents(scanned(store)), ArchiveContent)
    rows = list_archives(
        contents, source=store, parser=pool, kept=kept or Kept(), cpu_s=cpu_s, threads=2
    )
    return {
        content.key: unpack_listing(row.payload)
        for content, row in zip(contents, rows, strict=True)
    }


def test_hostile_archives_cost_a_row_each_and_no_batch(tmp_path, pool):
    hostile = {
        "bomb.tar.gz": samples.gzip_bomb(),
        "name bomb.tar.gz": samples.long_name_bomb(),
        "overlapping.zip": samples.overlapping(),
        "many.zip": samples.claims_many_members(),
        "empty.zip": samples.many_empty(),
        "up.zip": samples.zip_of({"../../etc/passwd": b"root"}),
        "cut.zip": samples.zip_of(samples.FILES)[:-40],
        "cut.tar": samples.tar_of(samples.FILES)[:3000],
        "cut.tar.xz": samples.tar_of(samples.FILES, "w:xz")[:200],
        "links.tar": samples.with_links(),
        "locked.zip": samples.marked_encrypted(),
        "locked.7z": samples.ENCRYPTED_HEADER,
        "sound.zip": samples.zip_of(samples.FILES),
    }
    for name, data in hostile.items():
        (tmp_path / name).write_bytes(data)
    deaths = pool.deaths
    with open_store(canonical_url(str(tmp_path))) as store:
        found = listed(store, pool)
    assert found.keys() == hostile.keys()
    assert pool.deaths == deaths
    for name in ("bomb.tar.gz", "name bomb.tar.gz", "many.zip"):
        assert found[name].problem.startswith(Problem.LIMITED), name
    for name in ("cut.zip", "cut.tar", "cut.tar.xz"):
        assert found[name].problem.startswith(Problem.CORRUPT), name
    assert len(found["empty.zip"].members) == 100_000
    assert {each.sha256 is None for each in found["overlapping.zip"].members} == {True}
    assert len(found["sound.zip"].members) == 3


def large(folder):
    """An archive too large to be handed over at once, and what is in it."""
    rng = random.Random(4)
    files = {f"{n:02}.bin": rng.randbytes(1_500_000) for n in range(6)}
    (folder / "large.zip").write_bytes(samples.zip_of(files, zipfile.ZIP_STORED))
    (folder / "large.tar").write_bytes(samples.tar_of(files))
    if archive_libarchive.is_available():
        data = samples.through_libarchive(files, "7zip", None, "compression=store")
        (folder / "large.7z").write_bytes(data)
    return {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}


def test_large_archives_are_read_by_ranges_and_kept_by_content(tmp_path, pool):
    expected, kept = large(tmp_path), Kept()
    with open_store(canonical_url(str(tmp_path))) as store:
        for listing in listed(store, pool, kept).values():
            assert listing.problem is None
            assert {each.path: each.sha256 for each in listing.members} == expected
        again = dict(kept.payloads)
        (tmp_path / "renamed.zip").write_bytes((tmp_path / "large.zip").read_bytes())
        (tmp_path / "large.zip").unlink()
        kept.payloads = {sha256: pack_listing(Listing(problem="kept")) for sha256 in again}
        assert {listing.problem for listing in listed(store, pool, kept).values()} == {"kept"}


def test_an_archive_in_a_bucket_is_read_by_ranges(tmp_path, pool, s3_bucket, s3_calls):
    expected = large(tmp_path)
    data = (tmp_path / "large.zip").read_bytes()
    s3_calls.call("put_object", Bucket=s3_bucket, Key="p/large.zip", Body=data)
    url = f"s3://{s3_bucket}/p"
    with S3Store(s3_bucket, "p", url=url, calls=s3_calls) as store:
        (listing,) = listed(store, pool).values()
    assert {each.path: each.sha256 for each in listing.members} == expected


def test_what_was_cut_short_is_tried_again_with_more_time_only(tmp_path, pool):
    (tmp_path / "a.zip").write_bytes(samples.zip_of(samples.FILES))
    with open_store(canonical_url(str(tmp_path))) as store:
        (content,) = to_rows(archive_contents(scanned(store)), ArchiveContent)
        kept = Kept()
        short = Listing(problem=Problem.LIMITED.because("time"), cpu_s=5)
        kept.put(content.sha256, pack_listing(short))
        assert listed(store, pool, kept, cpu_s=5)["a.zip"] == short
        assert listed(store, pool, kept, cpu_s=6)["a.zip"].problem is None


def test_what_goes_away_meanwhile_is_a_row(tmp_path, pool):
    (tmp_path / "a.zip").write_bytes(samples.zip_of(samples.FILES))
    kept = Kept()
    with open_store(canonical_url(str(tmp_path))) as store:
        contents = to_rows(archive_contents(scanned(store)), ArchiveContent)
        (tmp_path / "a.zip").unlink()
        (row,) = list_archives(
            contents, source=store, parser=pool, kept=kept, cpu_s=CPU_S, threads=1
        )
    assert unpack_listing(row.payload).problem.startswith(Problem.UNREADABLE)
    assert not kept.payloads


def test_the_steps_say_which_archives_are_unpacked(tmp_path, database_url, monkeypatch):
    monkeypatch.setenv("FILEORGANIZER_DATABASE_URL", database_url)
    monkeypatch.setenv("FILEORGANIZER_LAKE_URL", str(tmp_path / "lake"))
    monkeypatch.setenv("FILEORGANIZER_HOME", str(tmp_path / "home"))
    folder = tmp_path / "data"
    for name, data in samples.FILES.items():
        path = folder / "Photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (folder / "backup.zip").write_bytes(samples.zip_of(samples.FILES))
    (folder / "more.tar.gz").write_bytes(samples.tar_of({**samples.FILES, "new": b"n"}, "w:gz"))
    os.link(folder / "backup.zip", folder / "zz copy.zip")
    lake, url = open_lake(str(tmp_path / "lake")), canonical_url(str(folder))
    with open_store(url) as store:
        ref = lake.write_part(scanned(store), uri="f.parquet", table_name="fingerprints")
    with Ledger(database_url) as ledger:
        root_id = ledger.root_for(url).id
    found = find_archives.fn("job", ref)
    assert found.ranges == [(0, 2)]
    part = list_archive_batch.fn("job", root_id, 0, found.contents, 0, 2)
    assert list_archive_batch.fn("job", root_id, 0, found.contents, 0, 2) == part
    tables = compare_archives.fn("job", ref, found.contents, [part])
    assert all(isinstance(each, TableRef) for each in tables.values())
    rows = lake.read(tables["archives"]).to_pylist()
    assert [(row["key"], row["unpacked"], row["folder"], row["copies"]) for row in rows] == [
        ("backup.zip", "wholly", "Photos", 1),
        ("more.tar.gz", "mostly", "Photos", 0),
    ]
    members = lake.read(tables["archive_members"]).to_pylist()
    only = [row["path"] for row in members if row["found_key"] is None and row["size_bytes"]]
    assert only == ["new"]
    listings = LakeListings(lake)
    assert all(listings.get(row["sha256"]) for row in rows)
    with pytest.raises(MissingError):
        lake.read_blob("archives/v1/00/00")
    close_pools()
