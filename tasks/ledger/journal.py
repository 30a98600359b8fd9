"""The journal: what a job does to storage, written before it does it.

Hot paths by measurement: `begin` streams rows by COPY, `record` is one UPDATE over arrays.
"""

import json
from collections.abc import Sequence
from typing import Any

import psycopg
from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import UUID

from models.domain.errors import ConflictError, InvalidError, MissingError
from models.domain.operations import FolderRow, Operation, OperationState, Outcome
from models.domain.plans import Action
from tasks.ledger.database import Database
from tasks.ledger.journal_lines import (
    copy_lines,
    folder_lines,
    operation_lines,
    operations_from,
)

COPY_OPERATIONS = """COPY organization_operations (job_id, seq, source_root_id,
destination_root_id, size_bytes, modified_ns, unit_id, action, state, source_key, destination_key,
sha256, version, keeper_key, reason, destination_version, receipt, error) FROM STDIN"""

COPY_FOLDERS = """COPY journal_folders (job_id, root_id, key, existed, mode, modified_ns)
FROM STDIN"""

SELECT_OPERATIONS = """
SELECT seq, unit_id, action, source_root_id, source_key, destination_root_id, destination_key,
       size_bytes, modified_ns, sha256, version, keeper_key, state, destination_version, receipt,
       error, reason
  FROM organization_operations
 WHERE job_id = %(job_id)s AND seq > %(after)s
   AND (%(states)s::text[] IS NULL OR state = ANY(%(states)s))
 ORDER BY seq LIMIT %(limit)s"""

SELECT_FOLDERS = text("""
SELECT f.key, r.url, f.existed, f.mode, f.modified_ns
  FROM journal_folders f JOIN storage_roots r ON r.id = f.root_id
 WHERE f.job_id = :job_id ORDER BY r.url, f.key""").bindparams(
    bindparam("job_id", type_=UUID(as_uuid=False))
)

SELECT_ROOTS = """
SELECT r.url, r.id FROM storage_roots r JOIN organization_jobs j ON j.user_id = r.user_id
 WHERE j.id = %s"""

RECORD = """
UPDATE organization_operations o
   SET state = n.state, recorded_at = now(), error = n.error,
       destination_version = coalesce(n.destination_version, o.destination_version),
       receipt = coalesce(n.receipt::jsonb, o.receipt)
  FROM unnest(%(seqs)s::int[], %(states)s::text[], %(versions)s::text[], %(receipts)s::text[],
              %(errors)s::text[]) AS n (seq, state, destination_version, receipt, error)
 WHERE o.job_id = %(job_id)s AND o.seq = n.seq
   AND (o.state = 'planned' OR (o.state = 'copied' AND n.state <> 'planned'))"""

RECORD_ALL_DONE = """
UPDATE organization_operations o
   SET state = 'done', recorded_at = now(), error = NULL,
       destination_version = coalesce(n.destination_version, o.destination_version)
  FROM unnest(%(seqs)s::int[], %(versions)s::text[]) AS n (seq, destination_version)
 WHERE o.job_id = %(job_id)s AND o.seq = n.seq AND o.state IN ('planned', 'copied')"""
"""The common case of `RECORD`: nothing refused, nothing to receipt."""

ALREADY = """
SELECT n.seq, o.state FROM unnest(%(seqs)s::int[], %(states)s::text[]) AS n (seq, state)
  LEFT JOIN organization_operations o ON o.job_id = %(job_id)s AND o.seq = n.seq
 WHERE o.state IS DISTINCT FROM n.state ORDER BY n.seq LIMIT 1"""
"""The first outcome that the journal contradicts."""

FENCE = "SELECT lease_epoch FROM organization_jobs WHERE id = %s FOR SHARE"
"""Taking over the lease waits for this lock, so a fenced worker's batch is whole or absent."""


LOCK_REMOVALS = """
SELECT pg_advisory_xact_lock(hashtextextended(source_root_id::text, 0))
  FROM (SELECT DISTINCT source_root_id FROM organization_operations
         WHERE job_id = %(job_id)s AND action = 'trash' ORDER BY source_root_id) AS roots"""
