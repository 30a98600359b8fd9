"""A thousand damaged files: every one a row, no worker dies, those not parsed have a reason."""

import random
import resource
import time
from collections import Counter
from datetime import datetime
from pathlib import Path

import fingerprint_samples as samples
import pytest

from models.domain.fingerprint import Fingerprint, Problem
from models.domain.near import NearMedia, Signature
from storage.opening import canonical_url, open_store
from tasks.fingerprint.batch import Ports, Wishes, fingerprint_rows
from tasks.fingerprint.children import ParserPool
from tasks.fingerprint.nursery import Limits

FILES = 1000
SEED = 20_240_131
LARGEST_SOURCE = 400_000


def sources() -> list[tuple[str, bytes]]:
    """Sound files to damage: our own, and of the shared collection one of each extension."""
    found = sorted(samples.samples().items())
    seen: set[str] = set()
    for path in sorted(samples.SHARED.glob("t*/**/*")):
        small = path.is_file() and 64 < path.stat().st_size < LARGEST_SOURCE
        if small and path.suffix not in seen:
            seen.add(path.suffix)
            found.append((path.name, path.read_bytes()))
    return found


def damaged(folder: Path) -> int:
    rng = random.Random(SEED)
    bombs = {
        "bomb-1.png": samples.png_bomb(40_000),
        "bomb-2.png": samples.png_bomb(9_900),
        "bomb-3.docx": samples.zip_bomb(200),
        "bomb-4.docx": samples.entity_bomb(),
        "bomb-5.pdf": samples.pdf_bomb(),
    }
    for name, data in bombs.items():
        (folder / name).write_bytes(data)
    found = sources()
    for number in range(FILES - len(bombs)):
        name, data = found[number % len(found)]
        (folder / f"{number:04d}-{name}").write_bytes(samples.mutations(rng, data))
    return FILES


class KeptSignatures:
    """Signatures in memory."""

    def __init__(self) -> None:
        self.rows: dict[str, Signature] = {}

    def has(self, sha256: str) -> bool:
        return sha256 in self.rows

    def put(self, signature: Signature) -> None:
        self.rows[signature.sha256] = signature


class Kept:
    """Thumbnails in memory."""

    def __init__(self) -> None:
        self.pictures: dict[str, bytes] = {}

    def has(self, sha256: str) -> bool:
        return sha256 in self.pictures

    def put(self, sha256: str, picture: bytes) -> None:
        self.pictures[sha256] = picture


@pytest.mark.timeout(240)
def test_a_thousand_malformed_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    damaged(tmp_path)
    store = open_store(canonical_url(str(tmp_path)))
    rows = [row for page in store.list_pages() for row in page.rows]
    assert len(rows) == FILES
    wishes = Wishes(
        latest=datetime(2030, 1, 1),  # noqa: DTZ001 - a wall clock's time
        threads=2,
        sign=frozenset(NearMedia),
    )
    signatures = KeptSignatures()
    started = time.monotonic()
    with ParserPool(Limits(memory_bytes=512_000_000, cpu_s=10, children=2)) as pool:
        ports = Ports(source=store, parser=pool, thumbnails=Kept(), signatures=signatures)
        made = fingerprint_rows(rows, ports, wishes)
        deaths = pool.deaths
    seconds = time.monotonic() - started
    assert [row.key for row in made] == sorted(row.key for row in rows)
    assert all(row.sha256 for row in made)
    assert all(_has_a_kind(row) for row in made)
    problems = Counter((row.problem or "none").split(":")[0] for row in made)
    assert problems["corrupt"] > FILES / 10
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    with capsys.disabled():
        print(
            f"\n{FILES} malformed files: {seconds:.1f} s, {FILES / seconds:.0f} files/s, "
            f"{deaths} parsing children ended, parent's peak {peak_mb} MB, {dict(problems)}"
        )
    assert seconds < 120


def _has_a_kind(row: Fingerprint) -> bool:
    return row.problem is None or any(kind.is_kind_of(row.problem) for kind in Problem)
