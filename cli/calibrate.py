"""`duplicates calibrate`: what a person says of about 100 pairs, and what it means for the rest."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from cli.following import followed
from cli.organize import Json
from cli.output import emit_json, err, fail, out, rows_table
from cli.session import Session, open_session
from models.domain.errors import FileOrganizerError, InvalidError, MissingError
from models.domain.jobs import JobKind
from models.domain.near import NearMedia
from models.domain.near_pairs import Calibration, Label, NearPair
from storage.opening import canonical_url, open_store
from tasks.dedupe.near.calibration import (
    LABELS,
    WANTED_PRECISION,
    Calibrated,
    calibrated,
    choose_of_all,
)
from tasks.dedupe.near.sheet import labels_of, sheet_of
from warehouse.schemas.arrow import to_rows
from warehouse.schemas.files import texts
from warehouse.store.parts import Lake, open_lake

_ANSWERS = {"y": True, "n": False}
_HEADER = ("from", "pairs", "right, expected", "95 % interval", "labels")


def calibrate(
    source: Annotated[str, typer.Argument(help="Folder, or s3://bucket/prefix.")],
    sheet: Annotated[
        Path | None, typer.Option("--csv", help="Read the labels from this sheet; ask nothing.")
    ] = None,
    new_sheet: Annotated[
        Path | None, typer.Option("--write-csv", help="Write the pairs here, to be labeled.")
    ] = None,
    pairs: Annotated[int, typer.Option(min=1, help="Pairs to ask about.")] = LABELS,
    precision: Annotated[
        float, typer.Option(min=0.5, max=1, help="Share of right pairs that is wanted.")
    ] = WANTED_PRECISION,
    media: Annotated[
        list[NearMedia] | None, typer.Option(help="Kinds to compare; all of them if unset.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Learn from some pairs that you label how precise each threshold is here. Removes nothing.

    Pairs from barely to very alike are shown; you say of each whether one could go. Later searches
    of this folder without `--threshold` use what was learned. Labels belong to contents: calibrate
    again at any time, and only new pairs are asked about.

    Examples:
        fileorganizer duplicates calibrate ~/Photos
        fileorganizer duplicates calibrate ~/Photos --write-csv pairs.csv
        fileorganizer duplicates calibrate ~/Photos --csv pairs.csv --json
    """
    try:
        if sheet is not None and new_sheet is not None:
            raise InvalidError("give --csv or --write-csv, not both")
        said = None if sheet is None else labels_of(_read(sheet))
        with open_session(quiet=as_json) as session:
            from tasks.dedupe.calibrations import keep_calibration, read_calibration
            from tasks.dedupe.near.searches import DEFAULTS

            lake = open_lake(session.settings.lake)
            root_id = session.ledger.root_for(canonical_url(source)).id
            found = _find(session, lake, source, media or [*NearMedia], quiet=as_json)
            known = read_calibration(lake, root_id)
            asked = choose_of_all(found.not_labeled(known), pairs)
            if new_sheet is not None:
                text = sheet_of(asked, found.keys, found.thumbnails)
                new_sheet.write_text(text, encoding="utf-8")
                _tell_sheet(new_sheet, len(asked), as_json=as_json)
                return
            labels = _ask(asked, found) if said is None else said
            every = [*known.labels, *labels]
            kept, rows = calibrated(every, found.pairs, precision, DEFAULTS)
            keep_calibration(lake, root_id, kept)
            _print(rows, kept.thresholds, precision, as_json=as_json)
    except FileOrganizerError as error:
        fail(error, as_json=as_json)


@dataclass(frozen=True, slots=True)
class _Found:
    """Pairs of a root, a file of each of their contents, and where thumbnails are, by file."""

    pairs: list[NearPair]
    keys: dict[str, str]
    thumbnails: dict[str, str]

    def not_labeled(self, known: Calibration) -> list[NearPair]:
        """Return the pairs of which nobody said anything yet."""
        said = {label.pair for label in known.labels}
        return [pair for pair in self.pairs if (pair.sha256, pair.other_sha256) not in said]


