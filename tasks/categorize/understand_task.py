"""Prefect edge of understanding: whether models may and can be asked, one batch, and the result."""

import hashlib
from collections.abc import Sequence

import pyarrow as pa
from prefect import task

from models.domain.embeddings import TextContent, TextEvidence
from models.domain.entitlements import Feature, includes
from models.domain.jobs import Job
from models.domain.table_refs import TableRef
from models.settings import Settings
from tasks.categorize import core
from tasks.categorize.core import OPEN_BELOW
from tasks.categorize.embedders import (
    image_embedder,
    picture_problem,
    text_embedder,
    text_problem,
)
from tasks.categorize.judging import judging
from tasks.categorize.taxonomy import load_taxonomy
from tasks.categorize.understanding import RECORDINGS, can_be_read, judged_texts, only
from tasks.retries import RETRY_DELAYS_S, RETRY_JITTER_RATIO, is_busy
from warehouse.schemas.arrow import to_rows
from warehouse.store.parts import open_lake

__all__ = [
    "OPEN_BELOW",
    "picture_refusal",
    "refusal",
    "settle_categories",
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
    job_id: str,
    batch: int,
    contents: TableRef,
    evidence: TableRef | None,
    first: int,
    last: int,
) -> TableRef:
    """Return what the sentence model makes of contents [first, last).

    Vectors that are in the lake are not made again.

    Args:
        job_id: whose taxonomy and corrections count.
        batch: its number.
        contents: rows of `TextContent`.
        evidence: rows of `TextEvidence` of those contents; None for recordings, which are told
            apart by their tags.
        first: row of `contents`.
        last: row of `contents`, not included.

    Returns:
        (m,) rows of `ContentGuess`, sorted by content; m at most last - first: of a scan whose text
        tells nothing there is none.
    """
    made_of = f"{(evidence or contents).sha256[:16]}{'' if evidence else '-tags'}"
    asked = judging(job_id, text_embedder, made_of=made_of, batch=batch)
    found = asked.found()
    if found is not None:
        return found
    judge = asked.judge(can_be_read if evidence else only(RECORDINGS))
    texts = to_rows(asked.lake.read(evidence), TextEvidence) if evidence else []
    rows = (
        judged_texts(
            to_rows(asked.lake.read(contents).slice(first, last - first), TextContent),
            {row.sha256: row for row in texts},
            asked.vectors,
            judge,
            review_below=asked.settings.review_below,
            made_by=asked.made_by,
        )
        if judge
        else []
    )
    return asked.kept(rows)


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
    made = core.best_guesses(pa.concat_tables([lake.read(part) for part in guesses]))
    settled = core.settled(
        lake.read(categories), lake.read(fingerprints), made, load_taxonomy(settings)
    )
    return lake.write_part(settled, uri=uri, table_name="categories")
