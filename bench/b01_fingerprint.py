"""B1: the fingerprint pass over a gigabyte of mixed files against bare hashing.

Method: `fingerprint_rows` (md5, sha256, type, media facts, signatures, thumbnails) over the
collection of `bench.mixture`, in batches of 1,000 files on two threads with warm parsing children;
the yardstick is hashlib's md5 and sha256 over the same files on two threads. Compared are CPU
seconds, children included; files are in the page cache.
"""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

from bench.measure import Meter, Result, tree_of_files
from bench.mixture import MIXTURE, describe, mixed

THREADS = 2
CHUNK_BYTES = 1 << 20
BATCH = 1000
SMALL_FILES = 20_000


def _hash(path: Path) -> tuple[str, str]:
    md5, sha256 = hashlib.md5(usedforsecurity=False), hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        while chunk := file.read(CHUNK_BYTES):
            md5.update(chunk)
            sha256.update(chunk)
    return md5.hexdigest(), sha256.hexdigest()


def _bare(folder: Path) -> Meter:
    paths = [path for path in folder.rglob("*") if path.is_file()]
    with Meter() as meter, ThreadPoolExecutor(THREADS) as threads:
        for _ in threads.map(_hash, paths):
            pass
    return meter


class _Unwanted:
    """Where everything is there already, so that nothing is made."""

    def has(self, sha256: str) -> bool:
        del sha256
        return True

    def put(self, signature: object) -> None:
        del signature
        raise AssertionError("nobody asked for this")


def _pass(folder: Path, parsers: Any, lake: Any, *, thumbnails: bool, signatures: bool) -> Meter:
    from storage.opening import canonical_url, open_store
    from tasks.fingerprint.batch import Ports, Wishes, fingerprint_rows
    from tasks.fingerprint.signing import LakeSignatures
    from tasks.fingerprint.thumbnails import LakeThumbnails

    wishes = Wishes(
        latest=datetime(2100, 1, 1),  # noqa: DTZ001 - naive, as cameras are
        threads=THREADS,
        thumbnails=thumbnails,
    )
    with open_store(canonical_url(str(folder))) as store:
        rows = [row for page in store.list_pages() for row in page.rows]
        with Meter() as meter:
            for first in range(0, len(rows), BATCH):
                packs = LakeSignatures(lake)
                ports = Ports(
                    source=store,
                    parser=parsers,
                    thumbnails=LakeThumbnails(lake),
                    signatures=packs if signatures else _Unwanted(),
                )
                made = fingerprint_rows(rows[first : first + BATCH], ports, wishes)
                packs.save()
                if any(row.sha256 is None for row in made):
                    raise RuntimeError("a file could not be read")
    return meter


def measure(scratch: Path, *, full: bool, scale: float = 1.0) -> list[Result]:
    """Return the pass over bare hashing: facts, with signatures, with thumbnails; small files."""
    del full
    from tasks.fingerprint.children import Limits, ParserPool
    from warehouse.store.parts import open_lake

    folder = mixed(scratch / "mixed", scale=scale)
    small = tree_of_files(scratch / "small", int(SMALL_FILES * scale), size_bytes=2000)
    limits = Limits(memory_bytes=1_000_000_000, cpu_s=10, children=THREADS)
    signed, seen = open_lake(str(scratch / "signed")), open_lake(str(scratch / "seen"))
    found = describe(folder)
    with ParserPool(limits) as parsers:
        _pass(tree_of_files(scratch / "warm", 100), parsers, seen, thumbnails=True, signatures=True)
        _bare(folder)  # into the page cache
        bare = _bare(folder)
        facts = _pass(folder, parsers, signed, thumbnails=False, signatures=False)
        hashes = _pass(folder, parsers, signed, thumbnails=False, signatures=True)
        everything = _pass(folder, parsers, seen, thumbnails=True, signatures=True)
        bare_small = _bare(small)
        ours_small = _pass(small, parsers, seen, thumbnails=True, signatures=True)
        deaths = parsers.deaths
    per_file = 1e6 * ours_small.cpu_s / max(1, int(SMALL_FILES * scale))
    return [
        _result(f"hashes, types and facts of {found}", (facts, bare), 1.15, MIXTURE),
        _result("the same with the signature of every picture", (hashes, bare), 1.15, ""),
        _result("the same with a thumbnail of every picture, too", (everything, bare), None, ""),
        _result(
            f"small text files ({per_file:.0f} µs of CPU each)",
            (ours_small, bare_small),
            None,
            f"{deaths} parsing children died in this figure",
        ),
    ]


def _result(what: str, pair: tuple[Meter, Meter], goal: float | None, note: str) -> Result:
    ours, theirs = pair
    return Result(
        figure="B1",
        what=what,
        yardstick="hashlib md5 + sha256, two threads",
        ours=ours.cpu_s,
        theirs=theirs.cpu_s,
        unit="CPU s",
        goal=goal,
        note=note or f"by the clock {ours.wall_s / theirs.wall_s:.2f}",
    )