"""Two jobs that remove from one root journal one after the other, so the second sees the first."""

REFUSE_RIVALS = """
WITH mine AS MATERIALIZED (
    SELECT unit_id, source_root_id, source_key, keeper_key FROM organization_operations
     WHERE job_id = %(job_id)s AND action = 'trash' AND state = 'planned'),
theirs AS MATERIALIZED (
    SELECT o.source_root_id, o.source_key, o.keeper_key
      FROM organization_jobs j JOIN organization_operations o ON o.job_id = j.id
     WHERE j.id <> %(job_id)s AND j.status IN ('pending', 'running', 'canceling')
       AND o.action = 'trash' AND o.state IN ('planned', 'copied')),
rivals AS (
    SELECT m.unit_id FROM mine m JOIN theirs t
        ON t.source_root_id = m.source_root_id AND t.source_key = m.keeper_key
     UNION
    SELECT m.unit_id FROM mine m JOIN theirs t
        ON t.source_root_id = m.source_root_id AND t.keeper_key = m.source_key)
UPDATE organization_operations o
   SET state = 'refused', recorded_at = now(),
       error = 'another job is removing the file to keep, or keeps this one'
  FROM rivals r WHERE o.job_id = %(job_id)s AND o.state = 'planned' AND o.unit_id = r.unit_id"""
"""Removals whose keeper another open job removes, or that another open job relies on. What storage
says in the end is the mover's business; this is for plans that were approved side by side."""


