"""B5: near-duplicate pictures end to end beside imagededup.

Method: decoding, signatures and search over 200 photos of the sample collection in 13 kinds of
copies (2,800 files of a fifth of a megapixel), in a fresh process on one thread, against
imagededup's pHash and its search as its documentation shows them; imports are counted for neither.
The second row is the same of 6 photos enlarged to 12 megapixels (84 files): what cameras make. CPU
seconds; each at its default threshold; the note says at which F1.
"""

import sys
from pathlib import Path
from typing import Any

from PIL import Image

from bench.measure import Result

GOAL = 0.15
ROOT = Path(__file__).resolve().parents[1]
PEERS = ROOT / "build" / "peers"
SAMPLES = ROOT.parent / "shared" / "data" / "inbox"
PHOTOS = 200
LARGE_PHOTOS = 6
LARGE = (4000, 3000)


def _enlarged(source: Path, folder: Path) -> Path:
    """Make a few photos of 12 megapixels, with the grain that cameras add."""
    from bench.duplicates.make_copies import photos

    folder.mkdir()
    for number, path in enumerate(photos(source, LARGE_PHOTOS)):
        with Image.open(path) as picture:
            large = picture.convert("RGB").resize(LARGE, Image.Resampling.BICUBIC)
        grain = Image.effect_noise(LARGE, 30).convert("RGB")
        Image.blend(large, grain, 0.1).save(folder / f"{number}.jpg", quality=92)
    return folder


def peer(name: str, kind: str, paths: list[Path]) -> dict[str, Any]:
    """Return what a peer of ours found, and its CPU seconds.

    Raises:
        RuntimeError: it cannot be installed here.
    """
    from bench.duplicates.run import asked, peer_python

    job = {"kind": kind, "paths": [str(path) for path in paths], "only": [name]}
    script = ROOT / "bench" / "duplicates" / "peers.py"
    found: dict[str, Any] = asked([peer_python(PEERS), script], job)[name]
    if "missing" in found:
        raise RuntimeError(f"{name}: {found['missing']}")
    return found


def _ours(folder: Path) -> tuple[float, float]:
    """Return CPU seconds and F1 of what we find in a folder of copies."""
    from bench.duplicates.run import asked
    from bench.duplicates.truth import families, score, within

    paths, truth = families(folder)
    job = {"kind": "images", "paths": [str(path) for path in paths]}
    found = asked([sys.executable, "-m", "bench.duplicates.ours"], job)
    return found["sign_cpu_s"] + found["search_cpu_s"], score(
        within(found["groups"]), truth, set()
    ).f1


def _theirs(folder: Path) -> tuple[float, float]:
    """Return CPU seconds and F1 of imagededup, by pairs or components, the better."""
    from bench.duplicates.truth import components, families, score, within

    paths, truth = families(folder)
    answer = peer("imagededup_phash", "images", paths)
    pairs = {(min(pair), max(pair)) for pair in answer["pairs"]}
    f1 = max(score(some, truth, set()).f1 for some in (pairs, within(components(pairs))))
    return float(answer["cpu_s"]), f1


def measure(scratch: Path, *, full: bool) -> list[Result]:
    """Return our CPU seconds over imagededup's, for small and for large pictures."""
    del full
    if not SAMPLES.is_dir():
        raise RuntimeError("the sample collection is not beside the repository")
    from bench.duplicates.make_copies import make

    small, large = scratch / "small", scratch / "large"
    counts = [make(SAMPLES, small, count=PHOTOS, seed=7)]
    counts.append(make(_enlarged(SAMPLES, scratch / "photos"), large, count=LARGE_PHOTOS, seed=7))
    results: list[Result] = []
    for count, folder, what in zip(
        counts, (small, large), ("a fifth of a megapixel", "12 megapixels"), strict=True
    ):
        ours, f1 = _ours(folder)
        theirs, their_f1 = _theirs(folder)
        results.append(
            Result(
                figure="B5",
                what=f"near-duplicates among {count:,} pictures of {what}",
                yardstick="imagededup pHash",
                ours=ours,
                theirs=theirs,
                unit="CPU s",
                goal=GOAL,
                note=f"F1 {f1:.3f} against {their_f1:.3f}",
            )
        )
    return results
