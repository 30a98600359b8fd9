"""Prefect edge of searching: the index brought up to date."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from models.domain.embeddings import Tower
from models.domain.table_refs import TableRef
from models.settings import Settings
from tasks.ledger.ledger import open_ledger
from tasks.retries import RETRY_DELAYS_S, RETRY_JITTER_RATIO, is_busy
from warehouse.schemas.contents import EMBEDDINGS
from warehouse.schemas.files import texts
from warehouse.store.contents import ContentRows
from warehouse.store.parts import open_lake

COPIED_AT_ONCE = 20_000
"""Vectors copied to Postgres in one transaction: 30 MB of 384 numbers each."""


@task(
    cache_policy=NO_CACHE,
    retries=3,
    retry_delay_seconds=RETRY_DELAYS_S,
    retry_jitter_factor=RETRY_JITTER_RATIO,
    retry_condition_fn=is_busy,
)
def index_words(root_id: str) -> int:
    """Bring the words of a root's files up to date; returns how many files changed."""
    with open_ledger(Settings()) as ledger:
        return ledger.index_files(root_id)


@task(
    cache_policy=NO_CACHE,
    retries=3,
    retry_delay_seconds=RETRY_DELAYS_S,
    retry_jitter_factor=RETRY_JITTER_RATIO,
    retry_condition_fn=is_busy,
)
def index_vectors(contents: TableRef, model_id: str, tower: str = Tower.TEXT.value) -> int:
    """Copy vectors of contents from the lake to Postgres, where it can; returns how many are new.

    Args:
        contents: rows with `sha256`.
        model_id: of the model.
        tower: which side of it made the vectors.
    """
    settings = Settings()
    lake = open_lake(settings.lake, s3_endpoint_url=settings.s3_endpoint_url)
    kept = ContentRows(lake, EMBEDDINGS)
    copied = 0
    with open_ledger(settings) as ledger:
        if not ledger.has_vectors():
            return 0
        wanted = texts(lake.read(contents), "sha256")
        missing = ledger.missing_vectors(model_id, tower, wanted)
        for first in range(0, len(missing), COPIED_AT_ONCE):
            some = missing[first : first + COPIED_AT_ONCE]
            rows = kept.of(some, model_id=model_id, tower=tower)
            copied += ledger.keep_vectors(list(rows.values()))
    return copied


@task(
    cache_policy=NO_CACHE,
    retries=3,
    retry_delay_seconds=RETRY_DELAYS_S,
    retry_jitter_factor=RETRY_JITTER_RATIO,
    retry_condition_fn=is_busy,
)
def forget_contents() -> int:
    """Remove texts and vectors of contents that no file has any more; returns how many."""
    with open_ledger(Settings()) as ledger:
        gone = ledger.forget_texts()
        return gone + (ledger.forget_vectors() if ledger.has_vectors() else 0)
