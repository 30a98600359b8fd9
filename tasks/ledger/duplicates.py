"""Groups of duplicates, published as the newest run over a root found them."""

from typing import LiteralString

import pyarrow as pa

from models.domain.duplicates import DuplicateRow
from models.domain.errors import MissingError
from models.domain.jobs import Job
from tasks.ledger.bulk import copy_in
from tasks.ledger.database import Database
from warehouse.schemas.arrow import arrow_schema

INCOMING: LiteralString = "incoming_duplicates"

MAKE_INCOMING: LiteralString = """
CREATE TEMPORARY TABLE incoming_duplicates (
    group_id text, key text, is_keeper boolean, truth_class text,
    similarity_ratio double precision, size_bytes bigint, is_hardlink boolean, wasted_bytes bigint,
    keep_reason text, is_removable boolean) ON COMMIT DROP"""

DROP_GROUPS = """
DELETE FROM duplicate_groups g WHERE g.root_id = %(root)s AND NOT EXISTS (
    SELECT FROM incoming_duplicates i
     WHERE i.group_id = g.group_key AND i.truth_class = g.truth_class)"""

MERGE_GROUPS = """
INSERT INTO duplicate_groups AS g
    (user_id, root_id, truth_class, group_key, files_count, wasted_bytes, job_id)
SELECT r.user_id, r.id, i.truth_class, i.group_id, count(*), sum(i.wasted_bytes), %(job)s
  FROM incoming_duplicates i JOIN storage_roots r ON r.id = %(root)s
 GROUP BY r.user_id, r.id, i.truth_class, i.group_id
ON CONFLICT (root_id, truth_class, group_key) DO UPDATE SET
    files_count = excluded.files_count, wasted_bytes = excluded.wasted_bytes,
    job_id = excluded.job_id"""

RESOLVE = """
CREATE TEMPORARY TABLE incoming_members ON COMMIT DROP AS
SELECT g.id AS group_id, f.id AS file_id, i.is_keeper, i.similarity_ratio, i.is_hardlink,
       i.wasted_bytes, i.keep_reason, i.is_removable
  FROM incoming_duplicates i
  JOIN duplicate_groups g ON g.root_id = %(root)s AND g.truth_class = i.truth_class
       AND g.group_key = i.group_id
  JOIN files f ON f.root_id = %(root)s AND f.storage_key = i.key"""

DROP_MEMBERS = """
DELETE FROM duplicate_members m USING duplicate_groups g
 WHERE g.id = m.group_id AND g.root_id = %(root)s AND NOT EXISTS (
    SELECT FROM incoming_members i WHERE i.group_id = m.group_id AND i.file_id = m.file_id)"""

DEPOSE = """
UPDATE duplicate_members m SET is_keeper = false FROM incoming_members i
 WHERE i.group_id = m.group_id AND i.file_id = m.file_id AND m.is_keeper AND NOT i.is_keeper"""

MERGE_MEMBERS = """
INSERT INTO duplicate_members AS m
    (group_id, file_id, is_keeper, similarity_ratio, is_hardlink, wasted_bytes, keep_reason,
     is_removable)
SELECT * FROM incoming_members
ON CONFLICT (group_id, file_id) DO UPDATE SET
    is_keeper = excluded.is_keeper, similarity_ratio = excluded.similarity_ratio,
    is_hardlink = excluded.is_hardlink, wasted_bytes = excluded.wasted_bytes,
    keep_reason = excluded.keep_reason, is_removable = excluded.is_removable"""


class Duplicates(Database):
    """The part of the ledger that knows which files have one content."""

    def publish_duplicates(self, job: Job, rows: pa.Table, *, root_id: str | None = None) -> int:
        """Replace the groups of a root by those of a run; returns how many members there are.

        The same again changes nothing; a group that stays keeps its identity and whether its
        owner ignores it. Files must be published before.

        Args:
            job: the job that found them.
            rows: (n,) rows of `DuplicateRow`: all groups of the root, keys as they now are.
            root_id: root that the keys are below; the job's destination unless said.

        Raises:
            MissingError: a member is not in the catalog.
        """
        parameters = {"root": root_id or job.destination_root_id, "job": job.id}
        with self._transaction() as connection:
            driver = self._driver(connection)
            driver.execute(MAKE_INCOMING)
            copy_in(driver, rows.select(arrow_schema(DuplicateRow).names), into=INCOMING)
            driver.execute(DROP_GROUPS, parameters)
            driver.execute(MERGE_GROUPS, parameters)
            if driver.execute(RESOLVE, parameters).rowcount != rows.num_rows:
                raise MissingError("members of duplicate groups are missing from the catalog")
            driver.execute(DROP_MEMBERS, parameters)
            driver.execute(DEPOSE)
            driver.execute(MERGE_MEMBERS)
            driver.execute(MERGE_GROUPS, parameters)  # counts, after the triggers had their say
        return rows.num_rows
