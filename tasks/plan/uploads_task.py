"""Prefect edge of organizing uploads: what the catalog knows of them is their index."""

from dataclasses import dataclass

from prefect import task

from models.domain.categories import CategoryRow
from models.domain.fingerprint import Fingerprint
from models.domain.manifest import ListingProblem, ManifestRow
from models.domain.table_refs import TableRef
from models.domain.upload_places import category_of, fingerprint_of, keyed
from models.settings import Settings
from tasks.ledger.ledger import open_ledger
from tasks.retries import RETRY_DELAYS_S, RETRY_JITTER_RATIO, is_busy
from warehouse.schemas.arrow import arrow_schema, to_table
from warehouse.store.parts import open_lake


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedUploads:
    """What the catalog knows of uploads, as the steps hand it on.

    Attributes:
        manifest: rows of ManifestRow, sorted by key.
        problems: rows of ListingProblem: none.
        fingerprints: rows of Fingerprint, sorted by key.
        categories: rows of CategoryRow, sorted by key.
    """

    manifest: TableRef
    problems: TableRef
    fingerprints: TableRef
    categories: TableRef


@task(
    retries=3,
    retry_delay_seconds=RETRY_DELAYS_S,
    retry_jitter_factor=RETRY_JITTER_RATIO,
    retry_condition_fn=is_busy,
)
def list_uploads(job_id: str) -> ListedUploads:
    """Return what the catalog knows of the uploads that a job organizes; no byte is read."""
    settings = Settings()
    lake = open_lake(settings.lake, s3_endpoint_url=settings.s3_endpoint_url)
    with open_ledger(settings) as ledger:
        job = ledger.job(job_id)
        files = ledger.uploaded_files(job.source_root_id, job.options.below)
    found = sorted(keyed(files, job.options.below).items())
    prints = to_table([fingerprint_of(key, file) for key, file in found], Fingerprint)
    categories = to_table([category_of(key, file) for key, file in found], CategoryRow)
    folder = f"runs/{job_id}/uploads"
    manifest = prints.select(arrow_schema(ManifestRow).names)
    return ListedUploads(
        manifest=lake.write_part(manifest, uri=f"{folder}/manifest.parquet", table_name="manifest"),
        problems=lake.write_part(
            to_table([], ListingProblem), uri=f"{folder}/problems.parquet", table_name="problems"
        ),
        fingerprints=lake.write_part(
            prints, uri=f"{folder}/fingerprints.parquet", table_name="fingerprints"
        ),
        categories=lake.write_part(
            categories, uri=f"{folder}/categories.parquet", table_name="categories"
        ),
    )
