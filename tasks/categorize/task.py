"""Prefect edge of categorizing."""

from prefect import task

from models.domain.table_refs import TableRef
from models.settings import Settings
from tasks.categorize import core
from tasks.categorize.rules import RULES, CertainRules
from tasks.categorize.taxonomy import load_taxonomy
from tasks.retries import RETRY_DELAYS_S, RETRY_JITTER_RATIO, is_busy
from warehouse.store.parts import open_lake


@task(
    retries=3,
    retry_delay_seconds=RETRY_DELAYS_S,
    retry_jitter_factor=RETRY_JITTER_RATIO,
    retry_condition_fn=is_busy,
)
def categorize(job_id: str, fingerprints: TableRef) -> TableRef:
    """Return the category of every file, with its confidence and its reason.

    Returns:
        (fingerprints.rows,) rows of CategoryRow, sorted by key; found in the lake when they were
        made from these fingerprints before, by this job or by the one that read the files.
    """
    settings = Settings()
    lake = open_lake(settings.lake, s3_endpoint_url=settings.s3_endpoint_url)
    taxonomy = load_taxonomy(settings)
    made_by = f"{RULES}-{taxonomy.digest}"
    name = f"categorize/{made_by}-{fingerprints.sha256[:16]}.parquet"
    uri = f"runs/{job_id}/{name}"
    for known in dict.fromkeys([uri, f"runs/{fingerprints.job_id}/{name}"]):
        found = lake.find(known)
        if found is not None:
            return found
    decided = core.categorize(lake.read(fingerprints), [CertainRules()])
    return lake.write_part(core.named(decided, taxonomy), uri=uri, table_name="categories")
