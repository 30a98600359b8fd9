"""`review`: the files an answer tells most about, your corrections, and what they change."""

import csv
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import pyarrow as pa
import typer
from rich.markup import escape

from cli.following import followed
from cli.organize import Json
from cli.output import emit_json, err, fail, out, rows_table
from cli.session import Session, open_session
from models.domain.errors import FileOrganizerError, InvalidError
from models.domain.jobs import JobKind
from models.domain.taxonomy import Correction, Taxonomy
from storage.opening import canonical_url, open_store
from tasks.categorize.review import Change, Question, changes, questions
from tasks.categorize.taxonomy import load_taxonomy
from warehouse.store.parts import open_lake

COLUMNS = ("sha256", "path", "category", "subcategory", "guess", "confidence", "options", "reason")
"""Of a CSV; `category` and `subcategory` are for you to fill in."""
SHOWN = 20
"""Changed files shown on a terminal; JSON has them all."""
SHA256_DIGITS = 64


def _indexed(session: Session, source: str, *, quiet: bool) -> tuple[pa.Table, pa.Table]:
    """Bring a root's index up to date; returns its categories and its fingerprints."""
    from flows.reindex import reindex_root
    from tasks.lifecycle.task import job_for_root, recall_index

    url = canonical_url(source)
    store = open_store(url, s3_endpoint_url=session.settings.s3_endpoint_url)
    next(iter(store.list_pages(page_size=1)), None)
    job_id = job_for_root(JobKind.REINDEX, session.ledger.root_for(url).id)
    with followed(session.ledger, job_id, quiet=quiet):
        reindex_root(job_id)
    lake = open_lake(session.settings.lake, s3_endpoint_url=session.settings.s3_endpoint_url)
    tables = recall_index(job_id)
    return lake.read(tables["categories"]), lake.read(tables["fingerprints"])


def write_questions(path: Path, asked: Sequence[Question]) -> None:
    """Write questions as a CSV whose column `category` waits to be filled in.

    Raises:
        InvalidError: the file cannot be written.
    """
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            for each in asked:
                options = "; ".join(f"{name} {share:.2f}" for name, share in each.options)
                told = (each.guess, f"{each.confidence:.2f}", options, each.reason)
                writer.writerow((each.sha256, each.key, "", "", *told))
    except OSError as error:
        raise InvalidError(f"{path} cannot be written: {error}") from error


