"""Uploads: read for planning, and given their places in one transaction."""

from typing import Any

from psycopg.rows import dict_row

from models.domain.errors import ConflictError
from models.domain.upload_places import UploadedFile
from models.tables.statements import UPLOAD_MARK, UPLOAD_PATH, UPLOADS_DIGEST
from tasks.ledger.database import Database

UPLOADED = f"""
SELECT f.id::text AS id, {UPLOAD_PATH} AS path, {UPLOAD_MARK} AS mark,
       f.file_size_bytes AS size_bytes, f.modified_ns, f.mime_type AS mime, f.md5_hash AS md5,
       f.sha256_hash AS sha256, f.category, f.subcategory,
       f.category_confidence AS confidence_ratio, f.metadata AS details
  FROM files f
 WHERE f.root_id = %(root)s AND f.deleted_at IS NULL
   AND (%(folder)s = '' OR starts_with({UPLOAD_PATH}, %(folder)s || '/'))
 ORDER BY f.created_at, f.id"""  # noqa: S608 -- constants of ours

FENCE = "SELECT lease_epoch FROM organization_jobs WHERE id = %(job)s FOR SHARE"

ASSIGN = f"""
WITH open AS MATERIALIZED (
    SELECT o.seq, split_part(o.version, ':', 1)::uuid AS file_id, o.version,
           concat_ws('/', nullif(%(folder)s, ''), o.destination_key) AS path, t.receipt AS before
      FROM organization_operations o
      LEFT JOIN organization_operations t
        ON t.job_id = %(target)s AND t.destination_version = o.version
     WHERE o.job_id = %(job)s AND o.action = 'assign' AND o.state = 'planned'
       AND o.version ~ '^[0-9a-f-]{{36}}:'),
found AS MATERIALIZED (
    SELECT f.id, o.seq, o.path, o.before, f.virtual_path, f.filename
      FROM open o JOIN files f ON f.id = o.file_id
     WHERE f.deleted_at IS NULL AND f.root_id = %(root)s
       AND o.version = f.id::text || ':' || {UPLOAD_MARK}
       FOR UPDATE OF f),
moved AS (
    UPDATE files f
       SET virtual_path = CASE WHEN n.before IS NULL THEN n.path
               ELSE n.before ->> 'virtual_path' END,
           filename = left(CASE WHEN n.before IS NULL THEN regexp_replace(n.path, '^.*/', '')
               ELSE n.before ->> 'filename' END, 500),
           organized_at = CASE WHEN n.before IS NULL THEN now() ELSE f.organized_at END,
           updated_at = now(), version = f.version + 1,
           last_job_id = CASE WHEN f.last_job_id IS NOT NULL THEN %(job)s::uuid END
      FROM found n WHERE f.id = n.id
    RETURNING n.seq, f.id::text || ':' || {UPLOAD_MARK} AS version,
              jsonb_build_object('virtual_path', n.virtual_path, 'filename', n.filename) AS receipt)
UPDATE organization_operations o
   SET recorded_at = now(),
       state = CASE WHEN m.seq IS NULL THEN 'refused' ELSE 'done' END,
       error = CASE WHEN m.seq IS NULL
           THEN 'it was changed, moved or deleted after the plan was made' END,
       destination_version = m.version, receipt = coalesce(m.receipt, o.receipt)
  FROM open p LEFT JOIN moved m ON m.seq = p.seq
 WHERE o.job_id = %(job)s AND o.seq = p.seq"""  # noqa: S608 -- constants of ours
"""One statement: each upload that is still what the plan saw is shown at its new place, and its
operation is done; the others are refused. An undo gives back what its target's receipt kept.
`last_job_id` stays null where the flow that follows an upload has not been there yet."""


class Uploads(Database):
    """The part of the ledger that knows where uploads are shown."""

    def uploaded_files(self, root_id: str, folder: str) -> list[UploadedFile]:
        """Return the live uploads of a root at or below a folder, the oldest first."""
        with self._transaction() as connection:
            cursor = self._driver(connection).cursor(row_factory=dict_row)
            cursor.execute(UPLOADED.encode(), {"root": root_id, "folder": folder})
            return [UploadedFile(**row) for row in cursor]

    def uploads_digest(self, root_id: str, folder: str) -> str:
        """Return what the uploads of a root below a folder are, in one word."""
        with self._transaction() as connection:
            parameters = {"root_id": root_id, "folder": folder}
            return str(connection.execute(UPLOADS_DIGEST, parameters).scalar_one())

    def assign_uploads(
        self, job_id: str, *, epoch: int, root_id: str, folder: str, target_job_id: str | None
    ) -> None:
        """Carry out a job's journaled operations over uploads, all in one transaction.

        Again changes nothing: only planned operations are carried out.

        Args:
            job_id: the job.
            epoch: the caller's lease.
            root_id: the account's managed root.
            folder: the folder below `/uploads` that the job's keys are seen from.
            target_job_id: the job that is undone, if any.

        Raises:
            ConflictError: another worker holds the job now.
        """
        parameters: dict[str, Any] = {
            "job": job_id,
            "root": root_id,
            "folder": folder,
            "target": target_job_id,
        }
        with self._transaction() as connection:
            driver = self._driver(connection)
            row = driver.execute(FENCE, parameters).fetchone()
            if row is None or row[0] != epoch:
                raise ConflictError(f"job {job_id} is held by another worker now")
            driver.execute(ASSIGN.encode(), parameters)
