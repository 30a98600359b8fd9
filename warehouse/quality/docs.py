"""Data Docs of a run: what each expectation saw of it, as pages that need no other host.

Great Expectations renders the sections. The page around them is ours, as its own one loads scripts
and styles from eight hosts; and what it shows of values it does not escape, so that is done before.
"""

import copy
import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from models.domain.errors import MissingError
from warehouse.quality.invariants import Measure
from warehouse.store.parts import Lake
from warehouse.store.publishing import StagedRun, Verdict

POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""Nothing in a page runs or is loaded, whatever a file is called."""

INDEX = "index.html"


def docs_uri(run_id: str, name: str = INDEX) -> str:
    """Return where in the lake a page of a run is."""
    return f"runs/{run_id}/publish/docs/{name}"


def docs_address(lake: Lake, run_id: str) -> str:
    """Return the URL of a run's Data Docs, `file:///...` or `s3://...`."""
    address = lake.path(docs_uri(run_id))
    return address if "://" in address else Path(address).absolute().as_uri()


def copied_docs(lake: Lake, run_id: str, folder: Path) -> Path:
    """Copy the Data Docs of a run into a folder of this machine, and return its index.

    Raises:
        MissingError: there are none.
        BusyError: the lake does not answer.
    """
    names = lake.names(docs_uri(run_id, "")[:-1])
    if INDEX not in names:
        raise MissingError(f"run {run_id} has no Data Docs: it was judged before they were kept")
    target = folder / run_id
    target.mkdir(parents=True, exist_ok=True)
    for name in names:
        (target / name).write_bytes(lake.read_blob(docs_uri(run_id, name)))
    return target / INDEX


@dataclass(slots=True)
class DataDocs:
    """Pages of one run, made while it is judged; all of them are kept in memory (20 kB each).

    Attributes:
        pages: by name: what is judged, how many expectations, how many unmet, and the HTML.
    """

    pages: dict[str, tuple[str, int, int, str]] = field(
        default_factory=dict[str, tuple[str, int, int, str]]
    )

    def add(self, what: str, outcome: Any) -> None:
        """Render what Great Expectations found of one table, or of a part of it."""
        unmet = sum(not each.success for each in outcome.results)
        name = f"{what.replace(' ', '-')}.html"
        self.pages[name] = (what, len(outcome.results), unmet, _page(what, _sections(outcome)))

    def keep(
        self, lake: Lake, run: StagedRun, verdict: Verdict, measured: Sequence[Measure]
    ) -> None:
        """Write the pages beside the run's staged rows; again they are written over.

        Raises:
            BusyError: the lake does not answer.
        """
        for name, (_, _, _, page) in self.pages.items():
            lake.write_blob(docs_uri(run.run_id, name), page.encode())
        index = _page(f"Run {run.run_id}", self._index(run, verdict, measured))
        lake.write_blob(docs_uri(run.run_id), index.encode())

    def _index(
        self, run: StagedRun, verdict: Verdict, measured: Sequence[Measure]
    ) -> Iterable[str]:
        is_well = not verdict.failures
        yield (
            f'<p class="{"good" if is_well else "bad"}">{verdict.expectations:,} expectations, '
            f"{len(verdict.failures):,} unmet: the run "
            f"{'is published' if is_well else 'is in quarantine, and no view shows it'}.</p>"
        )
        kind, root = html.escape(run.kind), html.escape(run.root_id)
        yield f"<p>A run of <code>{kind}</code> over root <code>{root}</code>.</p>"
        if verdict.failures:
            yield "<h5>What is unmet</h5><ul>"
            yield from (f"<li>{html.escape(each)}</li>" for each in verdict.failures)
            yield "</ul>"
        if self.pages:
            yield "<h5>Expectations of columns</h5>"
            yield _table(
                ("table", "expectations", "unmet"),
                (
                    (f'<a href="{name}">{html.escape(what)}</a>', f"{count}", f"{unmet}")
                    for name, (what, count, unmet, _) in self.pages.items()
                ),
            )
        yield "<h5>Counts of the whole run</h5>"
        yield _table(
            ("", "what was counted", "is", "must be"),
            (
                (
                    '<i class="good">✓</i>'
                    if each.actual == each.expected
                    else '<i class="bad">✗</i>',
                    html.escape(each.measure),
                    f"{each.actual:,}",
                    f"{each.expected:,}",
                )
                for each in measured
            ),
        )


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = "".join(f"<th>{each}</th>" for each in heads)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _page(title: str, content: Iterable[str]) -> str:
    style = files("warehouse.quality").joinpath("docs.css").read_text("utf-8")
    name = html.escape(title)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{name}</title>'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        f"<style>{style}</style></head><body><h1>{name}</h1>{''.join(content)}</body></html>\n"
    )


def _sections(outcome: Any) -> Iterable[str]:
    from great_expectations.render.renderer.page_renderer import ValidationResultsPageRenderer
    from great_expectations.render.view.view import DefaultJinjaSectionView

    document: Any = ValidationResultsPageRenderer(run_info_at_end=True).render(_escaped(outcome))
    view = DefaultJinjaSectionView()
    # The first section tells the counts that the index has, the last one this machine's versions.
    for number, section in enumerate(document.sections[1:-1]):
        yield view.render({"section": section.to_json_dict(), "section_loop": {"index": number}})


def _escaped(outcome: Any) -> Any:
    """Return an outcome whose values are texts of HTML."""
    found = copy.deepcopy(outcome)
    for each in found.results:
        each.result = _escaped_value(each.result)
    return found


def _escaped_value(value: Any) -> Any:
    if isinstance(value, str):
        return html.escape(value)
    if isinstance(value, dict):
        return {name: _escaped_value(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_escaped_value(each) for each in value]
    return value
