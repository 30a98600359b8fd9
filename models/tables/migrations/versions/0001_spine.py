"""The specification's seven tables and the pipeline's eight."""

from pathlib import Path
from typing import Any

from alembic import op

revision: str = "0001"
down_revision: str | None = None
branch_labels: str | None = None
depends_on: str | None = None

TABLES = (
    "duplicate_members",
    "duplicate_groups",
    "outbox_events",
    "job_events",
    "journal_folders",
    "organization_operations",
    "organization_plans",
    "organization_jobs",
    "analytics_events",
    "api_keys",
    "file_tags",
    "files",
    "storage_roots",
    "subscriptions",
    "users",
)
FUNCTIONS = (
    "ensure_analytics_partitions(date, integer)",
    "notify_outbox()",
    "notify_job_event()",
    "settle_duplicate_group()",
    "promote_duplicate()",
    "delete_journal_of_job()",
    "refuse_illegal_job_status()",
)


def _run(name: str) -> None:
    """Run a file of statements as it is."""
    connection: Any = op.get_bind().connection.driver_connection
    connection.execute((Path(__file__).parent / name).read_text())


def upgrade() -> None:
    """Make everything. The two extensions are trusted: the database's owner may make them."""
    op.execute("CREATE EXTENSION IF NOT EXISTS citext")
    op.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    _run("0001_tables.sql")
    _run("0001_rules.sql")


def downgrade() -> None:
    """Drop everything but the extensions, which others may use."""
    for table in TABLES:
        op.execute(f"DROP TABLE {table}")
    for function in FUNCTIONS:
        op.execute(f"DROP FUNCTION {function}")
