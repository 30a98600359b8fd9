"""The catalog: what a run found or moved becomes rows of `files`, in bulk and repeatably."""

from typing import Any, LiteralString

import psycopg
import pyarrow as pa
import pyarrow.compute as pc
from psycopg import sql

from models.domain.catalog import CatalogChanges, CatalogRow, CatalogTotals, KnownFile
from models.domain.errors import InvalidError, MissingError
from models.domain.jobs import Job
from models.domain.storage_roots import RootKind
from tasks.ledger.bulk import copy_in, copy_out
from tasks.ledger.database import Database
from warehouse.schemas.arrow import arrow_schema

INCOMING: LiteralString = "incoming_files"

MAKE_INCOMING: LiteralString = """
CREATE TEMPORARY TABLE incoming_files (
    key text, previous_key text, size_bytes bigint, modified_ns bigint, version text, mime text,
    md5 text, sha256 text, category text, subcategory text, coarse_category text,
    category_confidence double precision, duplicate_of_key text, details jsonb,
    is_organized boolean, filename text, extension text) ON COMMIT DROP"""

LOCK_ROOT = "SELECT url, user_id, kind FROM storage_roots WHERE id = %(root)s FOR NO KEY UPDATE"
"""Two publishers of one root wait for each other."""

CLEAR_THE_WAY = """
DELETE FROM files f USING incoming_files i
 WHERE i.previous_key IS NOT NULL AND f.root_id = %(root)s AND f.storage_key = i.key
   AND f.last_job_id IS DISTINCT FROM %(job)s
   AND EXISTS (SELECT FROM files p WHERE p.root_id = %(previous)s
                  AND p.storage_key = i.previous_key AND p.last_job_id IS DISTINCT FROM %(job)s)
   AND NOT EXISTS (SELECT FROM incoming_files m WHERE m.previous_key = f.storage_key
                      AND f.root_id = %(previous)s)"""
"""What lay at a destination before and does not itself move is gone: another file is there now."""

DEPART = """
UPDATE files f SET root_id = %(root)s, storage_key = E'\\x01' || i.key, last_job_id = %(job)s
  FROM incoming_files i
 WHERE f.root_id = %(previous)s AND f.storage_key = i.previous_key
   AND f.last_job_id IS DISTINCT FROM %(job)s"""
"""First half of a move. Through a name that no file has (a control character in front), so that
files which trade places do not collide; `last_job_id` keeps a repeat from moving twice."""

ARRIVE = """
UPDATE files SET storage_key = substr(storage_key, 2)
 WHERE root_id = %(root)s AND starts_with(storage_key, E'\\x01')"""

MERGE = """
WITH merged AS (
    INSERT INTO files AS f (user_id, root_id, storage_key, filename, original_path, storage_path,
        category, file_extension, file_size_bytes, mime_type, md5_hash, sha256_hash, metadata,
        organized_at, storage_version, modified_ns, subcategory, coarse_category,
        category_confidence, hashed_at, last_job_id)
    SELECT %(user)s, %(root)s, key, filename, coalesce(previous_key, key), %(url)s || '/' || key,
        category, extension, size_bytes, mime, md5, sha256, details,
        CASE WHEN is_organized THEN now() END, version, modified_ns, subcategory, coarse_category,
        category_confidence, CASE WHEN sha256 IS NOT NULL THEN now() END, %(job)s
      FROM incoming_files
    ON CONFLICT (root_id, storage_key) DO UPDATE SET
        filename = excluded.filename, storage_path = excluded.storage_path,
        category = excluded.category, file_extension = excluded.file_extension,
        file_size_bytes = excluded.file_size_bytes, mime_type = excluded.mime_type,
        md5_hash = excluded.md5_hash, sha256_hash = excluded.sha256_hash,
        metadata = excluded.metadata, storage_version = excluded.storage_version,
        modified_ns = excluded.modified_ns, subcategory = excluded.subcategory,
        coarse_category = excluded.coarse_category,
        category_confidence = excluded.category_confidence,
        organized_at = coalesce(excluded.organized_at, f.organized_at),
        hashed_at = CASE WHEN f.sha256_hash IS NOT DISTINCT FROM excluded.sha256_hash
            AND f.storage_version = excluded.storage_version THEN f.hashed_at
            ELSE excluded.hashed_at END,
        deleted_at = NULL, updated_at = now(), version = f.version + 1,
        last_job_id = excluded.last_job_id
      WHERE f.deleted_at IS NOT NULL
         OR (excluded.organized_at IS NOT NULL AND f.organized_at IS NULL)
         OR (f.storage_path, f.storage_version, f.file_size_bytes, f.modified_ns, f.sha256_hash,
             f.md5_hash, f.category, f.subcategory, f.coarse_category, f.category_confidence,
             f.mime_type, f.metadata)
            IS DISTINCT FROM
            (excluded.storage_path, excluded.storage_version, excluded.file_size_bytes,
             excluded.modified_ns, excluded.sha256_hash, excluded.md5_hash, excluded.category,
             excluded.subcategory, excluded.coarse_category, excluded.category_confidence,
             excluded.mime_type, excluded.metadata)
    RETURNING xmax = 0 AS is_new)
SELECT count(*) FILTER (WHERE is_new), count(*) FILTER (WHERE NOT is_new) FROM merged"""

