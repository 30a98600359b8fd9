"""Prefect edge of evidence: which texts are wanted, and one batch of them."""

from prefect import task

from models.domain.embeddings import EVIDENCE_VERSION, TextContent, TextEvidence
from models.domain.evidence import evidence_of
from models.domain.table_refs import TableRef
from models.settings import Settings
from tasks.fingerprint.scans import scanned_contents
from tasks.fingerprint.text_reading import TextReading
from tasks.fingerprint.texts import wanted_texts
from tasks.retries import RETRY_DELAYS_S, RETRY_JITTER_RATIO, is_busy
from warehouse.schemas.arrow import to_rows, to_table
from warehouse.store.parts import open_lake


@task(
    retries=3,
    retry_delay_seconds=RETRY_DELAYS_S,
    retry_jitter_factor=RETRY_JITTER_RATIO,
    retry_condition_fn=is_busy,
)
def list_texts(
    job_id: str, fingerprints: TableRef, categories: TableRef, below: float, *, scans: bool = False
) -> TableRef:
    """Return the contents whose text is wanted, rows of `TextContent`, sorted by content.

    Args:
        job_id: whose job.
        fingerprints: of the whole root.
        categories: of the same files, by rules.
        below: confidence from which a category needs no text; above 1 for every text there is.
        scans: whether those are wanted whose text is in their pixels, or the others.
    """
    settings = Settings()
    lake = open_lake(settings.lake, s3_endpoint_url=settings.s3_endpoint_url)
    files, decided = lake.read(fingerprints), lake.read(categories)
    table = (
        scanned_contents(files, decided, below)
        if scans
        else wanted_texts(files, decided, below=below)
    )
    kind = "scans" if scans else "texts"
    made_from = f"{fingerprints.sha256[:16]}-{categories.sha256[:16]}-{below:g}"
    return lake.write_part(
        table, uri=f"runs/{job_id}/evidence/{kind}-{made_from}.parquet", table_name="texts"
    )


@task(
    retries=3,
    retry_delay_seconds=RETRY_DELAYS_S,
    retry_jitter_factor=RETRY_JITTER_RATIO,
    retry_condition_fn=is_busy,
)
def evidence_batch(  # noqa: PLR0917 - two ids and a range of rows, as flows name them
    job_id: str,
    root_id: str,
    batch: int,
    contents: TableRef,
    first: int,
    last: int,
    *,
    scans: bool = False,
) -> TableRef:
    """Return what contents [first, last) say in words; what was read before is not read again.

    The texts are kept, and searched: one read gives both.

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
    wanted = to_rows(lake.read(contents).slice(first, last - first), TextContent)
    texts = TextReading(settings, root_id, scans=scans).texts(wanted)
    rows = [evidence_of(content, texts.get(content.sha256)) for content in wanted]
    return lake.write_part(to_table(rows, TextEvidence), uri=uri, table_name="text_evidence")