def _find(
    session: Session, lake: Lake, source: str, media: list[NearMedia], *, quiet: bool
) -> _Found:
    """Index a root and return its pairs."""
    from flows.near import near_pairs
    from tasks.lifecycle.task import job_for_root, recall_index

    url = canonical_url(source)
    store = open_store(url, s3_endpoint_url=session.settings.s3_endpoint_url)
    next(iter(store.list_pages(page_size=1)), None)
    job_id = job_for_root(JobKind.REINDEX, session.ledger.root_for(url).id)
    with followed(session.ledger, job_id, quiet=quiet):
        near_pairs(job_id, [*media])
    tables = recall_index(job_id)
    listed, files = lake.read(tables["contents"]), lake.read(tables["fingerprints"])
    shown = zip(texts(files, "key"), files["thumbnail"].to_pylist(), strict=True)
    return _Found(
        pairs=to_rows(lake.read(tables["pairs"]), NearPair),
        keys=dict(zip(texts(listed, "sha256"), texts(listed, "key"), strict=True)),
        thumbnails={key: lake.path(str(uri)) for key, uri in shown if uri},
    )


def _read(sheet: Path) -> str:
    try:
        return sheet.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise MissingError(f"there is no {sheet}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidError(f"{sheet} cannot be read as text in UTF-8") from error


def _ask(pairs: Sequence[NearPair], shown: _Found) -> list[Label]:
    """Return what a person answers; `s` leaves a pair out, `q` ends the questions."""
    found: list[Label] = []
    for number, pair in enumerate(pairs, start=1):
        err.print(f"\n[bold]{number} of {len(pairs)}[/]: {pair.media}, {pair.evidence}")
        for sha256 in (pair.sha256, pair.other_sha256):
            key = shown.keys[sha256]
            err.print(f"  {escape(key)}")
            if key in shown.thumbnails:
                err.print(f"    [dim]{escape(shown.thumbnails[key])}[/]")
        answer = ""
        while answer not in {*_ANSWERS, "s", "q"}:
            answer = typer.prompt("Could one of them go? [y/n/s(kip)/q(uit)]", err=True)
            answer = answer.strip().lower()[:1]
        if answer == "q":
            break
        if answer in _ANSWERS:
            both = (pair.sha256, pair.other_sha256)
            found.append(Label(media=pair.media, pair=both, is_duplicate=_ANSWERS[answer]))
    return found


def _tell_sheet(path: Path, count: int, *, as_json: bool) -> None:
    if as_json:
        emit_json({"sheet": str(path), "pairs": count})
        return
    out.print(f"{count:,} pairs in {escape(str(path))}: fill in is_duplicate (yes or no), then")
    out.print("fileorganizer duplicates calibrate SOURCE --csv of that file")


def _print(
    rows: Mapping[str, Sequence[Calibrated]],
    thresholds: Mapping[str, float],
    precision: float,
    *,
    as_json: bool,
) -> None:
    if as_json:
        document = {media: [asdict(row) for row in some] for media, some in rows.items()}
        emit_json({"calibration": document, "thresholds": dict(thresholds)})
        return
    labeled = {media: some for media, some in rows.items() if some}
    if not labeled:
        out.print("Nothing was labeled of what is here, so nothing is known of any threshold.")
    for media, some in labeled.items():
        title = f"{media}: how precise each threshold is here"
        out.print(rows_table(title, _HEADER, [_line(row) for row in some]))
        chosen = thresholds.get(media)
        words = (
            f"from now on {chosen:.2f} unless --threshold says otherwise"
            if chosen is not None
            else f"no threshold is expected to be {precision:.0%} right: the default stays"
        )
        out.print(f"{media}: {words}\n")


def _line(row: Calibrated) -> tuple[str, ...]:
    return (
        f"{row.threshold:.2f}",
        f"{row.pairs:,}",
        f"{row.precision:.1%}",
        f"{row.low:.1%} to {row.high:.1%}",
        f"{row.labeled:,}",
    )
