"""What is right: pairs by labels, and pairs that the labels leave out but that are copies.

The sample collection pairs only what its makers planted or named. Pairs that any tool finds beside
these are looked at by a rule of their own, which no tool uses, and the ones that are copies beyond
doubt count as right for every tool (pooling: Voorhees 2002, "The philosophy of information
retrieval evaluation"). Both scores are reported.
"""

import csv
import itertools
import warnings
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

Pairs = set[tuple[int, int]]

_SIDE = 256
_SAME_LEVELS = 6.0
"""Root mean square difference of 256 greys up to which two pictures are one picture saved twice:
JPEG at quality 50 leaves 3 to 5, a second shot of the same scene has 10 and more."""
_SAME_SHAPE = 0.02
SAME_WORDS = 0.7
"""Jaccard index, by Python's own sets of words, from which two texts are copies."""


@dataclass(frozen=True, slots=True)
class Score:
    """How pairs compare with the truth."""

    precision: float
    recall: float

    @property
    def f1(self) -> float:
        """The harmonic mean of both."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0


def within(groups: Iterable[Sequence[int]]) -> Pairs:
    """Return all pairs of members of the same group."""
    return {(min(pair), max(pair)) for group in groups for pair in itertools.combinations(group, 2)}


def components(pairs: Iterable[Sequence[int]]) -> list[list[int]]:
    """Return the connected components of pairs: how peers group."""
    parent: dict[int, int] = {}

    def root(n: int) -> int:
        while parent.setdefault(n, n) != n:
            n = parent[n]
        return n

    for one, two in pairs:
        parent[root(one)] = root(two)
    groups: defaultdict[int, list[int]] = defaultdict(list)
    for n in list(parent):
        groups[root(n)].append(n)
    return list(groups.values())


def score(found: Pairs, truth: Pairs, ignored: Pairs) -> Score:
    """Return precision and recall; ignored pairs (equal bytes) count neither way."""
    found, truth = found - ignored, truth - ignored
    hits = len(found & truth)
    return Score(hits / len(found) if found else 1.0, hits / len(truth) if truth else 1.0)


def rows_of(folder: Path) -> list[dict[str, str]]:
    """Return the rows of a folder's `truth.csv`."""
    with (folder / "truth.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def families(folder: Path) -> tuple[list[Path], Pairs]:
    """Return the files that a script of ours made, and their pairs."""
    members: defaultdict[str, list[int]] = defaultdict(list)
    paths: list[Path] = []
    for n, row in enumerate(rows_of(folder)):
        paths.append(folder / row["path"])
        members[row["family"]].append(n)
    return paths, within(members.values())


def sample(data: Path, kinds: set[str], suffixes: set[str]) -> tuple[list[Path], Pairs, Pairs]:
    """Return the sample collection's files of some kinds, its near pairs, and its equal ones.

    Args:
        data: the collection.
        kinds: of `truth.csv`; all when empty.
        suffixes: with the dot; all when empty.
    """
    near: defaultdict[str, list[int]] = defaultdict(list)
    equal: defaultdict[str, list[int]] = defaultdict(list)
    rows = [
        row
        for row in rows_of(data)
        if (not kinds or row["kind"] in kinds)
        and (not suffixes or Path(row["path"]).suffix in suffixes)
    ]
    for n, row in enumerate(rows):
        equal[row["sha256"]].append(n)
        if row["near_group"]:
            near[row["near_group"]].append(n)
    return [data / row["path"] for row in rows], within(near.values()), within(equal.values())


def articles(data: Path) -> tuple[list[Path], Pairs]:
    """Return the articles and the pairs of `truth_textpairs.csv`."""
    paths = sorted((data / "articles").rglob("*.txt"))
    place = {str(path.relative_to(data)): n for n, path in enumerate(paths)}
    with (data / "truth_textpairs.csv").open(newline="") as file:
        pairs = [(place[row["a"]], place[row["b"]]) for row in csv.DictReader(file)]
    return paths, within(pairs)


@cache
def _grey(path: Path) -> NDArray[np.float32] | None:
    try:
        with warnings.catch_warnings(), Image.open(path) as opened:
            warnings.simplefilter("ignore")
            shown = ImageOps.exif_transpose(opened).convert("RGBA")
    except Exception:  # noqa: BLE001 - whatever a damaged file does to a decoder
        return None
    paper = Image.new("RGBA", shown.size, "white")
    paper.alpha_composite(shown)
    small = paper.convert("L").resize((_SIDE, _SIDE), Image.Resampling.BOX)
    return np.append(np.asarray(small, np.float32).ravel(), shown.width / shown.height)


def is_same_picture(one: Path, two: Path) -> bool:
    """Return whether two files show one picture: whole, of one shape, pixel by pixel."""
    left, right = _grey(one), _grey(two)
    if left is None or right is None or abs(left[-1] / right[-1] - 1) > _SAME_SHAPE:
        return False
    return float(np.sqrt(np.mean((left[:-1] - right[:-1]) ** 2))) <= _SAME_LEVELS


@cache
def _words(path: Path) -> frozenset[tuple[str, ...]]:
    words = path.read_text(errors="replace").lower().split()
    return frozenset(zip(words, words[1:], words[2:], strict=False))


def is_same_text(one: Path, two: Path) -> bool:
    """Return whether two texts share at least `SAME_WORDS` of their runs of three words."""
    left, right = _words(one), _words(two)
    return bool(left | right) and len(left & right) / len(left | right) >= SAME_WORDS