def read_answers(path: Path, taxonomy: Taxonomy) -> list[Correction]:
    """Return the corrections of a CSV; rows without a category say nothing.

    Raises:
        InvalidError: it is none, or a row names no category; the text says which rows, all of them.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InvalidError(f"{path} cannot be read: {error}") from error
    if rows and not {"sha256", "category"} <= set(rows[0]):
        raise InvalidError(f"{path} lacks the columns sha256 and category; --write-csv makes one")
    found: list[Correction] = []
    wrong: list[str] = []
    for line, row in enumerate(rows, start=2):
        if not (row["category"] or "").strip():
            continue
        try:
            found.append(
                _answer(row["sha256"] or "", row["category"], row.get("subcategory"), taxonomy)
            )
        except FileOrganizerError as error:
            wrong.append(f"  line {line}: {error}")
    if wrong:
        raise InvalidError(f"{path} corrects nothing yet:\n" + "\n".join(wrong))
    return found


def _answer(sha256: str, category: str, below: str | None, taxonomy: Taxonomy) -> Correction:
    sha256 = sha256.strip().lower()
    if len(sha256) != SHA256_DIGITS or set(sha256) - set("0123456789abcdef"):
        raise InvalidError(f"{sha256!r} is no SHA-256")
    if not (below or "").strip() and "/" in category:
        category, _, below = category.partition("/")
    names = taxonomy.pair(category.strip(), (below or "").strip() or None)
    return Correction(sha256=sha256, category=names[0], subcategory=names[1])


def _ask(asked: Sequence[Question], taxonomy: Taxonomy) -> list[Correction]:
    """Ask at the terminal: a number, a category, nothing to skip, `q` to end."""
    found: list[Correction] = []
    for number, each in enumerate(asked, start=1):
        _show(number, each)
        while True:
            said = typer.prompt("which", default="", show_default=False).strip()
            if said in {"", "q"}:
                break
            choices = [name for name, _ in each.options[:3]]
            is_number = said.isascii() and said.isdigit() and 1 <= int(said) <= len(choices)
            chosen = choices[int(said) - 1] if is_number else said
            try:
                found.append(_answer(each.sha256, chosen, None, taxonomy))
                break
            except FileOrganizerError as error:
                err.print(str(error), markup=False)
        if said == "q":
            break
    return found


def _show(number: int, question: Question) -> None:
    out.print(f"[bold]{number}[/] {escape(question.key)}", soft_wrap=True)
    out.print(f"   [dim]{escape(question.reason)}[/]", soft_wrap=True)
    for place, (name, share) in enumerate(question.options[:3], start=1):
        out.print(f"   {place}  {escape(name)} [dim]{share:.0%}[/]")


def _report(
    asked: Sequence[object], corrected: int, changed: Sequence[Change], seconds: float
) -> None:
    if not asked:
        err.print("nothing to ask: every file is clear or was answered")
    if not corrected:
        return
    out.print(
        f"{corrected:,} corrections learned, {len(changed):,} files changed category "
        f"in {seconds:.1f} s"
    )
    rows = [(each.key, each.before, each.after, f"{each.confidence:.2f}") for each in changed]
    if rows:
        out.print(rows_table("what changed", ("file", "before", "now", "confidence"), rows[:SHOWN]))


def review(
    source: Annotated[str, typer.Argument(help="Folder, or s3://bucket/prefix.")],
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Questions at most.")] = 10,
    from_csv: Annotated[
        Path | None, typer.Option("--csv", help="Take the corrections of this file.")
    ] = None,
    write_csv: Annotated[
        Path | None, typer.Option("--write-csv", help="Write the questions to this file.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List the files an answer tells most about, take your corrections, and learn from them.

    Corrections belong to contents: they hold after files were renamed or moved, and in every other
    folder. The classifier learns from them at once, and what it decides otherwise now is shown. No
    file is moved; `organize` does that.

    Examples:
        fileorganizer review ~/Documents
        fileorganizer review ~/Documents --limit 200 --write-csv questions.csv
        fileorganizer review ~/Documents --csv questions.csv
    """
    try:
        with open_session(quiet=as_json) as session:
            taxonomy = load_taxonomy(session.settings)
            given = [] if from_csv is None else read_answers(from_csv, taxonomy)
            account = session.ledger.local_account()
            before, files = _indexed(session, source, quiet=as_json)
            answered = {each.sha256 for each in session.ledger.labels(account)}
            asked = questions(before, files, answered, limit) if from_csv is None else []
            if write_csv is not None:
                write_questions(write_csv, asked)
            elif from_csv is None and not as_json and sys.stdin.isatty():
                given = _ask(asked, taxonomy)
            began = time.perf_counter()
            kept_as = "review" if from_csv is None else "csv"
            corrected = session.ledger.label(account, given, source=kept_as)
            changed: list[Change] = []
            if corrected:
                after, _ = _indexed(session, source, quiet=as_json)
                changed = changes(before, after)
            seconds = time.perf_counter() - began
    except FileOrganizerError as error:
        fail(error, as_json=as_json)
    if as_json:
        document: dict[str, Any] = {
            "questions": [asdict(each) for each in asked],
            "corrected": corrected,
            "changed": [asdict(each) for each in changed],
            "seconds": seconds,
        }
        emit_json(document)
        return
    if not given and write_csv is None and not sys.stdin.isatty():
        for number, each in enumerate(asked, start=1):
            _show(number, each)
    if write_csv is not None:
        err.print(
            f"{len(asked)} questions in {write_csv}; fill in `category`, then --csv", markup=False
        )
    _report(asked or given, corrected, changed, seconds)


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command()(review)
