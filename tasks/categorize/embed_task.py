"""Prefect edge of embedding for searches: which contents have no vector, and one batch of them."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from models.domain.embeddings import TextContent, Tower
from models.domain.evidence import evidence_of
from models.domain.table_refs import TableRef
from models.settings import Settings
from tasks.categorize.embedders import text_embedder
from tasks.categorize.vectors import Vectors, evidence_text
from tasks.ledger.ledger import open_ledger
from tasks.retries import RETRY_DELAYS_S, RETRY_JITTER_RATIO, is_busy
from warehouse.schemas.arrow import to_rows
from warehouse.schemas.contents import EMBEDDINGS
from warehouse.store.contents import ContentRows, rows_among
from warehouse.store.parts import open_lake


def text_model_id() -> str:
    """Return the model whose vectors are searched.

    Raises:
        MissingError: its weights are not here.
    """
    return text_embedder(Settings()).model_id


@task(
    cache_policy=NO_CACHE,
    retries=3,
    retry_delay_seconds=RETRY_DELAYS_S,
    retry_jitter_factor=RETRY_JITTER_RATIO,
    retry_condition_fn=is_busy,
)
def list_unembedded(job_id: str, contents: TableRef) -> TableRef:
    """Return those of some contents that the model made no vector of, in the same order."""
    settings = Settings()
    lake = open_lake(settings.lake, s3_endpoint_url=settings.s3_endpoint_url)
    table = lake.read(contents)
    known = ContentRows(lake, EMBEDDINGS).hashes(model_id=text_model_id(), tower=Tower.TEXT.value)
    unknown = rows_among(table, known, are_wanted=False)
    uri = f"runs/{job_id}/search/unembedded-{contents.sha256[:16]}.parquet"
    return lake.write_part(unknown, uri=uri, table_name="unembedded")


@task(
    cache_policy=NO_CACHE,
    retries=3,
    retry_delay_seconds=RETRY_DELAYS_S,
    retry_jitter_factor=RETRY_JITTER_RATIO,
    retry_condition_fn=is_busy,
)
def embed_text_batch(job_id: str, batch: int, contents: TableRef, first: int, last: int) -> int:
    """Make the vectors of contents [first, last) from their kept texts; returns how many there are.

    A content without any text has no vector.
    """
    settings = Settings()
    lake = open_lake(settings.lake, s3_endpoint_url=settings.s3_endpoint_url)
    wanted = to_rows(lake.read(contents).slice(first, last - first), TextContent)
    with open_ledger(settings) as ledger:
        kept = ledger.texts([each.sha256 for each in wanted])
    texts = {
        each.sha256: evidence_text(evidence_of(each, kept[each.sha256]))
        for each in wanted
        if each.sha256 in kept
    }
    made_by = f"{job_id}-search-{contents.sha256[:16]}-{batch:05d}"
    return len(Vectors(lake, text_embedder(settings)).of_texts(texts, made_by=made_by))
