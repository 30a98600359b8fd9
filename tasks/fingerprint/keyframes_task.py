"""Prefect edge of recordings: which are open, and the frames of some films."""

from prefect import task

from models.domain.embeddings import Keyframe, TextContent
from models.domain.fingerprint import Media
from models.domain.table_refs import TableRef
from models.settings import Settings
from storage.opening import open_store
from tasks.fingerprint.children import parsing_limits, shared_pool
from tasks.fingerprint.keyframes import keyframes_of, open_recordings
from tasks.ledger.ledger import open_ledger
from tasks.retries import RETRY_DELAYS_S, RETRY_JITTER_RATIO, is_busy
from warehouse.schemas.arrow import to_rows, to_table
from warehouse.store.parts import open_lake


@task(
    retries=3,
    retry_delay_seconds=RETRY_DELAYS_S,
    retry_jitter_factor=RETRY_JITTER_RATIO,
    retry_condition_fn=is_busy,
)
def list_recordings(
    job_id: str, fingerprints: TableRef, categories: TableRef | None, media: str
) -> TableRef:
    """Return the sound or the films whose sub-category is open, rows of `TextContent`.

    Args:
        job_id: whose job.
        fingerprints: of the whole root.
        categories: of the same files, by rules; None for all recordings there are.
        media: `audio` or `video`.
    """
    settings = Settings()
    lake = open_lake(settings.lake, s3_endpoint_url=settings.s3_endpoint_url)
    decided = None if categories is None else lake.read(categories)
    table = open_recordings(lake.read(fingerprints), decided, Media(media))
    made_from = f"{fingerprints.sha256[:16]}-{categories.sha256[:16] if categories else 'all'}"
    uri = f"runs/{job_id}/evidence/{media}-{made_from}.parquet"
    return lake.write_part(table, uri=uri, table_name="recordings")


@task(
    retries=3,
    retry_delay_seconds=RETRY_DELAYS_S,
    retry_jitter_factor=RETRY_JITTER_RATIO,
    retry_condition_fn=is_busy,
)
def keyframe_batch(  # noqa: PLR0917 - two ids and a range of rows, as flows name them
    job_id: str, root_id: str, batch: int, contents: TableRef, first: int, last: int
) -> TableRef:
    """Return frames of films [first, last), rows of `Keyframe`, by film and time.

    Raises:
        BusyError: the storage is occupied; the batch is tried again.
        BrokenError: no parsing child can be started.
    """
    settings = Settings()
    lake = open_lake(settings.lake, s3_endpoint_url=settings.s3_endpoint_url)
    name = f"{contents.sha256[:16]}/frames-{batch:05d}-{first}-{last}"
    uri = f"runs/{job_id}/evidence/{name}.parquet"
    found = lake.find(uri)
    if found is not None:
        return found
    with open_ledger(settings) as ledger:
        root = ledger.root(root_id)
    limits = parsing_limits(settings)
    rows = keyframes_of(
        to_rows(lake.read(contents).slice(first, last - first), TextContent),
        source=open_store(root.url, s3_endpoint_url=settings.s3_endpoint_url),
        parser=shared_pool(limits),
        threads=limits.children,
    )
    return lake.write_part(to_table(rows, Keyframe), uri=uri, table_name="keyframes")
