"""Near-duplicates of ours beside peers: precision, recall, F1 and cost, in one table.

Run: `python -m bench.duplicates.run [--data ../shared/data] [--photos 200] [--peers DIR]`. Peers
live in an environment of their own, made here when it is missing; they are never dependencies of
ours. Two sets: 200 photos with 13 kinds of copies (`make_copies.py`), and the sample collection's
own truth. Everything runs at its default threshold.
"""

import argparse
import itertools
import json
import subprocess
import sys
import tempfile
import venv
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.duplicates import make_copies, ours

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ["imagehash", "imagededup", "pdqhash", "rensa", "datasketch"]
Pairs = set[tuple[int, int]]


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


def peer_python(folder: Path) -> Path:
    """Return the Python of the peers' environment, made when it is missing."""
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *PACKAGES], check=True)
    return python


def run_peers(python: Path, kind: str, paths: Sequence[Path]) -> dict[str, dict[str, object]]:
    with tempfile.NamedTemporaryFile("w", suffix=".json") as job:
        json.dump({kind: [str(path) for path in paths]}, job)
        job.flush()
        script = Path(__file__).with_name("peers.py")
        done = subprocess.run(
            [python, script, job.name], check=True, capture_output=True, text=True
        )
    return json.loads(done.stdout.splitlines()[-1])


def table(title: str, rows: list[tuple[str, Score, float, str]]) -> list[str]:
    lines = [
        f"### {title}",
        "",
        "| | precision | recall | F1 | CPU s | |",
        "|---|---|---|---|---|---|",
    ]
    for name, one, cpu_s, note in rows:
        lines.append(
            f"| {name} | {one.precision:.3f} | {one.recall:.3f} | {one.f1:.3f} | {cpu_s:.1f} |"
            f" {note} |"
        )
    return [*lines, ""]


def compare(
    title: str,
    kind: str,
    paths: list[Path],
    *,
    truth: Pairs,
    ignored: Pairs,
    python: Path | None,
) -> list[str]:
    """Return the table of one set of files."""
    order = ours.by_pixels(paths) if kind == "images" else list(range(len(paths)))
    run = {
        "images": ours.pictures,
        "texts": ours.texts,
        "sounds": ours.sounds,
        "films": ours.films,
    }[kind]
    found = run(paths, order)
    cost = found.sign_cpu_s + found.search_cpu_s
    note = f"{found.note}; search {found.search_cpu_s:.1f} s"
    rows = [("ours", score(within(found.groups), truth, ignored), cost, note)]
    wrong = sorted(within(found.groups) - truth - ignored)
    missed = sorted(truth - within(found.groups) - ignored)
    for peer, result in (run_peers(python, kind, paths) if python else {}).items():
        if "missing" in result:
            print(f"{peer} is not there: {result['missing']}", file=sys.stderr)
            continue
        pairs = {(min(pair), max(pair)) for pair in result["pairs"]}
        direct = score(pairs, truth, ignored)
        grouped = score(within(components(pairs)), truth, ignored)
        best = max(direct, grouped, key=lambda one: one.f1)
        rows.append((peer, best, float(result["cpu_s"]), "pairs or components, the better"))
    for label, some in (("wrong", wrong), ("missed", missed)):
        for one, two in some[:40]:
            print(f"{label}: {paths[one]} {paths[two]}", file=sys.stderr)
    return table(f"{title} ({len(paths)} files, {len(truth - ignored)} pairs)", rows)


def copies(folder: Path) -> tuple[list[Path], Pairs]:
    families: defaultdict[str, list[int]] = defaultdict(list)
    paths: list[Path] = []
    for n, row in enumerate(ours.truth_rows(folder)):
        paths.append(folder / row["path"])
        families[row["family"]].append(n)
    return paths, within(families.values())


def sample(data: Path, kinds: set[str]) -> tuple[list[Path], Pairs, Pairs]:
    """Return the collection's files of some kinds, its near pairs, and its equal ones."""
    near: defaultdict[str, list[int]] = defaultdict(list)
    equal: defaultdict[str, list[int]] = defaultdict(list)
    rows = [row for row in ours.truth_rows(data) if row["kind"] in kinds]
    for n, row in enumerate(rows):
        equal[row["sha256"]].append(n)
        if row["near_group"]:
            near[row["near_group"]].append(n)
    paths = [data / row["path"] for row in rows]
    return paths, within(near.values()), within(equal.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--photos", type=int, default=200)
    parser.add_argument("--copies", type=Path, help="a folder of copies made before")
    parser.add_argument("--peers", type=Path, default=ROOT / "build" / "peers")
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--out", type=Path, help="write the tables here, too")
    arguments = parser.parse_args()
    python = None if arguments.no_peers else peer_python(arguments.peers)
    ours.warm_up()
    lines: list[str] = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.copies or Path(scratch) / "copies"
        if not arguments.copies:
            source = arguments.data / "inbox"
            make_copies.make(source, folder, count=arguments.photos, seed=7)
        paths, truth = copies(folder)
        lines += compare(
            "Copies of photos", "images", paths, truth=truth, ignored=set(), python=python
        )
    print("\n".join(lines), flush=True)
    for title, kind, kinds, peers in (
        ("Sample collection: images", "images", {"image"}, python),
        ("Sample collection: videos", "films", {"video"}, None),
    ):
        paths, truth, equal = sample(arguments.data, kinds)
        lines += compare(title, kind, paths, truth=truth, ignored=equal, python=peers)
    paths, truth, equal = sample(arguments.data, {"document"})
    plain = [n for n, path in enumerate(paths) if path.suffix == ".txt"]
    place = {n: k for k, n in enumerate(plain)}
    truth = {(place[a], place[b]) for a, b in truth if a in place and b in place}
    equal = {(place[a], place[b]) for a, b in equal if a in place and b in place}
    chosen = [paths[n] for n in plain]
    lines += compare(
        "Sample collection: plain texts", "texts", chosen, truth=truth, ignored=equal, python=python
    )
    print("\n".join(lines))
    if arguments.out:
        arguments.out.write_text("\n".join(lines))


if __name__ == "__main__":
    main()
