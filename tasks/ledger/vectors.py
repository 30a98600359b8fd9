"""Vectors in Postgres, where it has pgvector: a table for each model, never two models in one."""

from collections.abc import Sequence
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from models.domain.embeddings import EmbeddingRow, vector_table
from models.domain.errors import InvalidError
from models.domain.search import POOL, Ranked, SearchScope, scope_parameters
from tasks.ledger.database import Database

LARGEST_INDEXED = 2000
"""Numbers of a vector that pgvector's HNSW can index; longer ones are compared one by one."""
EF_SEARCH = 200
"""Candidates HNSW keeps (its default is 40): twice the pool that is fused."""
_SCHEMA = "vectors"
_MAGIC = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_END = b"\xff\xff"

HAS_EXTENSION: LiteralString = "SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'vector')"
CAN_EXTEND: LiteralString = (
    "SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'vector')"
)

NEAREST: LiteralString = """
SELECT v.sha256, 1 - (v.vector <=> %(vector)s::vector) AS score
  FROM {table} v
 WHERE EXISTS (SELECT FROM files f WHERE f.sha256_hash = v.sha256 AND f.user_id = %(account)s
    AND (%(root)s::uuid IS NULL OR f.root_id = %(root)s)
    AND f.deleted_at IS NULL AND starts_with(f.storage_key, %(prefix)s))
 ORDER BY v.vector <=> %(vector)s::vector LIMIT %(limit)s"""

FORGET: LiteralString = """
DELETE FROM {table} v WHERE NOT EXISTS (SELECT FROM files f WHERE f.sha256_hash = v.sha256)"""


def _table(model_id: str, tower: str) -> sql.Composable:
    return sql.Identifier(_SCHEMA, vector_table(model_id, tower))


class Vectors(Database):
    """The part of the ledger that finds contents by meaning."""

    def has_vectors(self) -> bool:
        """Return whether this database keeps vectors; makes the extension where it may."""
        with self._transaction() as connection:
            driver = self._driver(connection)
            if _says(driver, HAS_EXTENSION):
                return True
            if not _says(driver, CAN_EXTEND):
                return False
            try:
                with driver.transaction():
                    driver.execute("CREATE EXTENSION vector")
            except psycopg.errors.InsufficientPrivilege:
                return False
            return True

    def has_vectors_of(self, model_id: str, tower: str) -> bool:
        """Return whether vectors of a model were ever stored here."""
        with self._transaction() as connection:
            return _exists(self._driver(connection), model_id, tower)

    def missing_vectors(self, model_id: str, tower: str, contents: Sequence[str]) -> list[str]:
        """Return those of some contents whose vector is not in Postgres, sorted."""
        with self._transaction() as connection:
            driver = self._driver(connection)
            if not _exists(driver, model_id, tower):
                return sorted(set(contents))
            query = sql.SQL("SELECT sha256 FROM {} WHERE sha256 = ANY(%s)")
            rows = driver.execute(query.format(_table(model_id, tower)), [list(contents)])
            found = {row[0] for row in rows}
        return sorted(set(contents) - found)

    def keep_vectors(self, rows: Sequence[EmbeddingRow]) -> int:
        """Store the vectors of one model's tower and return how many are new.

        Raises:
            InvalidError: they are of several models.
        """
        if not rows:
            return 0
        kinds = {(row.model_id, row.tower, row.dimension) for row in rows}
        if len(kinds) > 1:
            raise InvalidError("vectors of several models never go into one index")
        ((model_id, tower, dimension),) = kinds
        with self._transaction() as connection:
            driver = self._driver(connection)
            table = _made(driver, model_id, tower, dimension)
            driver.execute(
                sql.SQL("CREATE TEMPORARY TABLE incoming_vectors (LIKE {}) ON COMMIT DROP").format(
                    table
                )
            )
            statement = "COPY incoming_vectors (sha256, vector) FROM STDIN (FORMAT binary)"
            with driver.cursor().copy(statement) as copy:
                copy.write(_MAGIC)
                for row in rows:
                    copy.write(_binary(row))
                copy.write(_END)
            merge = sql.SQL(
                "INSERT INTO {} SELECT DISTINCT ON (sha256) * FROM incoming_vectors"
                " ON CONFLICT DO NOTHING"
            )
            return driver.execute(merge.format(table)).rowcount

    def rank_by_vector(
        self, scope: SearchScope, query: EmbeddingRow, *, limit: int = POOL
    ) -> list[Ranked]:
        """Return contents nearest to a vector by cosine, of the same model and tower only."""
        parameters = scope_parameters(scope) | {
            "vector": _text(query.vector),
            "limit": limit,
        }
        with self._transaction() as connection:
            driver = self._driver(connection)
            if not _exists(driver, query.model_id, query.tower):
                return []
            _tune(driver)
            statement = sql.SQL(NEAREST).format(table=_table(query.model_id, query.tower))
            rows = driver.execute(statement, parameters).fetchall()
        return [Ranked(content=row[0], score=row[1]) for row in rows]

    def forget_vectors(self) -> int:
        """Remove vectors of contents that no file has any more; returns how many."""
        gone = 0
        with self._transaction() as connection:
            driver = self._driver(connection)
            tables = driver.execute(
                "SELECT tablename FROM pg_tables WHERE schemaname = %s", [_SCHEMA]
            ).fetchall()
            for (name,) in tables:
                table = sql.Identifier(_SCHEMA, name)
                gone += driver.execute(sql.SQL(FORGET).format(table=table)).rowcount
        return gone


