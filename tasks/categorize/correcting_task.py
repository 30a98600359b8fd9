"""Prefect edge of corrections: what an account said of its contents."""

import hashlib

from prefect import task
from prefect.cache_policies import NO_CACHE

from models.domain.table_refs import TableRef
from models.settings import Settings
from tasks.categorize.correcting import corrected
from tasks.categorize.taxonomy import load_taxonomy
from tasks.ledger.ledger import open_ledger
from tasks.retries import RETRY_DELAYS_S, RETRY_JITTER_RATIO, is_busy
from warehouse.store.parts import open_lake


@task(
    cache_policy=NO_CACHE,
    retries=3,
    retry_delay_seconds=RETRY_DELAYS_S,
    retry_jitter_factor=RETRY_JITTER_RATIO,
    retry_condition_fn=is_busy,
)
def apply_corrections(job_id: str, fingerprints: TableRef, categories: TableRef) -> TableRef:
    """Return the categories as the job's account corrected them; as they are where it did not.

    Returns:
        (categories.rows,) rows of CategoryRow, sorted by key.
    """
    settings = Settings()
    with open_ledger(settings) as ledger:
        corrections = ledger.labels(ledger.job(job_id).account_id)
    if not corrections:
        return categories
    lake = open_lake(settings.lake, s3_endpoint_url=settings.s3_endpoint_url)
    said = "\n".join(f"{each.sha256} {each.category}/{each.subcategory}" for each in corrections)
    digest = hashlib.sha256(said.encode()).hexdigest()[:16]
    uri = f"runs/{job_id}/categorize/corrected-{categories.sha256[:16]}-{digest}.parquet"
    found = lake.find(uri)
    if found is not None:
        return found
    table = corrected(
        lake.read(categories), lake.read(fingerprints), corrections, load_taxonomy(settings)
    )
    return lake.write_part(table, uri=uri, table_name="categories")
