"""Prefect edge of reading texts for searching: which are new, and one batch of them."""

import os

import pyarrow as pa
import pyarrow.compute as pc
from prefect import task
from prefect.cache_policies import NO_CACHE

from models.domain.embeddings import TextContent
from models.domain.fingerprint import Problem
from models.domain.table_refs import TableRef
from models.settings import Settings
from storage.opening import open_store
from tasks.fingerprint.children import Limits, shared_pool
from tasks.fingerprint.texts import read_texts, searchable_contents
from tasks.ledger.ledger import open_ledger
from tasks.retries import RETRY_DELAYS_S, RETRY_JITTER_RATIO, is_busy
from warehouse.schemas.arrow import to_rows
from warehouse.schemas.files import texts
from warehouse.store.parts import open_lake


@task(
    cache_policy=NO_CACHE,
    retries=3,
    retry_delay_seconds=RETRY_DELAYS_S,
    retry_jitter_factor=RETRY_JITTER_RATIO,
    retry_condition_fn=is_busy,
)
def list_searchable(job_id: str, fingerprints: TableRef) -> TableRef:
    """Return the contents that have a text, rows of `TextContent`, sorted by content."""
    settings = Settings()
    lake = open_lake(settings.lake, s3_endpoint_url=settings.s3_endpoint_url)
    table = searchable_contents(lake.read(fingerprints))
    uri = f"runs/{job_id}/search/contents-{fingerprints.sha256[:16]}.parquet"
    return lake.write_part(table, uri=uri, table_name="searchable")


@task(
    cache_policy=NO_CACHE,
    retries=3,
    retry_delay_seconds=RETRY_DELAYS_S,
    retry_jitter_factor=RETRY_JITTER_RATIO,
    retry_condition_fn=is_busy,
)
def list_unread_texts(job_id: str, contents: TableRef) -> TableRef:
    """Return those of some contents whose text nobody read yet, in the same order."""
    settings = Settings()
    lake = open_lake(settings.lake, s3_endpoint_url=settings.s3_endpoint_url)
    table = lake.read(contents)
    with open_ledger(settings) as ledger:
        unread = ledger.unread(texts(table, "sha256"))
    is_unread = pc.is_in(table["sha256"], value_set=pa.array(unread, pa.string()))
    uri = f"runs/{job_id}/search/unread-{contents.sha256[:16]}.parquet"
    return lake.write_part(table.filter(is_unread), uri=uri, table_name="unread_texts")


@task(
    cache_policy=NO_CACHE,
    retries=3,
    retry_delay_seconds=RETRY_DELAYS_S,
    retry_jitter_factor=RETRY_JITTER_RATIO,
    retry_condition_fn=is_busy,
)
def read_text_batch(root_id: str, contents: TableRef, first: int, last: int) -> int:
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
    cores = settings.work_threads or os.cpu_count() or 1
    limits = Limits(
        memory_bytes=settings.parser_memory_bytes, cpu_s=settings.parser_cpu_s, children=cores
    )
    with open_ledger(settings) as ledger:
        root = ledger.root(root_id)
        unread = set(ledger.unread([each.sha256 for each in wanted]))
        rows = read_texts(
            [each for each in wanted if each.sha256 in unread],
            source=open_store(root.url, s3_endpoint_url=settings.s3_endpoint_url),
            parser=shared_pool(limits),
            threads=cores,
        )
        passing = (Problem.DEFERRED, Problem.UNREADABLE)
        return ledger.keep_texts(
            [row for row in rows if not any(each.is_kind_of(row.problem) for each in passing)]
        )
