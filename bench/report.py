"""docs/benchmarks.md: the table of figures with their goals, and the method of each.

Only what stands between our two marks is written; sections of others in the file stay, and so do
the rows of figures that were not measured this time.
"""

import importlib
import json
import math
import os
import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.measure import Result

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "benchmarks.md"
BEGIN = "<!-- pipeline figures: written by `make bench`, do not edit -->"
END = "<!-- end of pipeline figures -->"
HEADER = "# Benchmarks\n"
FULL_RUNS = 3
LAST_RUN = re.compile(r"\*Last run: (.*)\.\*$")

INTRODUCTION = """
## The pipeline

`make bench` measures these figures as ratios against a peer or a limit in one run, so that they say
the same on another machine; `python -m bench.run --figures B4 --runs 1` measures one of them. A
ratio is given as least / **median** / most of the runs; smaller is better. Seconds are medians.
CPU seconds are those of all processes together; their ratios hardly depend on what else the machine
does. Rows in plain seconds are by the clock, and do.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What the figures were measured on."""

    cores: int
    system: str
    python: str
    load: float

    @classmethod
    def here(cls) -> "Machine":
        """Return this machine as it is now."""
        return cls(
            cores=os.cpu_count() or 1,
            system=f"{platform.system()} {platform.machine()}",
            python=platform.python_version(),
            load=os.getloadavg()[2],
        )

    def sentence(self) -> str:
        """Return it in words."""
        return (
            f"measured on {self.cores} cores ({self.system}), Python {self.python}, "
            f"with a load average of {self.load:.1f} at the end: "
            + (
                "a quiet machine."
                if self.load < self.cores
                else "a machine busy with other work, "
                "which lengthens everything by the clock and CPU seconds by some tens of percent."
            )
        )


def _kept(folder: Path, figure: str) -> dict[tuple[int, str], list[Result]]:
    """Return the runs of each row of a figure; of a full bench where there is one."""
    paths = sorted(folder.glob(f"{figure}-full-*.json")) or sorted(
        folder.glob(f"{figure}-[0-9]*.json")
    )
    rows: dict[tuple[int, str], list[Result]] = {}
    for path in paths:
        for position, each in enumerate(json.loads(path.read_text())):
            result = Result(**each)
            rows.setdefault((position, result.unit), []).append(result)
    return rows


def _number(value: float) -> str:
    if math.isnan(value):
        return "-"
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _row(runs: list[Result]) -> str:
    last = runs[-1]
    ratios = sorted(result.ratio for result in runs)
    middle = median(ratios)
    goal, reached = "-", "-"
    if last.goal is not None:
        goal = f"< {_number(last.goal)}"
        reached = "-" if math.isnan(middle) else "yes" if middle <= last.goal else "**no**"
    runs_note = "" if len(runs) >= FULL_RUNS else f" ({len(runs)} run{'s' * (len(runs) > 1)})"
    ratio = f"{_number(ratios[0])} / **{_number(middle)}** / {_number(ratios[-1])}{runs_note}"
    ours = f"{_number(median(r.ours for r in runs))} {last.unit}"
    theirs = f"{_number(median(r.theirs for r in runs))} {last.unit}"
    cells = (last.figure, last.what, last.yardstick, ours, theirs, ratio, goal, reached)
    return f"| {' | '.join(cells)} |"


def _method(module: str) -> str:
    """Return the paragraphs of a figure's own description, as one."""
    document = importlib.import_module(f"bench.{module}").__doc__ or ""
    return " ".join(document.split("Method:", 1)[-1].split())


def _section(results: Path, modules: Mapping[str, str], machine: Machine, before: str) -> str:
    table = [
        "| figure | what | yardstick | ours | yardstick's | ratio | goal | reached? |",
        "|---|---|---|---:|---:|---|---|---|",
    ]
    methods: list[str] = []
    measured: list[str] = []
    for figure, module in modules.items():
        rows = _kept(results, figure)
        notes = [f"{runs[-1].note}" for runs in rows.values() if runs[-1].note]
        stood = _lines_with(before, f"- **{figure}.**")
        if rows:
            measured.append(figure)
            table += map(_row, rows.values())
        else:
            table += _lines_with(before, f"| {figure} |") or [
                f"| {figure} | not measured in this bench | - | - | - | - | - | - |"
            ]
            notes = [found[1] for line in stood if (found := LAST_RUN.search(line))]
        text = f"- **{figure}.** {_method(module)}"
        methods.append(text + (f" *Last run: {'; '.join(notes)}.*" if notes else ""))
    when = f"{', '.join(measured) or 'None'} {machine.sentence()} Other rows stand from before."
    parts = [INTRODUCTION.strip(), when, "\n".join(table)]
    return "\n\n".join([*parts, "### How each is measured", "\n".join(methods)])


def _lines_with(text: str, beginning: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith(beginning)]


def write_report(results: Path, modules: Mapping[str, str], machine: Machine) -> None:
    """Write our part of docs/benchmarks.md; what others wrote around it stays."""
    before = DOCUMENT.read_text() if DOCUMENT.exists() else HEADER
    pattern = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)
    found = pattern.search(before)
    section = _section(results, modules, machine, found[0] if found else "")
    ours = f"{BEGIN}\n\n{section}\n\n{END}"
    if found:
        DOCUMENT.write_text(pattern.sub(lambda _: ours, before))
    else:
        head, _, rest = before.partition("\n")
        DOCUMENT.write_text(f"{head}\n\n{ours}\n{rest}")
