"""Near-duplicates of ours beside peers: precision, recall, F1 and cost, in one table.

Run: `python -m bench.duplicates.run [--runs 3] [--data DIR] [--peers DIR] [--sizes small]`.
Peers live in an environment of their own, made here when it is missing; they are never dependencies
of ours. Everybody runs at the default threshold, in a process of its own, on one thread. The table
is written into `docs/benchmarks.md` between its marks; with `--sets`, the others' rows stay.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import venv
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.duplicates import make_copies, make_sounds, make_texts
from bench.duplicates.truth import (
    Pairs,
    Score,
    articles,
    components,
    families,
    is_same_picture,
    is_same_text,
    sample,
    score,
    within,
)
from tasks.fingerprint.perceptual.documents import decoded

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ["imagehash", "imagededup", "pdqhash", "czkawka", "rensa", "datasketch"]
KEPT = ROOT / "build" / "duplicates.json"
"""Rows of the last run of each set, so that sets can be measured one by one."""
REPORT = ROOT / "docs" / "benchmarks.md"
BEGIN = "<!-- near-duplicate figures: written by `make bench-duplicates`, do not edit -->"
END = "<!-- end of near-duplicate figures -->"
SIZES = {
    "full": {"texts": (9_000, 100_000), "hashes": (1_000_000, 10_000_000), "views": 150_000},
    "medium": {"texts": (9_000,), "hashes": (1_000_000,), "views": 60_000},
    "small": {"texts": (1_000,), "hashes": (50_000,), "views": 8_000},
}
_THREADS = ("OPENBLAS", "OMP", "MKL", "RAYON")
_ALONE = {f"{name}_NUM_THREADS": "1" for name in _THREADS}
"""Nobody's threads spin: CPU seconds are work."""


_HOW = (
    "Medians of the runs told, everybody on one thread of one machine, CPU seconds. F1 by the"
    " labels alone, and with the pairs that the labels leave out though they are one picture saved"
    " twice, or share 0.7 of their runs of words (`bench/duplicates/truth.py`). Peers by pairs or"
    " by connected components, whichever is better for them. The last column is our CPU as a share"
    " of theirs."
)
_HEADER = (
    "| set | who | precision | recall | F1, labels | F1, completed | CPU s | ours / theirs |",
    "|---|---|---:|---:|---:|---:|---:|---:|",
)


@dataclass(slots=True)
class Collection:
    """Files to be searched, and what is right of them.

    Attributes:
        kind: of `ours.KINDS`.
        is_copy: rule by which pairs that the labels leave out are looked at; None: they are whole.
        runs: times that it is measured; as often as asked when None.
    """

    title: str
    kind: str
    paths: list[Path]
    truth: Pairs
    equal: Pairs = field(default_factory=set)
    is_copy: Callable[[Path, Path], bool] | None = None
    runs: int | None = None


@dataclass(slots=True)
class Result:
    """What one tool found, and the CPU seconds of each run."""

    pairs: Pairs = field(default_factory=set)
    groups: Pairs = field(default_factory=set)
    cpu_s: list[float] = field(default_factory=list)
    note: str = ""


def peer_python(folder: Path) -> Path:
    """Return the Python of the peers' environment, made when it is missing."""
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *PACKAGES], check=True)
    return python


def asked(command: list[str | Path], job: dict[str, Any] | None = None) -> Any:
    """Return the JSON that a script prints last; its home is empty, so that no cache helps it."""
    with tempfile.TemporaryDirectory() as home:
        if job is not None:
            path = Path(home) / "job.json"
            path.write_text(json.dumps(job))
            command = [*command, path]
        environment = {**os.environ, **_ALONE, "HOME": home}
        done = subprocess.run(
            command, check=True, stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT
        )
    return json.loads(done.stdout.splitlines()[-1])


def _measured(collection: Collection, python: Path | None, runs: int) -> dict[str, Result]:
    """Return what every tool finds, all of them in each run."""
    job = {"kind": collection.kind, "paths": [str(path) for path in collection.paths]}
    results: dict[str, Result] = {"ours": Result()}
    for _ in range(collection.runs or runs):
        found = asked([sys.executable, "-m", "bench.duplicates.ours"], job)
        results["ours"].groups = results["ours"].pairs = within(found["groups"])
        results["ours"].cpu_s.append(found["sign_cpu_s"] + found["search_cpu_s"])
        results["ours"].note = found["note"]
        if python is None:
            continue
        answers = asked([python, ROOT / "bench" / "duplicates" / "peers.py"], job)
        for peer, answer in answers.items():
            result = results.setdefault(peer, Result())
            if "missing" in answer:
                result.note = answer["missing"]
                continue
            result.pairs = {(min(pair), max(pair)) for pair in answer["pairs"]}
            result.groups = within(components(result.pairs))
            result.cpu_s.append(answer["cpu_s"])
    return results


