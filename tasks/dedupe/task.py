"""Prefect edge of finding duplicates."""

from prefect import task

from models.domain.table_refs import TableRef
from models.domain.targets import Target
from models.settings import Settings
from storage.opening import open_store
from tasks.dedupe import core
from tasks.ledger.ledger import open_ledger
from tasks.retries import RETRY_DELAYS_S, RETRY_JITTER_RATIO, is_busy
from warehouse.schemas.files import CATEGORY_COLUMNS
from warehouse.store.parts import open_lake


@task(
    retries=3,
    retry_delay_seconds=RETRY_DELAYS_S,
    retry_jitter_factor=RETRY_JITTER_RATIO,
    retry_condition_fn=is_busy,
)
def find_duplicates(job_id: str, fingerprints: TableRef, categories: TableRef) -> TableRef:
    """Return the groups of equal files, each with its keeper by the job's rules.

    Returns:
        Rows of `DuplicateRow`, sorted by group and key; found in the lake when the same was asked
        before, by this job or by the one that read the files.

    Raises:
        InvalidError: the job's mode or template cannot be used.
    """
    settings = Settings()
    lake = open_lake(settings.lake, s3_endpoint_url=settings.s3_endpoint_url)
    with open_ledger(settings) as ledger:
        job = ledger.job(job_id)
        decisions = ledger.decisions_of(job.account_id)
    store = open_store(job.destination_url, s3_endpoint_url=settings.s3_endpoint_url)
    target = Target(folds_case=store.folds_case, normalizes_unicode=store.normalizes_unicode)
    asked = core.asked_for(
        fingerprints.sha256, categories.sha256, job, target=target, decisions=decisions
    )
    name = f"dedupe/{asked}.parquet"
    uri = f"runs/{job_id}/{name}"
    for known in dict.fromkeys([uri, f"runs/{fingerprints.job_id}/{name}"]):
        found = lake.find(known)
        if found is not None:
            return found
    needed = core.columns_needed(job.options, job.source_url, job.destination_url)
    groups = core.exact_groups(
        lake.read(fingerprints, columns=needed),
        lake.read(categories, columns=("key", *CATEGORY_COLUMNS)),
        options=job.options,
        source_url=job.source_url,
        destination_url=job.destination_url,
        target=target,
        decisions=decisions,
    )
    return lake.write_part(groups, uri=uri, table_name="duplicates")
