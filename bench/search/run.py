"""How well and how fast files are found: 30 queries with known answers, by words, meaning, both.

Run: `python -m bench.search.run [--data ../shared/data]`. The sample collection is indexed by the
steps of the flow `index-search` on a durable Postgres of its own. Recall at 10 is the share of
queries for which the wanted content, or one of its other formats that `queries.csv` names, is among
the first ten answers; copies of a content count as it. The queries were written by reading the
documents, before the search was first run, and nothing was tuned to them.
"""

import argparse
import csv
import hashlib
import shutil
import statistics
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.worlds import new_job, postgres_only

ROOT = Path(__file__).resolve().parents[2]
QUERIES = Path(__file__).parent / "queries.csv"
DOCUMENT = ROOT / "docs" / "search.md"
BEGIN, END = "<!-- measured -->", "<!-- end of what was measured -->"
AT = 10
ROUNDS = 5
"""Times that each query is asked, for its latency."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One query and the contents that answer it."""

    text: str
    kind: str
    answers: frozenset[str]


def queries(data: Path) -> list[Query]:
    """Return the queries, their answers as SHA-256 of contents."""
    with QUERIES.open(encoding="utf-8", newline="") as file:
        return [
            Query(
                text=row["query"],
                kind=row["kind"],
                answers=frozenset(
                    hashlib.sha256((data / key).read_bytes()).hexdigest()
                    for key in row["answers"].split("|")
                ),
            )
            for row in csv.DictReader(file)
        ]


def index(data: Path, database_url: str) -> dict[str, float]:
    """Index the collection for search; returns seconds by step."""
    from bench.plain import reindex
    from models.domain.jobs import JobKind
    from tasks.categorize import embed_task
    from tasks.fingerprint import texts_task
    from tasks.ledger.ledger import Ledger
    from tasks.lifecycle.task import recall_index
    from tasks.search import task as search_task

    took: dict[str, float] = {}
    began = time.perf_counter()

    def told(name: str) -> None:
        nonlocal began
        took[name] = time.perf_counter() - began
        began = time.perf_counter()
        print(f"{name}: {took[name]:.1f} s", flush=True)

    job = new_job(Ledger(database_url), data, kind=JobKind.REINDEX)
    reindex(job.id)
    told("list, read, categorize, publish")
    contents = texts_task.list_searchable.fn(job.id, recall_index(job.id)["fingerprints"])
    unread = texts_task.list_unread_texts.fn(job.id, contents)
    texts_task.read_text_batch.fn(job.source_root_id, unread, 0, unread.rows)
    told(f"read the texts of {unread.rows:,} contents")
    unembedded = embed_task.list_unembedded.fn(job.id, contents)
    embed_task.embed_text_batch.fn(job.id, 0, unembedded, 0, unembedded.rows)
    told(f"embed {unembedded.rows:,} contents")
    search_task.index_vectors.fn(contents, embed_task.text_model_id())
    search_task.index_words.fn(job.source_root_id)
    told("index words and vectors")
    again = texts_task.list_unread_texts.fn(job.id, contents).rows
    again += embed_task.list_unembedded.fn(job.id, contents).rows
    told(f"look again: {again} to read or embed")
    return took


def ways(database_url: str) -> Iterator[tuple[str, Any]]:
    """Yield each way to search, by name, as a function from a query to hits."""
    from models.domain.embeddings import Tower
    from models.domain.search import SearchMode, SearchScope
    from models.settings import Settings
    from tasks.categorize.embedders import text_embedder
    from tasks.ledger.ledger import Ledger
    from tasks.search.core import Meaning, search
    from tasks.search.exact import LakeVectors
    from warehouse.store.parts import open_lake

    settings, ledger = Settings(), Ledger(database_url)
    scope = SearchScope(account_id=ledger.local_account())
    embedder = text_embedder(settings)
    stores = {
        "pgvector": ledger,
        "the lake, one by one": LakeVectors(open_lake(settings.lake), ledger),
    }
    meanings = {
        name: [Meaning(embedder=embedder, tower=Tower.TEXT, vectors=vectors)]
        for name, vectors in stores.items()
    }

    def way(mode: SearchMode, asked: Sequence[Meaning]) -> Any:
        return lambda text: search(text, scope, index=ledger, meanings=asked, mode=mode, limit=AT)

    yield "text", way(SearchMode.TEXT, [])
    for name, asked in meanings.items():
        yield f"semantic ({name})", way(SearchMode.SEMANTIC, asked)
        yield f"hybrid ({name})", way(SearchMode.HYBRID, asked)


