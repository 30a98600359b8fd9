"""Prefect edge of understanding: whether models may and can be asked, one batch, and the result."""

import hashlib
from collections.abc import Sequence
from contextlib import suppress

import pyarrow as pa
from prefect import task

from models.domain.embeddings import ContentGuess, TextContent, TextEvidence
from models.domain.entitlements import Feature, includes
from models.domain.errors import MissingError
from models.domain.jobs import Job
from models.domain.table_refs import TableRef
from models.domain.taxonomy import Correction, Taxonomy
from models.settings import Settings
from tasks.categorize import core
from tasks.categorize.core import OPEN_BELOW
from tasks.categorize.embedders import (
    image_embedder,
    picture_problem,
    text_embedder,
    text_problem,
)
from tasks.categorize.taxonomy import load_taxonomy
from tasks.categorize.understanding import (
    DECISION_VERSION,
    judge_of,
    judged_pictures,
    judged_texts,
)
from tasks.categorize.vectors import Vectors
from tasks.ledger.ledger import open_ledger
from tasks.retries import RETRY_DELAYS_S, RETRY_JITTER_RATIO, is_busy
from warehouse.schemas.arrow import to_rows, to_table
from warehouse.store.parts import Lake, open_lake

__all__ = [
    "OPEN_BELOW",
    "list_pictures",
    "picture_refusal",
    "refusal",
    "settle_categories",
    "understand_pictures",
    "understand_texts",
    "understanding_of",
]

NOT_INCLUDED = "the account's plan does not include AI categorization"


def refusal(job: Job) -> str | None:
    """Return in words why no model is asked for a job; None when one is.

    The weights are not even looked for where the job's account is not entitled to them.
    """
    if not includes(job.entitlement_snapshot, Feature.AI_CATEGORIZATION):
        return NOT_INCLUDED
    return text_problem(Settings())


def picture_refusal(job: Job) -> str | None:
    """Return in words why no picture is looked at for a job; None when they are."""
    if not includes(job.entitlement_snapshot, Feature.AI_CATEGORIZATION):
        return NOT_INCLUDED
    return picture_problem(Settings())


def understanding_of(job: Job) -> str:
    """Return in words what understood a job's files: for its result."""
    if not includes(job.entitlement_snapshot, Feature.AI_CATEGORIZATION):
        return NOT_INCLUDED
    settings = Settings()
    texts = text_problem(settings) or f"by {text_embedder(settings).model_id}"
    pictures = picture_problem(settings) or f"by {image_embedder(settings).model_id}"
    return f"texts: {texts}; pictures: {pictures}"


@task(
    retries=3,
    retry_delay_seconds=RETRY_DELAYS_S,
    retry_jitter_factor=RETRY_JITTER_RATIO,
    retry_condition_fn=is_busy,
)
def understand_texts(  # noqa: PLR0917 - ids and a range of rows, as flows name them
    job_id: str, batch: int, contents: TableRef, evidence: TableRef, first: int, last: int
) -> TableRef:
    """Return what the sentence model makes of contents [first, last).

    Vectors that are in the lake are not made again.

    Args:
        job_id: whose taxonomy and corrections count.
        batch: its number.
        contents: rows of `TextContent`.
        evidence: rows of `TextEvidence` of those contents.
        first: row of `contents`.
        last: row of `contents`, not included.

    Returns:
        (last - first,) rows of `ContentGuess`, sorted by content.
    """
    settings = Settings()
    lake = open_lake(settings.lake, s3_endpoint_url=settings.s3_endpoint_url)
    with open_ledger(settings) as ledger:
        corrections = ledger.labels(ledger.job(job_id).account_id)
    taxonomy = load_taxonomy(settings).by_ids()
    embedder = text_embedder(settings)
    made_by = _made_by(embedder.model_id, taxonomy, corrections, settings)
    name = f"{evidence.sha256[:16]}-{made_by}/part-{batch:05d}"
    uri = f"runs/{job_id}/understand/{name}.parquet"
    found = lake.find(uri)
    if found is not None:
        return found
    vectors = Vectors(lake, embedder)
    rows = judged_texts(
        to_rows(lake.read(contents).slice(first, last - first), TextContent),
        {row.sha256: row for row in to_rows(lake.read(evidence), TextEvidence)},
        vectors,
        judge_of(vectors, taxonomy, corrections),
        review_below=settings.review_below,
        made_by=f"{job_id}-{name}",
    )
    return lake.write_part(to_table(rows, ContentGuess), uri=uri, table_name="guesses")


