"""Measure the figures of the pipeline and write docs/benchmarks.md.

`python -m bench.run [--figures B1,B4] [--runs 3] [--full] [--scratch FOLDER]`. Each run of each
figure is a process of its own; its results are kept as JSON below the scratch folder, so that an
interrupted bench goes on where it was when it is given the same folder.
"""

import argparse
import importlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

from bench.measure import Result
from bench.report import Machine, write_report

MODULES = {
    "B1": "b01_fingerprint",
    "B2": "b02_duplicates",
    "B3": "b03_orchestration",
    "B4": "b04_reindex",
    "B5": "b05_pictures",
    "B8": "b08_catalog",
    "B9": "b09_group_by",
    "B10": "b10_scale",
    "B12": "b12_latency",
    "B13": "b13_move",
    "B14": "b14_collection",
}
RESULTS = "results"
LIMIT_S = 4 * 3600


def say(text: str) -> None:
    """Tell how far it is."""
    print(text, file=sys.stderr, flush=True)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.run", description=__doc__)
    parser.add_argument("--figures", default=",".join(MODULES), help="which, by comma")
    parser.add_argument("--runs", type=int, default=3, help="how often each is measured")
    parser.add_argument("--full", action="store_true", help="B2 with 85,000 files, 3.6 GB")
    parser.add_argument("--scratch", type=Path, help="keeps results; a new folder when not given")
    parser.add_argument("--only-report", action="store_true", help="write the table from results")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    return parser.parse_args()


def scratch_folder(given: Path | None) -> Path:
    """Return a folder that Postgres' user can walk to, also when we run as root."""
    folder = given or Path(tempfile.mkdtemp(prefix="fileorganizer-bench-"))
    (folder / RESULTS).mkdir(parents=True, exist_ok=True)
    folder.chmod(0o711)
    return folder.absolute()


def measure_one(figure: str, scratch: Path, *, full: bool) -> None:
    """Measure a figure once, in this process, and print its results as one line of JSON."""
    module = importlib.import_module(f"bench.{MODULES[figure]}")
    results = module.measure(scratch, full=full)
    sys.stdout.write("\n" + json.dumps([asdict(result) for result in results]) + "\n")
    sys.stdout.flush()
    os._exit(0)  # threads of libraries (Prefect's client) would keep it for seconds


def measure_in_process(figure: str, number: int, scratch: Path, *, full: bool) -> None:
    """Measure a figure in a process of its own, unless its result is there."""
    kept = scratch / RESULTS / f"{figure}-{'full-' if full else ''}{number}.json"
    if kept.exists():
        say(f"{figure} run {number}: kept from before")
        return
    work = scratch / f"work-{figure}-{number}"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    work.chmod(0o711)
    say(f"{figure} run {number} ...")
    start = time.monotonic()
    command = [sys.executable, "-m", "bench.run", "--one", figure, "--scratch", str(work)]
    done = subprocess.run(
        [*command, "--full"] if full else command,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        timeout=LIMIT_S,
    )
    shutil.rmtree(work, ignore_errors=True)
    if done.returncode:
        say(f"{figure} run {number}: failed with status {done.returncode}; see above")
        return
    results = [Result(**each) for each in json.loads(done.stdout.splitlines()[-1])]
    kept.write_text(json.dumps([asdict(result) for result in results], indent=1))
    for result in results:
        say(
            f"  {result.what}: {result.ours:.3g} / {result.theirs:.3g} {result.unit}"
            f" = {result.ratio:.3g}  {result.note}"
        )
    say(f"  took {time.monotonic() - start:.0f} s")


def main() -> None:
    """Measure what was asked for, then write the table of all that is kept."""
    asked = arguments()
    if asked.one:
        measure_one(asked.one, asked.scratch, full=asked.full)
    scratch = scratch_folder(asked.scratch)
    say(f"results are kept in {scratch / RESULTS}")
    if not asked.only_report:
        for number in range(1, asked.runs + 1):
            for figure in asked.figures.split(","):
                measure_in_process(figure, number, scratch, full=asked.full)
    write_report(scratch / RESULTS, MODULES, Machine.here())


if __name__ == "__main__":
    main()
