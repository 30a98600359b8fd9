"""How near-duplicate search does at sizes nobody has files for: one JSON line.

Run: `python -m bench.duplicates.scale hashes 1000000 [FOLDER]` plants pairs within 7 bits among
that many 64-bit hashes, some of them of real pictures, and finds them (B6); `... views 100000`
searches and groups that many made-up pictures, a tenth of them copies, and tells the memory.
"""

import json
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image

from bench.duplicates import ours
from models.domain.near import THUMB_SIDE, VARIANTS, PictureView
from tasks.dedupe.near.hamming import distinct, pairs_within
from tasks.dedupe.near.pictures import PictureSearch, Views
from tasks.dedupe.near.stars import find_stars
from tasks.fingerprint.perceptual.pictures import open_upright, picture_views
from warehouse.schemas.arrow import arrow_schema

RADIUS = 7
PLANTED = 20_000
HOT = 1_000
"""Hashes a few bits around one, as blank pages and screenshots have."""
_BATCH = 4_000


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _real(folder: Path) -> list[int]:
    """Return the hashes of the pictures of a folder."""
    found: list[int] = []
    for path in sorted(folder.rglob("*.jpg")):
        try:
            with path.open("rb") as file:
                views = picture_views(open_upright(file), "0" * 64)
        except ours.FOREIGN:
            continue
        found += [int(np.frombuffer(view.hashes, "<u8")[0]) for view in views[:1]]
    return found


def hashes(count: int, folder: Path | None) -> dict[str, Any]:
    """Return recall and cost of the pairs within `RADIUS` among hashes."""
    rng = np.random.default_rng(count)
    real = np.array(_real(folder) if folder else [], np.uint64)
    base = rng.integers(0, 1 << 64, count - PLANTED - HOT - len(real), dtype=np.uint64)
    planted = base[:PLANTED].copy()
    bits = rng.integers(1, RADIUS + 1, PLANTED)
    for place in range(PLANTED):
        for bit in rng.choice(64, bits[place], replace=False):
            planted[place] ^= np.uint64(1) << np.uint64(bit)
    hot = np.full(HOT, base[-1]) ^ (np.uint64(1) << rng.integers(0, 64, HOT, dtype=np.uint64))
    table = np.concatenate([base, planted, hot, real])
    next(pairs_within(table[:2000, None], 1), None)  # loads compiled code
    cpu, wall = time.process_time(), time.perf_counter()
    unique, bucket_of = distinct(table[:, None])
    place = np.full(PLANTED, -1, np.int64)
    wanted = np.sort(
        np.stack([bucket_of[:PLANTED], bucket_of[len(base) : len(base) + PLANTED]]), axis=0
    )
    keys = wanted[0] * len(unique) + wanted[1]
    order = np.argsort(keys)
    pairs = 0
    for match in pairs_within(unique, RADIUS):
        pairs += len(match.left)
        found = match.left * len(unique) + match.right
        at = np.minimum(np.searchsorted(keys[order], found), PLANTED - 1)
        hits = keys[order][at] == found
        place[order[at[hits]]] = 1
    return {
        "count": count,
        "real": len(real),
        "recall": float((place == 1).mean()),
        "pairs": pairs,
        "cpu_s": time.process_time() - cpu,
        "wall_s": time.perf_counter() - wall,
        "peak_mb": _peak_mb(),
    }


def _views(count: int) -> Iterator[pa.RecordBatch]:
    """Yield made-up views; each tenth is a copy of the one before, a shade lighter."""
    rng = np.random.default_rng(count)
    schema = arrow_schema(PictureView)
    for first in range(0, count, _BATCH):
        size = min(_BATCH, count - first)
        coarse = rng.integers(0, 200, (size, 9, 9), dtype=np.uint8)
        thumbs = [
            np.asarray(Image.fromarray(each).resize((THUMB_SIDE, THUMB_SIDE)), np.uint8)
            + rng.integers(0, 40, (THUMB_SIDE, THUMB_SIDE), dtype=np.uint8)
            for each in coarse
        ]
        variants = rng.integers(0, 1 << 64, (size, len(VARIANTS)), dtype=np.uint64)
        for copy in range(1, size, 10):
            variants[copy] = variants[copy - 1] ^ np.uint64(5)
            thumbs[copy] = thumbs[copy - 1] + np.uint8(3)
        columns: dict[str, list[Any]] = {
            "sha256": [f"{n * 2654435761 % (1 << 32):064x}" for n in range(first, first + size)],
            "version": [0] * size,
            "view": [0] * size,
            "phash": [b"\0" * 8] * size,
            "dhash": [b"\0" * 8] * size,
            "pdq": [b"\0" * 32] * size,
            "quality": [100] * size,
            "hashes": [row.tobytes() for row in variants],
            "thumb": [thumb.tobytes() for thumb in thumbs],
        }
        arrays = [pa.array(columns[field.name], field.type) for field in schema]
        yield pa.RecordBatch.from_arrays(arrays, schema=schema)


def views(count: int) -> dict[str, Any]:
    """Return what searching and grouping pictures costs, and the memory over what was there."""
    ours.warm_up()
    before = _peak_mb()
    cpu = time.process_time()
    with tempfile.TemporaryDirectory() as scratch:
        table = Views(_views(count), Path(scratch))
        made = time.process_time()
        search = PictureSearch(table)
        joined = time.process_time()
        stars = find_stars(range(len(search.contents)), search)
        disk_mb = sum(path.stat().st_size for path in Path(scratch).iterdir()) / 1e6
    return {
        "count": count,
        "groups": len(stars),
        "expected": len(range(1, _BATCH, 10)) * (count // _BATCH),
        "radius": search.radius,
        "candidates": search.candidates,
        "read_cpu_s": made - cpu,
        "join_cpu_s": joined - made,
        "group_cpu_s": time.process_time() - joined,
        "before_mb": before,
        "peak_mb": _peak_mb(),
        "disk_mb": disk_mb,
    }


def main() -> None:
    what, count = sys.argv[1], int(sys.argv[2])
    folder = Path(sys.argv[3]) if len(sys.argv) > 3 else None
    answer = hashes(count, folder) if what == "hashes" else views(count)
    sys.stdout.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
