"""`make demo`: the whole journey on real files, through the real command line and servers.

Copies the sample collection (or makes a small one), starts the embedded stack, previews,
applies, counts duplicates, asks the warehouse, undoes, and proves that every byte, name and
modification time is as it was. API, Prefect UI and dashboards are left running for a look around.
"""

import contextlib
import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console

ROOT = Path(__file__).resolve().parent.parent
SAMPLES = ROOT.parent / "shared" / "data"
DEMO = ROOT / ".demo"
COLLECTION = DEMO / "collection"

console = Console()

Facts = dict[str, tuple[str, int]]


def make_collection() -> int:
    """Copy the sample collection, times included, or make a small one; return its files."""
    shutil.rmtree(COLLECTION, ignore_errors=True)
    if SAMPLES.is_dir():
        ignore = shutil.ignore_patterns("truth*.csv", "MANIFEST.md")
        shutil.copytree(SAMPLES, COLLECTION, ignore=ignore)
    else:
        _generate(COLLECTION)
    return sum(path.is_file() for path in COLLECTION.rglob("*"))


def _generate(folder: Path) -> None:
    """Write pictures, notes, tables and copies of them, with old dates."""
    from PIL import Image

    (folder / "camera").mkdir(parents=True)
    (folder / "backup").mkdir()
    for number in range(40):
        exif = Image.Exif()
        exif[0x010F], exif[0x0110] = "Canon", "EOS R5"
        year = 2015 + number % 8
        exif.get_ifd(0x8769)[0x9003] = f"{year}:0{1 + number % 9}:11 10:00:{number:02d}"
        picture = Image.radial_gradient("L").rotate(9 * number).resize((640, 480))
        picture.save(folder / "camera" / f"IMG_{number:04d}.jpg", exif=exif)
        (folder / f"note {number}.txt").write_text(f"Note {number}: buy milk\n" * (number + 1))
        (folder / f"table-{number}.csv").write_text(f"a,b\n{number},{number**2}\n")
    for number in range(0, 40, 4):
        name = f"IMG_{number:04d}.jpg"
        shutil.copy2(folder / "camera" / name, folder / "backup" / f"Copy of {name}")
    for age, path in enumerate(sorted(folder.rglob("*.*"))):
        moment = 1_500_000_000 + 86_400 * age
        os.utime(path, (moment, moment))


def facts_of(folder: Path) -> Facts:
    """Return sha256 and mtime in ns of every file below `folder`, ours excluded."""
    facts: Facts = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.is_file() and name.parts[0] != ".fileorganizer":
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            facts[str(name)] = (digest, path.stat().st_mtime_ns)
    return facts


def environment() -> dict[str, str]:
    """Return the environment of the demo's own stack, apart from any other of yours."""
    with socket.socket() as probe:
        is_free = probe.connect_ex(("127.0.0.1", 4200)) != 0
    return {
        **os.environ,
        "FILEORGANIZER_HOME": str(DEMO / "home"),
        "FILEORGANIZER_PREFECT_PORT": "4200" if is_free else "0",
        "COLUMNS": os.environ.get("COLUMNS", "110"),
    }


class Commands:
    """Runs `fileorganizer` as a person would, and shows what was typed."""

    def __init__(self) -> None:
        self._env = environment()
        self.program = str(Path(sys.executable).parent / "fileorganizer")

    def show(self, *arguments: str) -> None:
        """Run a command with its output on the terminal."""
        console.print(f"\n[bold green]$ fileorganizer {' '.join(arguments)}[/]", highlight=False)
        sys.stdout.flush()
        subprocess.run([self.program, *arguments], env=self._env, check=True)

    def json(self, *arguments: str) -> dict[str, Any]:
        """Run a command with `--json` and return its document."""
        console.print(f"\n[bold green]$ fileorganizer {' '.join(arguments)} --json[/]")
        done = subprocess.run(
            [self.program, *arguments, "--json"],
            env=self._env,
            check=True,
            stdout=subprocess.PIPE,
        )
        return json.loads(done.stdout)


class Dashboards:
    """The dashboards, left running by the demo; those of an earlier one are ended."""

    output = DEMO / "dashboards.json"
    number = DEMO / "dashboards.pid"

    def __init__(self, run: Commands) -> None:
        self._end_former()
        with self.output.open("wb") as output:
            self._process = subprocess.Popen(
                [run.program, "dashboards", "--no-browser", "--json"],
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                start_new_session=True,
            )
        self.number.write_text(str(self._process.pid))

    def address(self) -> str:
        """Return where they are, once they answer."""
        while self._process.poll() is None:
            with contextlib.suppress(json.JSONDecodeError):
                return str(json.loads(self.output.read_text())["address"])
            time.sleep(0.2)
        raise SystemExit(f"the dashboards ended with status {self._process.returncode}")

    def _end_former(self) -> None:
        with contextlib.suppress(OSError, ValueError, psutil.NoSuchProcess):
            former = psutil.Process(int(self.number.read_text()))
            if "dashboards" in former.cmdline():
                former.terminate()


def main() -> int:
    """Run the demo; 0 when the collection ended byte-equal to its start."""
    started = time.monotonic()
    files = make_collection()
    console.rule(f"a collection of {files:,} files")
    before = facts_of(COLLECTION)
    run = Commands()
    source = (
        str(COLLECTION.relative_to(Path.cwd()))
        if COLLECTION.is_relative_to(Path.cwd())
        else (str(COLLECTION))
    )
    run.show("up", "--detach")
    run.show("organize", source, "--preview")
    job = run.json("jobs")["jobs"][0]["id"]
    plan = run.json("jobs", job)["job"]["plan_id"]
    run.show("apply", plan)
    organized = facts_of(COLLECTION)
    moved = len(organized.keys() - before.keys())
    contents = sorted(sha for sha, _ in before.values())
    is_conserved = contents == sorted(sha for sha, _ in organized.values())
    console.print(f"{moved:,} files moved; every content still there: {is_conserved}")
    run.show("duplicates", source, "--limit", "5")
    run.show(
        "sql",
        "SELECT category, count(*) AS files, sum(size_bytes) AS bytes"
        " FROM files GROUP BY ALL ORDER BY files DESC",
    )
    run.show(
        "sql",
        "SELECT count(*) AS duplicates, sum(wasted_bytes) AS wasted_bytes"
        " FROM duplicates WHERE NOT is_keeper",
    )
    run.show("undo", job)
    is_equal = facts_of(COLLECTION) == before
    run.show("status")
    minutes = (time.monotonic() - started) / 60
    verdict = "byte-equal" if is_equal and is_conserved else "NOT byte-equal"
    console.rule(f"after undo the tree is {verdict} to the start ({minutes:.1f} min)")
    addresses = run.json("status")["addresses"]
    console.print("still running; look around:")
    for name, address in (
        ("API", f"{addresses['api_url']}   (docs/api.md; README has a tour with curl)"),
        ("Prefect UI", addresses["prefect_ui_url"]),
        ("dashboards", f"{Dashboards(run).address()}   (works once)"),
    ):
        console.print(f"  {name:<11} {address}", soft_wrap=True, highlight=False)
    console.print(
        f"then stop it with:\n"
        f"  FILEORGANIZER_HOME={DEMO / 'home'} {run.program} down; "
        f"kill {Dashboards.number.read_text()}",
        soft_wrap=True,
        highlight=False,
    )
    return 0 if is_equal and is_conserved else 1


if __name__ == "__main__":
    sys.exit(main())