def _best(result: Result, truth: Pairs, equal: Pairs) -> Score:
    """Return the score of pairs or of connected components, whichever is better."""
    scores = [score(pairs, truth, equal) for pairs in (result.pairs, result.groups)]
    return max(scores, key=lambda one: one.f1)


def _rows(collection: Collection, results: dict[str, Result], runs: int) -> list[str]:
    completed = set(collection.truth)
    unlabeled = set().union(*(result.pairs for result in results.values()))
    unlabeled -= collection.truth | collection.equal
    if collection.is_copy is not None:
        paths = collection.paths
        completed |= {pair for pair in unlabeled if collection.is_copy(*(paths[n] for n in pair))}
    for one, two in sorted(results["ours"].groups - completed - collection.equal)[:20]:
        print(f"wrong: {collection.paths[one]} {collection.paths[two]}", file=sys.stderr)
    count = len(collection.truth - collection.equal)
    more = len(completed) - len(collection.truth)
    words = f"{len(collection.paths):,} files, {count:,} pairs"
    if more:
        words = f"{words} and {more} unlabeled"
    runs = collection.runs or runs
    title = f"{collection.title} ({words}; {runs} run{'s' if runs > 1 else ''})"
    lines: list[str] = []
    yardstick = statistics.median(results["ours"].cpu_s)
    for name, result in results.items():
        if not result.cpu_s:
            lines.append(f"| {title} | {name} | - | - | - | - | {result.note} | - |")
            title = ""
            continue
        one = _best(result, collection.truth, collection.equal)
        whole = _best(result, completed, collection.equal)
        cpu_s = statistics.median(result.cpu_s)
        f1 = f"**{whole.f1:.3f}**" if name == "ours" else f"{whole.f1:.3f}"
        ratio = f"{yardstick / cpu_s:.2f}" if name != "ours" and cpu_s else ""
        lines.append(
            f"| {title} | {name} | {one.precision:.3f} | {one.recall:.3f} | {one.f1:.3f} | {f1} |"
            f" {cpu_s:.2f} | {ratio} |"
        )
        title = ""
    return lines


def _copies(data: Path, scratch: Path, sizes: dict[str, Any]) -> Collection:
    del sizes
    make_copies.make(data / "inbox", scratch, count=200, seed=7)
    return Collection("200 photos, 13 kinds of copies", "images", *families(scratch))


def _pictures(data: Path, scratch: Path, sizes: dict[str, Any]) -> Collection:
    del scratch, sizes
    files = sample(data, {"image"}, set())
    return Collection("sample pictures", "images", *files, is_copy=is_same_picture)


def _films(data: Path, scratch: Path, sizes: dict[str, Any]) -> Collection:
    del scratch, sizes
    return Collection("sample videos", "films", *sample(data, {"video"}, set()))


def _sounds(data: Path, scratch: Path, sizes: dict[str, Any]) -> Collection:
    del sizes
    make_sounds.make(data, scratch)
    return Collection("recordings in 7 forms", "sounds", *families(scratch))


def _articles(data: Path, scratch: Path, sizes: dict[str, Any]) -> Collection:
    del scratch, sizes
    return Collection("news articles", "texts", *articles(data))


def _plain(data: Path, scratch: Path, sizes: dict[str, Any]) -> Collection:
    del sizes
    paths, truth, equal = sample(data, {"document"}, {".txt"})
    copied = [scratch / f"{n:05d}.txt" for n in range(len(paths))]
    for path, copy in zip(paths, copied, strict=True):  # in UTF-8 for everybody
        copy.write_text(decoded(path.read_bytes()))
    return Collection("sample plain texts", "texts", copied, truth, equal, is_copy=is_same_text)


def _documents(data: Path, scratch: Path, sizes: dict[str, Any]) -> Collection:
    del scratch, sizes
    kinds = {"document", "email", "presentation", "spreadsheet"}
    files = sample(data, kinds, set())
    return Collection("sample documents of all formats", "documents", *files, runs=1)


