"""Vectors of one account are found among those of many."""

from typing import Any

from alembic import op

revision: str = "0010"
down_revision: str | None = "0009"
branch_labels: str | None = None
depends_on: str | None = None

NEAREST = """
CREATE OR REPLACE FUNCTION my_nearest(model_table text, query text, most integer)
RETURNS TABLE (sha256 text, score double precision)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE
    me uuid := nullif(current_setting('app.account_id', true), '')::uuid;
    version integer[];
BEGIN
    IF model_table !~ '^model_[0-9a-f]{16}$'
        OR to_regclass('vectors.' || model_table) IS NULL THEN
        RETURN;
    END IF;
    PERFORM set_config('hnsw.ef_search', '200', true);
    SELECT string_to_array(extversion, '.')::integer[] INTO version
        FROM pg_extension WHERE extname = 'vector';
    -- From 0.8 on the index goes on where other accounts' vectors fill the candidates.
    IF version >= ARRAY[0, 8] THEN
        PERFORM set_config('hnsw.iterative_scan', 'strict_order', true);
    END IF;
    RETURN QUERY EXECUTE format(
        'SELECT v.sha256::text, 1 - (v.vector <=> $1::vector) FROM vectors.%I v'
        ' WHERE EXISTS (SELECT FROM files f WHERE f.sha256_hash = v.sha256 AND f.user_id = $2'
        '   AND f.deleted_at IS NULL)'
        ' ORDER BY v.vector <=> $1::vector LIMIT $3', model_table) USING query, me, most;
END $$;
"""


def upgrade() -> None:
    connection: Any = op.get_bind().connection.driver_connection
    connection.execute(NEAREST)


def downgrade() -> None:
    """The newer function does what the older one did."""