@task(
    retries=3,
    retry_delay_seconds=RETRY_DELAYS_S,
    retry_jitter_factor=RETRY_JITTER_RATIO,
    retry_condition_fn=is_busy,
)
def list_pictures(job_id: str, fingerprints: TableRef, categories: TableRef) -> TableRef:
    """Return the pictures whose category or sub-category rules left open.

    Returns:
        (n,) rows of `sha256` and `thumbnail` (its place in the lake), each content once, sorted.
    """
    settings = Settings()
    lake = open_lake(settings.lake, s3_endpoint_url=settings.s3_endpoint_url)
    table = core.open_pictures(lake.read(fingerprints), lake.read(categories))
    made_from = f"{fingerprints.sha256[:16]}-{categories.sha256[:16]}"
    uri = f"runs/{job_id}/understand/pictures-{made_from}.parquet"
    return lake.write_part(table, uri=uri, table_name="pictures")


@task(
    retries=3,
    retry_delay_seconds=RETRY_DELAYS_S,
    retry_jitter_factor=RETRY_JITTER_RATIO,
    retry_condition_fn=is_busy,
)
def understand_pictures(
    job_id: str, batch: int, pictures: TableRef, first: int, last: int
) -> TableRef:
    """Return what the image tower makes of pictures [first, last), by their thumbnails.

    Returns:
        (m,) rows of `ContentGuess`, m at most last - first: a picture without a thumbnail has none.
    """
    settings = Settings()
    lake = open_lake(settings.lake, s3_endpoint_url=settings.s3_endpoint_url)
    with open_ledger(settings) as ledger:
        corrections = ledger.labels(ledger.job(job_id).account_id)
    taxonomy = load_taxonomy(settings).by_ids()
    embedder = image_embedder(settings)
    made_by = _made_by(embedder.model_id, taxonomy, corrections, settings)
    name = f"{pictures.sha256[:16]}-{made_by}/part-{batch:05d}"
    uri = f"runs/{job_id}/understand/{name}.parquet"
    found = lake.find(uri)
    if found is not None:
        return found
    vectors = Vectors(lake, embedder)
    rows = judged_pictures(
        _thumbnails(lake, lake.read(pictures).slice(first, last - first)),
        vectors,
        embedder,
        judge_of(vectors, taxonomy, corrections, pictures=True),
        review_below=settings.review_below,
        made_by=f"{job_id}-{name}",
    )
    return lake.write_part(to_table(rows, ContentGuess), uri=uri, table_name="guesses")


def _thumbnails(lake: Lake, pictures: pa.Table) -> dict[str, bytes]:
    """Return the thumbnails of some pictures by content; one that is gone is left out."""
    found: dict[str, bytes] = {}
    for row in pictures.to_pylist():
        with suppress(MissingError):
            found[row["sha256"]] = lake.read_blob(row["thumbnail"])
    return found


def _made_by(
    model_id: str, taxonomy: Taxonomy, corrections: Sequence[Correction], settings: Settings
) -> str:
    """Return 16 hexadecimal digits that differ whenever a decision might."""
    said = "\n".join(f"{c.sha256} {c.category}/{c.subcategory}" for c in corrections)
    made_from = (model_id, DECISION_VERSION, taxonomy.digest, settings.review_below, said)
    return hashlib.sha256(repr(made_from).encode()).hexdigest()[:16]


@task(
    retries=3,
    retry_delay_seconds=RETRY_DELAYS_S,
    retry_jitter_factor=RETRY_JITTER_RATIO,
    retry_condition_fn=is_busy,
)
def settle_categories(
    job_id: str, fingerprints: TableRef, categories: TableRef, guesses: Sequence[TableRef]
) -> TableRef:
    """Return the categories of all files, those that rules left open as the models say.

    Returns:
        (categories.rows,) rows of `CategoryRow`, sorted by key.
    """
    settings = Settings()
    lake = open_lake(settings.lake, s3_endpoint_url=settings.s3_endpoint_url)
    digest = hashlib.sha256("".join(part.sha256 for part in guesses).encode()).hexdigest()[:16]
    uri = f"runs/{job_id}/categorize/settled-{categories.sha256[:16]}-{digest}.parquet"
    found = lake.find(uri)
    if found is not None:
        return found
    made = pa.concat_tables([lake.read(part) for part in guesses])
    settled = core.settled(
        lake.read(categories), lake.read(fingerprints), made, load_taxonomy(settings)
    )
    return lake.write_part(settled, uri=uri, table_name="categories")
