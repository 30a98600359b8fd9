"""Prefect edge of reading texts for searching: which are new, and one batch of them."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from models.domain.embeddings import TextContent
from models.domain.search import SCAN_VERSION, TEXT_VERSION
from models.domain.table_refs import TableRef
from models.settings import Settings
from tasks.fingerprint.scans import ocr_problem, scanned_contents
from tasks.fingerprint.text_reading import TextReading
from tasks.fingerprint.texts import searchable_contents
from tasks.ledger.ledger import open_ledger
from tasks.retries import RETRY_DELAYS_S, RETRY_JITTER_RATIO, is_busy
from warehouse.schemas.arrow import to_rows
from warehouse.schemas.files import texts
from warehouse.store.contents import rows_among
from warehouse.store.parts import open_lake


def scans_refusal() -> str | None:
    """Return in words why texts of scans are not read here; None where they are."""
    return ocr_problem(Settings())


@task(
    cache_policy=NO_CACHE,
    retries=3,
    retry_delay_seconds=RETRY_DELAYS_S,
    retry_jitter_factor=RETRY_JITTER_RATIO,
    retry_condition_fn=is_busy,
)
def list_searchable(job_id: str, fingerprints: TableRef, *, scans: bool = False) -> TableRef:
    """Return the contents that have a text, rows of `TextContent`, sorted by content.

    Args:
        job_id: whose job.
        fingerprints: of the whole root.
        scans: whether those are wanted whose text is in their pixels, or the others.
    """
    settings = Settings()
    lake = open_lake(settings.lake, s3_endpoint_url=settings.s3_endpoint_url)
    files = lake.read(fingerprints)
    table = scanned_contents(files, None, 1.0) if scans else searchable_contents(files)
    kind = "scans" if scans else "contents"
    uri = f"runs/{job_id}/search/{kind}-{fingerprints.sha256[:16]}.parquet"
    return lake.write_part(table, uri=uri, table_name="searchable")


@task(
    cache_policy=NO_CACHE,
    retries=3,
    retry_delay_seconds=RETRY_DELAYS_S,
    retry_jitter_factor=RETRY_JITTER_RATIO,
    retry_condition_fn=is_busy,
)
def list_unread_texts(job_id: str, contents: TableRef, *, scans: bool = False) -> TableRef:
    """Return those of some contents whose text nobody read yet, in the same order."""
    settings = Settings()
    lake = open_lake(settings.lake, s3_endpoint_url=settings.s3_endpoint_url)
    table = lake.read(contents)
    with open_ledger(settings) as ledger:
        version = SCAN_VERSION if scans else TEXT_VERSION
        unread = ledger.unread(texts(table, "sha256"), version=version)
    uri = f"runs/{job_id}/search/unread-{contents.sha256[:16]}.parquet"
    return lake.write_part(rows_among(table, unread), uri=uri, table_name="unread_texts")


@task(
    cache_policy=NO_CACHE,
    retries=3,
    retry_delay_seconds=RETRY_DELAYS_S,
    retry_jitter_factor=RETRY_JITTER_RATIO,
    retry_condition_fn=is_busy,
)
def read_text_batch(
    root_id: str, contents: TableRef, first: int, last: int, *, scans: bool = False
) -> int:
    """Read the texts of contents [first, last) and keep them; what is kept is not read again.

    Returns:
        How many were read. One that changed meanwhile, or could not be opened, is tried next time.

    Raises:
        BusyError: the storage is occupied; the batch is tried again.
        BrokenError: no parsing child can be started.
    """
    settings = Settings()
    lake = open_lake(settings.lake, s3_endpoint_url=settings.s3_endpoint_url)
    wanted = to_rows(lake.read(contents).slice(first, last - first), TextContent)
    return TextReading(settings, root_id, scans=scans).read(wanted)
