"""Kinds of the labeled collection by our content types, beside its labels."""

import csv
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from models.domain.fingerprint import Fingerprint
from models.domain.near import Signature
from storage.opening import canonical_url, open_store
from tasks.fingerprint.batch import Ports, Wishes, fingerprint_rows
from tasks.fingerprint.children import ParserPool
from tasks.fingerprint.nursery import Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class Kinds:
    """How kinds came out: right of all, right where the label names one, what was confused."""

    files: int
    accuracy: float
    named: int
    named_accuracy: float
    confused: tuple[tuple[str, str, int], ...]
    other_as: tuple[tuple[str, int], ...]


class NoThumbnails:
    """Keeps nothing."""

    def has(self, sha256: str) -> bool:
        """Return that there is none."""
        del sha256
        return False

    def put(self, sha256: str, picture: bytes) -> None:
        """Forget it."""
        del sha256, picture


class AllSigned:
    """Wants no signature."""

    def has(self, sha256: str) -> bool:
        """Return that there is one."""
        del sha256
        return True

    def put(self, signature: Signature) -> None:
        """Forget it."""
        del signature


def truth_of(collection: Path) -> dict[str, dict[str, str]]:
    """Return the collection's labels by path."""
    with (collection / "truth.csv").open(newline="") as file:
        return {row["path"]: row for row in csv.DictReader(file)}


def fingerprints_of(collection: Path, threads: int) -> list[Fingerprint]:
    """Return the fingerprint of every file that has a label."""
    truth = truth_of(collection)
    store = open_store(canonical_url(str(collection)))
    rows = [
        row for page in store.list_pages(page_size=1000) for row in page.rows if row.key in truth
    ]
    limits = Limits(memory_bytes=1_000_000_000, cpu_s=10, children=threads)
    latest = datetime(2100, 1, 1)  # noqa: DTZ001 - naive, as it is asked for
    wishes = Wishes(latest=latest, threads=threads, thumbnails=False)
    with ParserPool(limits) as parser:
        ports = Ports(
            source=store, parser=parser, thumbnails=NoThumbnails(), signatures=AllSigned()
        )
        return fingerprint_rows(rows, ports, wishes)


def kinds_of(fingerprints: list[Fingerprint], truth: dict[str, dict[str, str]]) -> Kinds:
    """Compare kinds with the labels, which are by the name that a file had at its source."""
    pairs = [(truth[row.key]["kind"], str(row.media)) for row in fingerprints]
    named = [(label, found) for label, found in pairs if label != "other"]
    wrong = Counter((label, found) for label, found in named if label != found)
    other = Counter(found for label, found in pairs if label == "other")
    return Kinds(
        files=len(pairs),
        accuracy=sum(label == found for label, found in pairs) / len(pairs),
        named=len(named),
        named_accuracy=sum(label == found for label, found in named) / len(named),
        confused=tuple((*pair, count) for pair, count in wrong.most_common()),
        other_as=tuple(other.most_common()),
    )