def _texts(data: Path, scratch: Path, sizes: dict[str, Any]) -> Collection:
    count = sizes["texts"][0]
    make_texts.make(data / "articles", scratch, count=count, seed=7)
    return Collection(f"texts, {count:,}", "texts", *families(scratch))


def _many_texts(data: Path, scratch: Path, sizes: dict[str, Any]) -> Collection:
    count = sizes["texts"][-1]
    make_texts.make(data / "articles", scratch, count=count, seed=8)
    return Collection(f"texts, {count:,}", "texts", *families(scratch), runs=1)


SETS = {
    "copies": _copies,
    "pictures": _pictures,
    "films": _films,
    "sounds": _sounds,
    "articles": _articles,
    "plain": _plain,
    "documents": _documents,
    "texts": _texts,
    "many-texts": _many_texts,
}


def _scaled(sizes: dict[str, Any], data: Path) -> list[str]:
    """Return the rows of figures at sizes nobody has files for."""
    command = [sys.executable, "-m", "bench.duplicates.scale"]
    lines = ["| figure | seen | goal |", "|---|---|---|"]
    for count, goal in zip(sizes["hashes"], ("60 s, 2 GB", "150 s"), strict=False):
        found = asked([*command, "hashes", str(count), data / "inbox"])
        lines.append(
            f"| B6: pairs within 7 bits of {count:,} hashes, {found['real']} of real pictures |"
            f" recall {found['recall']:.4f}, {found['cpu_s']:.1f} CPU s, {found['wall_s']:.1f} s by"
            f" the clock, {found['peak_mb']:,.0f} MB | recall 1.0, {goal} |"
        )
    count = sizes["views"]
    small, large = (asked([*command, "views", str(number)]) for number in (count // 3, count))
    slope_kb = 1000 * (large["peak_mb"] - small["peak_mb"]) / (large["count"] - small["count"])
    million = large["peak_mb"] + slope_kb * (1_000_000 - count) / 1000
    lines.append(
        f"| memory of searching {count:,} made-up pictures, {large['expected']:,} or more copies |"
        f" {large['groups']:,} groups, {large['peak_mb']:,.0f} MB (libraries:"
        f" {large['before_mb']:,.0f} MB) and {large['disk_mb']:,.0f} MB of scratch;"
        f" {large['read_cpu_s'] + large['join_cpu_s'] + large['group_cpu_s']:.0f} CPU s | - |"
    )
    lines.append(
        f"| the same for a million, extrapolated from {count // 3:,} and {count:,} |"
        f" {million:,.0f} MB, and at most 700 MB for candidates | 2 GB |"
    )
    return lines


def _written(lines: list[str], report: Path) -> None:
    text = report.read_text()
    if BEGIN not in text:
        text = f"{text.rstrip()}\n\n{BEGIN}\n{END}\n"
    before, rest = text.split(BEGIN, 1)
    after = rest.split(END, 1)[1]
    report.write_text("\n".join([f"{before}{BEGIN}", "", *lines, "", f"{END}{after}"]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--peers", type=Path, default=ROOT / "build" / "peers")
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--sizes", choices=sorted(SIZES), default="full")
    parser.add_argument("--sets", nargs="+", choices=[*SETS, "scale"], default=[*SETS, "scale"])
    parser.add_argument("--report", type=Path, default=REPORT)
    arguments = parser.parse_args()
    python = None if arguments.no_peers else peer_python(arguments.peers.absolute())
    sizes = SIZES[arguments.sizes]
    kept: dict[str, list[str]] = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    for name, made in SETS.items():
        if name not in arguments.sets or (name == "many-texts" and len(sizes["texts"]) == 1):
            continue
        with tempfile.TemporaryDirectory() as scratch:
            each = made(arguments.data, Path(scratch), sizes)
            peers = python if each.kind in {"images", "texts"} else None
            kept[name] = _rows(each, _measured(each, peers, arguments.runs), arguments.runs)
        print("\n".join(kept[name]), flush=True)
    if "scale" in arguments.sets:
        kept["scale"] = ["", *_scaled(sizes, arguments.data)]
        print("\n".join(kept["scale"]))
    KEPT.parent.mkdir(exist_ok=True)
    KEPT.write_text(json.dumps(kept, indent=1))
    rows = [row for name in (*SETS, "scale") for row in kept.get(name, [])]
    _written([_HOW, "", *_HEADER, *rows], arguments.report)


if __name__ == "__main__":
    main()