READ_UPLOADS = """
WITH merged AS (
    UPDATE files f SET category = i.category, subcategory = i.subcategory,
           coarse_category = CASE WHEN f.chosen_category IS NULL THEN i.coarse_category
               ELSE f.coarse_category END,
           category_confidence = i.category_confidence, mime_type = i.mime, metadata = i.details,
           hashed_at = CASE WHEN i.sha256 IS NOT NULL THEN now() ELSE f.hashed_at END,
           updated_at = now(), last_job_id = %(job)s
      FROM incoming_files i
     WHERE f.root_id = %(root)s AND f.storage_key = i.key AND f.deleted_at IS NULL
       AND f.storage_version = i.version
       AND (f.last_job_id IS NULL
            OR (f.category, f.subcategory, f.category_confidence, f.mime_type, f.metadata)
               IS DISTINCT FROM
               (i.category, i.subcategory, i.category_confidence, i.mime, i.details))
    RETURNING 1)
SELECT 0, count(*) FROM merged"""
"""Of uploads, what reading them told. Their names, places and lives are their owners' business:
rows come by uploading and go by deleting, whatever lies in the storage."""

UNLINK = """
UPDATE files f SET is_duplicate = false, duplicate_of = NULL, updated_at = now()
  FROM incoming_files i
 WHERE f.root_id = %(root)s AND f.storage_key = i.key AND i.duplicate_of_key IS NULL
   AND (f.is_duplicate OR f.duplicate_of IS NOT NULL)"""

LINK = """
UPDATE files f SET is_duplicate = true, duplicate_of = k.id, updated_at = now()
  FROM incoming_files i
  JOIN files k ON k.root_id = %(root)s AND k.storage_key = i.duplicate_of_key
 WHERE f.root_id = %(root)s AND f.storage_key = i.key AND i.duplicate_of_key <> i.key
   AND (NOT f.is_duplicate OR f.duplicate_of IS DISTINCT FROM k.id)"""

SWEEP = """
UPDATE files f SET deleted_at = now(), updated_at = now(), last_job_id = %(job)s
 WHERE f.root_id = %(root)s AND f.deleted_at IS NULL
   AND NOT EXISTS (SELECT FROM incoming_files i WHERE i.key = f.storage_key)"""

MARK_DELETED = """
UPDATE files SET deleted_at = now(), updated_at = now(), last_job_id = %(job)s
 WHERE root_id = %(root)s AND deleted_at IS NULL AND storage_key = ANY(%(keys)s)"""

KNOWN: LiteralString = """
SELECT storage_key, file_size_bytes, modified_ns, storage_version, sha256_hash FROM files
 WHERE root_id = {} AND deleted_at IS NULL ORDER BY storage_key COLLATE "C\""""

TOTALS = """
SELECT coarse_category, count(*), coalesce(sum(file_size_bytes), 0)::bigint,
       count(*) FILTER (WHERE is_duplicate),
       coalesce(sum(file_size_bytes) FILTER (WHERE is_duplicate), 0)::bigint
  FROM files
 WHERE deleted_at IS NULL AND (%(root)s::uuid IS NULL OR root_id = %(root)s)
   AND (%(account)s::uuid IS NULL OR user_id = %(account)s)
 GROUP BY coarse_category ORDER BY coarse_category"""

NAME_CHARACTERS = 500
EXTENSION_CHARACTERS = 50
MIME_CHARACTERS = 100
"""Widths of the specification's columns; the whole name is in `storage_key`."""


