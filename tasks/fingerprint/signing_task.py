"""Prefect edge of signing: which contents, and one batch of them."""

import pyarrow as pa
from prefect import task

from models.domain.near import Content, Signature
from models.domain.table_refs import TableRef
from models.settings import Settings
from storage.opening import open_store
from tasks.fingerprint.children import parsing_limits, shared_pool
from tasks.fingerprint.contents import near_contents
from tasks.fingerprint.signing import LakeSignatures, sign_contents
from tasks.ledger.ledger import open_ledger
from tasks.retries import RETRY_DELAYS_S, RETRY_JITTER_RATIO, is_busy
from warehouse.schemas.arrow import to_rows, to_table
from warehouse.schemas.files import texts
from warehouse.store.parts import open_lake


@task(
    retries=3,
    retry_delay_seconds=RETRY_DELAYS_S,
    retry_jitter_factor=RETRY_JITTER_RATIO,
    retry_condition_fn=is_busy,
)
def list_contents(
    job_id: str, fingerprints: TableRef, duplicates: TableRef, media: list[str]
) -> TableRef:
    """Return the contents that can have near-duplicates, rows of `Content`, sorted by content."""
    settings = Settings()
    lake = open_lake(settings.lake, s3_endpoint_url=settings.s3_endpoint_url)
    table = near_contents(lake.read(fingerprints), lake.read(duplicates), frozenset(media))
    uri = (
        f"runs/{job_id}/near/contents-{fingerprints.sha256[:16]}-{'-'.join(sorted(media))}.parquet"
    )
    return lake.write_part(table, uri=uri, table_name="contents")


@task(
    retries=3,
    retry_delay_seconds=RETRY_DELAYS_S,
    retry_jitter_factor=RETRY_JITTER_RATIO,
    retry_condition_fn=is_busy,
)
def list_unsigned(job_id: str, contents: TableRef) -> TableRef:
    """Return the contents that were not signed when they were read, rows of `Content`."""
    settings = Settings()
    lake = open_lake(settings.lake, s3_endpoint_url=settings.s3_endpoint_url)
    signatures = LakeSignatures(lake)
    table = lake.read(contents)
    is_missing = [not signatures.has(sha256) for sha256 in texts(table, "sha256")]
    missing = table.filter(pa.array(is_missing, pa.bool_()))
    uri = f"runs/{job_id}/near/unsigned-{contents.sha256[:16]}.parquet"
    return lake.write_part(missing, uri=uri, table_name="contents")


@task(
    retries=3,
    retry_delay_seconds=RETRY_DELAYS_S,
    retry_jitter_factor=RETRY_JITTER_RATIO,
    retry_condition_fn=is_busy,
)
def sign_batch(  # noqa: PLR0917 - two ids and a range of rows, as flows name them
    job_id: str, root_id: str, batch: int, contents: TableRef, first: int, last: int
) -> TableRef:
    """Sign contents [first, last); return those that cannot be, rows of `Signature`.

    Raises:
        BusyError: the storage is occupied; the batch is tried again.
        BrokenError: no parsing child can be started.
    """
    settings = Settings()
    lake = open_lake(settings.lake, s3_endpoint_url=settings.s3_endpoint_url)
    uri = f"runs/{job_id}/near/{contents.sha256[:16]}/failed-{batch:05d}-{first}-{last}.parquet"
    found = lake.find(uri)
    if found is not None:
        return found
    with open_ledger(settings) as ledger:
        root = ledger.root(root_id)
    limits = parsing_limits(settings)
    signatures = LakeSignatures(lake)
    failed = sign_contents(
        to_rows(lake.read(contents).slice(first, last - first), Content),
        source=open_store(root.url, s3_endpoint_url=settings.s3_endpoint_url),
        parser=shared_pool(limits),
        signatures=signatures,
        threads=limits.children,
    )
    signatures.save()
    return lake.write_part(to_table(failed, Signature), uri=uri, table_name="signatures")


@task(
    retries=3,
    retry_delay_seconds=RETRY_DELAYS_S,
    retry_jitter_factor=RETRY_JITTER_RATIO,
    retry_condition_fn=is_busy,
)
def list_packs(contents: TableRef) -> list[TableRef]:
    """Return the packs of rows of `Signature` that hold any of these contents, and others."""
    settings = Settings()
    lake = open_lake(settings.lake, s3_endpoint_url=settings.s3_endpoint_url)
    return LakeSignatures(lake).packs_of(texts(lake.read(contents), "sha256"))