class Journal(Database):
    """The part of the ledger that alone knows the truth about a job's operations."""

    def begin(
        self, job_id: str, operations: Sequence[Operation], folders: Sequence[FolderRow]
    ) -> None:
        """Write all operations of a job and its folders as they are, in one transaction.

        A second call finds the journal written and changes nothing, whatever became of the
        operations meanwhile. A removal whose keeper another open job is removing, or that another
        open job keeps, is written as refused, with its unit.

        Args:
            job_id: the job.
            operations: (n,) rows with `seq` from 0 without gaps.
            folders: (m,) rows, one for each folder.

        Raises:
            MissingError: there is no such job.
            InvalidError: an operation or folder names a root that is not the account's, or `seq`
                has gaps.
            ConflictError: the job's journal holds another number of operations.
        """
        for expected, operation in enumerate(operations):
            if operation.seq != expected:
                raise InvalidError(f"operation {expected} of job {job_id} has seq {operation.seq}")
        with self._transaction() as connection:
            driver = self._driver(connection)
            self._lock(driver, job_id)
            found = _count(driver, job_id)
            if found:
                if found != len(operations):
                    raise ConflictError(
                        f"the journal of job {job_id} has {found} operations, not {len(operations)}"
                    )
                return
            roots = self._roots_of(driver, job_id)
            copy_lines(driver, COPY_OPERATIONS, operation_lines(job_id, operations, roots))
            driver.execute("DELETE FROM journal_folders WHERE job_id = %s", [job_id])
            copy_lines(driver, COPY_FOLDERS, folder_lines(job_id, folders, roots))
            if any(operation.action == Action.TRASH for operation in operations):
                driver.execute(LOCK_REMOVALS, {"job_id": job_id})
                driver.execute(REFUSE_RIVALS, {"job_id": job_id})

    def folders(self, job_id: str) -> list[FolderRow]:
        """Return the job's folders as they were, ordered by root and path."""
        with self._transaction() as connection:
            rows = connection.execute(SELECT_FOLDERS, {"job_id": job_id}).mappings()
            return [FolderRow(**row) for row in rows]

    def operations(
        self,
        job_id: str,
        *,
        states: Sequence[OperationState] | None = None,
        after_seq: int = -1,
        limit: int | None = None,
    ) -> list[Operation]:
        """Return operations in order of `seq`.

        Args:
            job_id: the job; one without a journal has none.
            states: only these, where given.
            after_seq: only later ones.
            limit: at most so many.
        """
        parameters = {
            "job_id": job_id,
            "after": after_seq,
            "states": None if states is None else [state.value for state in states],
            "limit": limit,
        }
        with self._transaction() as connection:
            driver = self._driver(connection)
            urls = {identity: url for url, identity in self._roots_of(driver, job_id).items()}
            cursor = driver.cursor(binary=True)
            return list(
                operations_from(job_id, urls, cursor.execute(SELECT_OPERATIONS, parameters))
            )

    def operation_counts(self, job_id: str) -> dict[OperationState, int]:
        """Return how many operations stand in each state; states without any are absent."""
        query = (
            "SELECT state, count(*) FROM organization_operations WHERE job_id = %s GROUP BY state"
        )
        with self._transaction() as connection:
            rows = self._driver(connection).execute(query, [job_id]).fetchall()
        return {OperationState(state): int(count) for state, count in sorted(rows)}

    def record(self, job_id: str, epoch: int, outcomes: Sequence[Outcome]) -> None:
        """Write outcomes in one transaction, unless another worker took the job over.

        The same outcome again changes nothing. Without outcomes it only tells whether the epoch
        still holds.

        Args:
            job_id: the job.
            epoch: the caller's lease.
            outcomes: (n,) one for each operation, in any order.

        Raises:
            MissingError: there is no such job.
            ConflictError: the epoch is fenced off, or the journal holds another outcome; nothing
                was written.
        """
        with self._transaction() as connection:
            driver = self._driver(connection)
            held = driver.execute(FENCE, [job_id]).fetchone()
            if held is None:
                raise MissingError(f"there is no job {job_id}")
            if held[0] != epoch:
                raise ConflictError(f"job {job_id} is held by another worker now")
            if outcomes:
                _write_outcomes(driver, job_id, outcomes)

    @staticmethod
    def _lock(driver: "psycopg.Connection[Any]", job_id: str) -> None:
        """Let one `begin` of a job wait for another."""
        query = "SELECT 1 FROM organization_jobs WHERE id = %s FOR NO KEY UPDATE"
        if driver.execute(query, [job_id]).fetchone() is None:
            raise MissingError(f"there is no job {job_id}")

    @staticmethod
    def _roots_of(driver: "psycopg.Connection[Any]", job_id: str) -> dict[str, str]:
        """Ids of the account's roots by their URLs."""
        rows = driver.execute(SELECT_ROOTS, [job_id]).fetchall()
        return {str(url): str(identity) for url, identity in rows}


def _count(driver: "psycopg.Connection[Any]", job_id: str) -> int:
    """Number of operations a job's journal holds."""
    query = "SELECT coalesce(max(seq), -1) + 1 FROM organization_operations WHERE job_id = %s"
    row = driver.execute(query, [job_id]).fetchone()
    return int(row[0]) if row else 0


def _write_outcomes(
    driver: "psycopg.Connection[Any]", job_id: str, outcomes: Sequence[Outcome]
) -> None:
    """One UPDATE; what it did not change must stand there already."""
    parameters: dict[str, Any] = {
        "job_id": job_id,
        "seqs": [outcome.seq for outcome in outcomes],
        "versions": [outcome.destination_version for outcome in outcomes],
    }
    statement = RECORD_ALL_DONE
    if any(o.state is not OperationState.DONE or o.receipt or o.error for o in outcomes):
        statement = RECORD
        parameters["receipts"] = [
            None if outcome.receipt is None else json.dumps(outcome.receipt) for outcome in outcomes
        ]
        parameters["errors"] = [outcome.error for outcome in outcomes]
        parameters["states"] = [outcome.state.value for outcome in outcomes]
    if driver.execute(statement, parameters).rowcount == len(outcomes):
        return
    parameters["states"] = [outcome.state.value for outcome in outcomes]
    contradiction = driver.execute(ALREADY, parameters).fetchone()
    if contradiction is not None:
        seq, state = contradiction
        raise ConflictError(
            f"operation {seq} of job {job_id} is {state or 'not in the journal'} already"
        )