def rank_of(hits: Sequence[Any], query: Query) -> int | None:
    """Return the place of the first wanted answer, from 1; None when it is not among them."""
    places = (place for place, hit in enumerate(hits, 1) if hit.file.content in query.answers)
    return next(places, None)


def measured(found: Any, asked: Sequence[Query]) -> tuple[list[int | None], list[float]]:
    """Return the place of each query's answer, and the seconds of every asking."""
    ranks = [rank_of(found(query.text), query) for query in asked]
    seconds: list[float] = []
    for _ in range(ROUNDS):
        for query in asked:
            began = time.perf_counter()
            found(query.text)
            seconds.append(time.perf_counter() - began)
    return ranks, seconds


def report(database_url: str, asked: Sequence[Query], took: dict[str, float]) -> str:
    """Return the figures as Markdown."""
    kinds = list(dict.fromkeys(query.kind for query in asked))
    sizes = Counter(query.kind for query in asked)
    heads = " | ".join(f"{kind} ({sizes[kind]})" for kind in kinds)
    lines = [
        f"| way | recall at {AT} | first | mean reciprocal rank | {heads} | p50 ms | p95 ms |",
        "|---" * (6 + len(kinds)) + "|",
    ]
    missed: defaultdict[str, list[str]] = defaultdict(list)
    for name, found in ways(database_url):
        ranks, seconds = measured(found, asked)
        by_kind = Counter(q.kind for q, rank in zip(asked, ranks, strict=True) if rank)
        cuts = statistics.quantiles(seconds, n=20)
        cells = [
            name,
            f"{sum(rank is not None for rank in ranks) / len(asked):.2f}",
            f"{sum(rank == 1 for rank in ranks) / len(asked):.2f}",
            f"{sum(1 / rank for rank in ranks if rank) / len(asked):.2f}",
            *(str(by_kind[kind]) for kind in kinds),
            f"{statistics.median(seconds) * 1000:.0f}",
            f"{cuts[-1] * 1000:.0f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
        missed[name] = [q.text for q, rank in zip(asked, ranks, strict=True) if rank is None]
    lines += ["", f"Found within the first {AT}; by kind of query, of how many. Not found:", ""]
    lines += [f"- {name}: {'; '.join(texts) or 'nothing'}" for name, texts in missed.items()]
    lines += ["", "Making the index, in seconds:", ""]
    lines += [f"- {name}: {seconds:.1f}" for name, seconds in took.items()]
    return "\n".join(lines)


def main() -> None:
    """Measure and write the figures into `docs/search.md`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--model", type=Path, help="Folder of models that are here already.")
    given = parser.parse_args()
    scratch = Path(tempfile.mkdtemp(prefix="fileorganizer-search-"))
    scratch.chmod(0o711)
    try:
        with postgres_only(scratch) as world:
            from models.settings import Settings
            from tasks.categorize.embedders import pull_model

            settings = Settings()
            if given.model is not None:
                shutil.copytree(given.model, settings.models_path)
            pull_model(settings.text_model, settings, source=None, again=False)
            took = index(given.data, world.database_url)
            figures = report(world.database_url, queries(given.data), took)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    print(figures)
    before, _, rest = DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    DOCUMENT.write_text(f"{before}{BEGIN}\n\n{figures}\n\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
