"""B14: everything about the sample collection beside the peers that do a part of it each.

Method: the flow `near-duplicates` (hashes, types, metadata, thumbnails, exact and near-duplicates
of pictures and of texts in any format, catalog and warehouse) through a real Prefect server and a
durable Postgres, in a fresh process, against jdupes, exiftool, `file`, imagededup over the pictures
and datasketch over the plain texts, one after the other. CPU seconds of all processes; the servers
run already, as they do for every job. The second row is the same question asked again; the third
also compares sounds and films, which no peer here does (pictures and texts are signed by then).
"""

import csv
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.b05_pictures import peer
from bench.measure import Meter, Result
from bench.worlds import World, new_job, whole_stack

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
GOAL = 0.3
COMPARED = ("image", "document")
"""What the peers compare, too."""
EVERYTHING = (*COMPARED, "audio", "video")
COMMANDS: dict[str, tuple[str, ...]] = {
    "jdupes": ("jdupes", "--quiet", "--recurse"),
    "exiftool": ("exiftool", "-quiet", "-recurse", "-json"),
    "file": ("file", "--mime-type"),
}


def _tool(name: str, folder: Path) -> float:
    """Return the CPU seconds of a peer that is a program."""
    if shutil.which(name) is None:
        raise RuntimeError(f"{name} is not installed (Debian: jdupes libimage-exiftool-perl file)")
    paths: Sequence[Path] = [folder]
    if name == "file":
        paths = [path for path in folder.rglob("*") if path.is_file()]
    with Meter() as meter:
        # exiftool's status tells of files it does not know; that is no failure
        subprocess.run([*COMMANDS[name], *map(str, paths)], check=False, capture_output=True)
    return meter.cpu_s


def _peers(folder: Path) -> dict[str, float]:
    with (folder / "truth.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    images = [folder / row["path"] for row in rows if row["kind"] == "image"]
    texts = [folder / row["path"] for row in rows if row["path"].endswith(".txt")]
    costs = {name: _tool(name, folder) for name in COMMANDS}
    costs["imagededup"] = float(peer("imagededup_phash", "images", images)["cpu_s"])
    costs["datasketch"] = float(peer("datasketch_minhash", "texts", texts)["cpu_s"])
    return costs


def _ours(folder: Path, world: World, media: Sequence[str] = COMPARED) -> Meter:
    """Return what a near-duplicates job over a folder costs."""
    from models.domain.jobs import JobKind
    from tasks.ledger.ledger import Ledger

    job = new_job(Ledger(world.database_url), folder, kind=JobKind.REINDEX)
    with Meter(*world.servers) as meter:
        subprocess.run([sys.executable, "-m", "bench.b14_collection", job.id, *media], check=True)
    return meter


def measure(scratch: Path, *, full: bool) -> list[Result]:
    """Return our CPU seconds over the sum of the peers'."""
    del full
    if not DATA.is_dir():
        raise RuntimeError("the sample collection is not beside the repository")
    folder = shutil.copytree(DATA, scratch / "data")
    costs = _peers(folder)
    few = scratch / "few"
    shutil.copytree(folder / "orientation", few)
    with whole_stack(scratch) as world:
        _ours(few, world)  # compiles what is compiled, once for an installation
        first = _ours(folder, world)
        again = _ours(folder, world)
        everything = _ours(shutil.copytree(DATA, scratch / "anew"), world, EVERYTHING)
    peers = ", ".join(f"{name} {cost:.1f}" for name, cost in costs.items())
    note = f"{peers}; servers {first.servers_s:.1f} of ours; by the clock {first.wall_s:.0f} s"
    return [
        Result(
            figure="B14",
            what=what,
            yardstick="jdupes, exiftool, file, imagededup, datasketch in sequence",
            ours=meter.cpu_s,
            theirs=sum(costs.values()),
            unit="CPU s",
            goal=goal,
            note=text,
        )
        for what, meter, goal, text in (
            ("the whole sample collection, 2,899 files", first, GOAL, note),
            ("the same asked again", again, None, ""),
            ("in another folder, with sounds and films, too", everything, None, ""),
        )
    ]


def _run(job_id: str, media: list[str]) -> None:
    from flows.near import near_duplicates

    near_duplicates(job_id, media)


if __name__ == "__main__":
    _run(sys.argv[1], sys.argv[2:])