def _says(driver: "psycopg.Connection[Any]", question: LiteralString) -> bool:
    row = driver.execute(question).fetchone()
    return bool(row and row[0])


def _exists(driver: "psycopg.Connection[Any]", model_id: str, tower: str) -> bool:
    name = _table(model_id, tower).as_string(driver)
    row = driver.execute("SELECT to_regclass(%s) IS NOT NULL", [name]).fetchone()
    return bool(row and row[0])


def _made(
    driver: "psycopg.Connection[Any]", model_id: str, tower: str, dimension: int
) -> sql.Composable:
    """Make the table of a model, and its index, where they are missing."""
    table = _table(model_id, tower)
    if _exists(driver, model_id, tower):
        return table
    driver.execute("SELECT pg_advisory_xact_lock(hashtext('vectors'))")
    driver.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(_SCHEMA)))
    driver.execute(
        sql.SQL(
            "CREATE TABLE IF NOT EXISTS {} (sha256 varchar(64) PRIMARY KEY, vector vector({}))"
        ).format(table, sql.Literal(dimension))
    )
    about = sql.SQL("COMMENT ON TABLE {} IS {}")
    driver.execute(about.format(table, sql.Literal(f"{model_id} {tower}")))
    if dimension <= LARGEST_INDEXED:
        driver.execute(
            sql.SQL(
                "CREATE INDEX IF NOT EXISTS {} ON {} USING hnsw (vector vector_cosine_ops)"
            ).format(sql.Identifier(f"hnsw_{table.as_string(driver)[-17:-1]}"), table)
        )
    return table


def _tune(driver: "psycopg.Connection[Any]") -> None:
    """Search wider, and go on where other accounts' files fill the candidates (pgvector 0.8)."""
    driver.execute("SELECT set_config('hnsw.ef_search', %s, true)", [str(EF_SEARCH)])
    row = driver.execute("SELECT extversion FROM pg_extension WHERE extname = 'vector'").fetchone()
    version = tuple(int(part) for part in str(row[0]).split(".")[:2]) if row else (0, 0)
    if version >= (0, 8):
        driver.execute("SELECT set_config('hnsw.iterative_scan', 'strict_order', true)")


def _binary(row: EmbeddingRow) -> bytes:
    """Return a row of COPY's binary format; pgvector sends dimension, 0, then big-endian floats."""
    import numpy as np

    values = np.frombuffer(row.vector, "<f4").astype(">f4").tobytes()
    vector = row.dimension.to_bytes(2, "big") + bytes(2) + values
    digits = row.sha256.encode()
    return b"".join(
        (
            (2).to_bytes(2, "big"),
            len(digits).to_bytes(4, "big"),
            digits,
            len(vector).to_bytes(4, "big"),
            vector,
        )
    )


def _text(vector: bytes) -> str:
    import numpy as np

    return "[" + ",".join(f"{value:.8g}" for value in np.frombuffer(vector, "<f4").tolist()) + "]"