class Catalog(Database):
    """The part of the ledger that knows every file."""

    def publish_files(
        self, job: Job, rows: pa.Table, *, root_id: str | None = None, is_complete: bool = False
    ) -> CatalogChanges:
        """Merge files into the catalog in one transaction; the same again changes nothing.

        A file is known by its root and key. One that the job moved keeps its identity, tags and
        share links: its row is found at `previous_key` in the job's source root. Of uploads only
        what reading them told is written: none is made, renamed, brought back or deleted.

        Args:
            job: the job that found or moved them.
            rows: (n,) rows of `CatalogRow`; keys are unique.
            root_id: root that the keys are below; the job's destination unless said.
            is_complete: whether `rows` is all there is: what else the catalog has below this root
                is then marked deleted. Only for a listing that ended well.

        Raises:
            MissingError: there is no such root.
            InvalidError: the columns are not those of `CatalogRow`, or a value does not fit.
            ConflictError: a key comes twice.
        """
        incoming = _incoming(rows)
        parameters: dict[str, Any] = {
            "root": root_id or job.destination_root_id,
            "previous": job.source_root_id,
            "job": job.id,
        }
        with self._transaction() as connection:
            driver = self._driver(connection)
            parameters |= _root(driver, parameters)
            driver.execute(MAKE_INCOMING)
            copy_in(driver, incoming, into=INCOMING)
            is_managed = parameters["kind"] == RootKind.MANAGED
            moved = 0 if is_managed else _move(driver, incoming, parameters)
            merge = READ_UPLOADS if is_managed else MERGE
            inserted, updated = _two(driver.execute(merge, parameters))
            driver.execute(UNLINK, parameters)
            if incoming["duplicate_of_key"].null_count < incoming.num_rows:
                driver.execute(LINK, parameters)
            sweeps = is_complete and not is_managed
            deleted = driver.execute(SWEEP, parameters).rowcount if sweeps else 0
        return CatalogChanges(
            inserted=inserted,
            updated=updated,
            unchanged=incoming.num_rows - inserted - updated,
            moved=moved,
            deleted=deleted,
        )

    def mark_deleted(self, job: Job, keys: list[str], *, root_id: str | None = None) -> int:
        """Mark files as gone from their root and return how many were not marked yet.

        When one of them was kept for duplicates, the oldest of those takes its place.

        Args:
            job: the job that found or made them gone.
            keys: (n,) paths below the root.
            root_id: the job's source unless said.
        """
        parameters = {"root": root_id or job.source_root_id, "job": job.id, "keys": keys}
        with self._transaction() as connection:
            return self._driver(connection).execute(MARK_DELETED, parameters).rowcount

    def known_files(self, root_id: str) -> pa.Table:
        """Return (n,) rows of `KnownFile`: the live files of a root, sorted by key."""
        with self._transaction() as connection:
            query = sql.SQL(KNOWN).format(sql.Literal(root_id))
            return copy_out(self._driver(connection), query, arrow_schema(KnownFile))

    def catalog_totals(
        self, *, root_id: str | None = None, account_id: str | None = None
    ) -> CatalogTotals:
        """Return what the catalog holds, of one root or account where given."""
        parameters = {"root": root_id, "account": account_id}
        with self._transaction() as connection:
            rows = self._driver(connection).execute(TOTALS, parameters).fetchall()
        return CatalogTotals(
            files=sum(row[1] for row in rows),
            bytes=sum(row[2] for row in rows),
            duplicates=sum(row[3] for row in rows),
            space_wasted_bytes=sum(row[4] for row in rows),
            by_category={row[0]: row[1] for row in rows},
        )

    def catalog_counts(self, root_id: str) -> dict[str, int]:
        """Return `files`, `bytes`, `duplicates` and `space_wasted_bytes` of a root."""
        totals = self.catalog_totals(root_id=root_id)
        return {
            "files": totals.files,
            "bytes": totals.bytes,
            "duplicates": totals.duplicates,
            "space_wasted_bytes": totals.space_wasted_bytes,
        }


def _root(driver: "psycopg.Connection[Any]", parameters: dict[str, Any]) -> dict[str, Any]:
    """URL and account of the root to publish to, locked."""
    row = driver.execute(LOCK_ROOT, parameters).fetchone()
    if row is None:
        raise MissingError(f"there is no storage root {parameters['root']}")
    return {"url": row[0], "user": row[1], "kind": row[2]}


def _two(cursor: "psycopg.Cursor[Any]") -> tuple[int, int]:
    """The two counts of a statement that returns them."""
    first, second = cursor.fetchone() or (0, 0)
    return int(first), int(second)


def _move(driver: "psycopg.Connection[Any]", incoming: pa.Table, parameters: dict[str, Any]) -> int:
    """Carry rows of moved files to their new keys and return how many there were."""
    if incoming["previous_key"].null_count == incoming.num_rows:
        return 0
    driver.execute(CLEAR_THE_WAY, parameters)
    moved = driver.execute(DEPART, parameters).rowcount
    if moved:
        driver.execute(ARRIVE, parameters)
    return moved


def _incoming(rows: pa.Table) -> pa.Table:
    """The rows with the name and extension that the specification's columns want."""
    schema = arrow_schema(CatalogRow)
    missing = set(schema.names) - set(rows.schema.names)
    if missing:
        raise InvalidError(f"rows to publish lack {', '.join(sorted(missing))}")
    table = rows.select(schema.names)
    name = pc.replace_substring_regex(table["key"], r"(?s)^.*/", "")
    # A leading dot hides a file, it does not begin an extension.
    extension = pc.struct_field(
        pc.extract_regex(name, rf"(?s)^.+(?P<extension>\.[^.]{{1,{EXTENSION_CHARACTERS - 1}}})$"),
        "extension",
    )
    mime = pc.utf8_slice_codeunits(table["mime"], 0, MIME_CHARACTERS)
    table = table.set_column(table.schema.get_field_index("mime"), "mime", mime)
    table = table.append_column("filename", pc.utf8_slice_codeunits(name, 0, NAME_CHARACTERS))
    return table.append_column("extension", pc.utf8_lower(extension))
