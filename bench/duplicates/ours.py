"""What we find among files: `python -m bench.duplicates.ours JOB.json` prints JSON, as peers do.

By the functions that the pipeline calls, in one process and on one thread, without the parsing
children; the first call, which loads compiled code, is not counted.
"""

import json
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from models.domain.near import FilmFrame, PictureView, SoundPrint, TextPrint
from tasks.dedupe.near.films import FilmSearch
from tasks.dedupe.near.pictures import PictureSearch, Views
from tasks.dedupe.near.sounds import SoundSearch
from tasks.dedupe.near.stars import find_stars
from tasks.dedupe.near.texts import TextSearch
from tasks.fingerprint.perceptual.documents import decoded, document_text
from tasks.fingerprint.perceptual.film import film_prints, film_shots
from tasks.fingerprint.perceptual.pictures import open_upright, picture_views
from tasks.fingerprint.perceptual.sound import decoded_sound, sound_print
from tasks.fingerprint.perceptual.words import text_print
from tasks.fingerprint.signatures import sniff
from warehouse.schemas.arrow import to_table

_SAME = "docx pptx xlsx odt ods doc ppt xls epub eml html xml org rst rtf txt csv tsv pdf"
_OTHER = {"htm": "html", "mht": "html", "md": "markdown", "msg": "outlook", "ndjson": "jsonl"}
_LABELS = {name: name for name in _SAME.split()} | _OTHER
"""Content label by suffix, where the pipeline asks Magika."""

FOREIGN = Exception
"""What foreign parsers raise: a file that cannot be read has no signature."""


@dataclass(frozen=True, slots=True)
class Found:
    """Groups of positions in the paths given, and what they cost."""

    groups: list[list[int]]
    sign_cpu_s: float
    search_cpu_s: float
    note: str


def _signed(
    paths: Sequence[Path], sign: Callable[[Path, str], Iterable[Any]], row_type: type
) -> tuple[Any, float]:
    start = time.process_time()
    rows: list[Any] = []
    for number, path in enumerate(paths):
        try:
            rows += sign(path, f"{number:064x}")
        except FOREIGN:
            continue
    return to_table(rows, row_type), time.process_time() - start


def _grouped(search: Any, order: list[int]) -> list[list[int]]:
    number = [int(sha256, 16) for sha256 in search.contents]
    place = {n: content for content, n in enumerate(number)}
    stars = find_stars([place[n] for n in order if n in place], search)
    return [
        [number[star.keeper], *(number[proof.other] for proof in star.members)] for star in stars
    ]


def by_pixels(paths: Sequence[Path]) -> list[int]:
    """Return positions, the most pixels first and then by path, as the keep rules have it."""

    def pixels(path: Path) -> int:
        try:
            with Image.open(path) as picture:
                return picture.width * picture.height
        except FOREIGN:
            return 0

    size = [pixels(path) for path in paths]
    return sorted(range(len(paths)), key=lambda n: (-size[n], str(paths[n])))


def pictures(paths: Sequence[Path], order: list[int]) -> Found:
    """Return the groups of pictures."""

    def sign(path: Path, sha256: str) -> Iterable[PictureView]:
        with path.open("rb") as file:
            return picture_views(open_upright(file), sha256)

    table, sign_s = _signed(paths, sign, PictureView)
    with tempfile.TemporaryDirectory() as scratch:
        views = Views(table.to_batches(), Path(scratch))
        start = time.process_time()
        search = PictureSearch(views)
        groups = _grouped(search, order)
        search_s = time.process_time() - start
    note = f"radius {search.radius}, threshold {search.threshold}, {search.candidates} candidates"
    return Found(groups, sign_s, search_s, note)


def texts(paths: Sequence[Path], order: list[int]) -> Found:
    """Return the groups of plain texts."""

    def sign(path: Path, sha256: str) -> Iterable[TextPrint]:
        made = text_print(decoded(path.read_bytes()), sha256)
        return [made] if made else []

    return _texts(paths, order, sign)


def _texts(
    paths: Sequence[Path], order: list[int], sign: Callable[[Path, str], Iterable[TextPrint]]
) -> Found:
    table, sign_s = _signed(paths, sign, TextPrint)
    with tempfile.TemporaryDirectory() as scratch:
        start = time.process_time()
        search = TextSearch(table.to_batches(), Path(scratch))
        groups = _grouped(search, order)
        search_s = time.process_time() - start
    return Found(groups, sign_s, search_s, f"threshold {search.threshold}")


def sounds(paths: Sequence[Path], order: list[int]) -> Found:
    """Return the groups of recordings."""

    def sign(path: Path, sha256: str) -> Iterable[SoundPrint]:
        with path.open("rb") as file:
            samples, duration_s = decoded_sound(file, None, {})
        made = sound_print(samples, duration_s, sha256)
        return [made] if made else []

    table, sign_s = _signed(paths, sign, SoundPrint)
    start = time.process_time()
    search = SoundSearch(table.to_batches())
    groups = _grouped(search, order)
    return Found(groups, sign_s, time.process_time() - start, f"threshold {search.threshold}")


def films(paths: Sequence[Path], order: list[int]) -> Found:
    """Return the groups of films."""

    def sign(path: Path, sha256: str) -> Iterable[FilmFrame]:
        with path.open("rb") as file:
            shots, duration_ms = film_shots(file, None, {})
        return film_prints(shots, duration_ms, sha256)

    table, sign_s = _signed(paths, sign, FilmFrame)
    start = time.process_time()
    search = FilmSearch(table.to_batches())
    groups = _grouped(search, order)
    return Found(groups, sign_s, time.process_time() - start, f"threshold {search.threshold}")


def documents(paths: Sequence[Path], order: list[int]) -> Found:
    """Return the groups of documents in any format, by the text that is extracted from them."""

    def sign(path: Path, sha256: str) -> Iterable[TextPrint]:
        content = path.read_bytes()
        label = _LABELS.get(path.suffix.lower().lstrip("."), sniff(content[:8192]) or "")
        made = text_print(document_text(content, label), sha256)
        return [made] if made else []

    return _texts(paths, order, sign)


def warm_up() -> None:
    """Load or compile what is compiled, so that no figure contains it."""
    rows = [Image.effect_noise((80, 80), 90).convert("RGB")] * 3
    views = [view for n, row in enumerate(rows) for view in picture_views(row, f"{n:064x}")]
    words = " ".join(f"w{n % 40}" for n in range(60))
    prints = [text_print(words, f"{n:064x}") for n in range(3)]
    with tempfile.TemporaryDirectory() as scratch:
        found = Views(to_table(views, PictureView).to_batches(), Path(scratch))
        for search in (
            PictureSearch(found, radius=4),
            TextSearch(to_table(prints, TextPrint).to_batches(), Path(scratch)),
        ):
            find_stars(range(len(search.contents)), search)


KINDS = {
    "images": pictures,
    "texts": texts,
    "documents": documents,
    "sounds": sounds,
    "films": films,
}


def main() -> None:
    job = json.loads(Path(sys.argv[1]).read_text())
    warm_up()
    paths = [Path(path) for path in job["paths"]]
    order = by_pixels(paths) if job["kind"] == "images" else list(range(len(paths)))
    sys.stdout.write(json.dumps(asdict(KINDS[job["kind"]](paths, order))) + "\n")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
