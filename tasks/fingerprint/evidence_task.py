"""Prefect edge of evidence: which texts are wanted, and one batch of them."""

import os

from prefect import task

from models.domain.embeddings import EVIDENCE_VERSION, TextContent, TextEvidence
from models.domain.table_refs import TableRef
from models.settings import Settings
from storage.opening import open_store
from tasks.fingerprint.children import Limits, shared_pool
from tasks.fingerprint.evidence import gather_texts, wanted_texts
from tasks.ledger.ledger import open_ledger
from tasks.retries import RETRY_DELAYS_S, RETRY_JITTER_RATIO, is_busy
from warehouse.schemas.arrow import to_rows, to_table
from warehouse.schemas.contents import TEXT_EVIDENCE
from warehouse.store.contents import ContentRows
from warehouse.store.parts import open_lake


@task(
    retries=3,
    retry_delay_seconds=RETRY_DELAYS_S,
    retry_jitter_factor=RETRY_JITTER_RATIO,
    retry_condition_fn=is_busy,
)
def list_texts(job_id: str, fingerprints: TableRef, categories: TableRef, below: float) -> TableRef:
    """Return the contents whose text is wanted, rows of `TextContent`, sorted by content.

    Args:
        job_id: whose job.
        fingerprints: of the whole root.
        categories: of the same files, by rules.
        below: confidence from which a category needs no text; above 1 for every text there is.
    """
    settings = Settings()
    lake = open_lake(settings.lake, s3_endpoint_url=settings.s3_endpoint_url)
    table = wanted_texts(lake.read(fingerprints), lake.read(categories), below=below)
    made_from = f"{fingerprints.sha256[:16]}-{categories.sha256[:16]}-{below:g}"
    return lake.write_part(
        table, uri=f"runs/{job_id}/evidence/texts-{made_from}.parquet", table_name="texts"
    )


@task(
    retries=3,
    retry_delay_seconds=RETRY_DELAYS_S,
    retry_jitter_factor=RETRY_JITTER_RATIO,
    retry_condition_fn=is_busy,
)
def evidence_batch(  # noqa: PLR0917 - two ids and a range of rows, as flows name them
    job_id: str, root_id: str, batch: int, contents: TableRef, first: int, last: int
) -> TableRef:
    """Return the texts of contents [first, last); what was read before is not read again.

    Returns:
        (last - first,) rows of `TextEvidence`, sorted by content.

    Raises:
        BusyError: the storage is occupied; the batch is tried again.
        BrokenError: no parsing child can be started.
    """
    settings = Settings()
    lake = open_lake(settings.lake, s3_endpoint_url=settings.s3_endpoint_url)
    name = f"{contents.sha256[:16]}-v{EVIDENCE_VERSION}/part-{batch:05d}-{first}-{last}"
    uri = f"runs/{job_id}/evidence/{name}.parquet"
    found = lake.find(uri)
    if found is not None:
        return found
    with open_ledger(settings) as ledger:
        root = ledger.root(root_id)
    cores = settings.work_threads or os.cpu_count() or 1
    limits = Limits(
        memory_bytes=settings.parser_memory_bytes, cpu_s=settings.parser_cpu_s, children=cores
    )
    wanted = to_rows(lake.read(contents).slice(first, last - first), TextContent)
    kept = ContentRows(lake, TEXT_EVIDENCE)
    known = kept.of((content.sha256 for content in wanted), version=EVIDENCE_VERSION)
    rows = gather_texts(
        wanted,
        known,
        source=open_store(root.url, s3_endpoint_url=settings.s3_endpoint_url),
        parser=shared_pool(limits),
        threads=cores,
    )
    fresh = {row.sha256: row for row in rows if row.sha256 not in known and row.problem is None}
    kept.add(fresh, made_by=f"{job_id}-{name}")
    return lake.write_part(to_table(rows, TextEvidence), uri=uri, table_name="text_evidence")
