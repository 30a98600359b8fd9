"""Sessions, second factors, mail, audit log and what is kept about accounts."""

from pathlib import Path
from typing import Any

from alembic import op

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: str | None = None
depends_on: str | None = None

TABLES = (
    "deletion_requests",
    "exports",
    "consents",
    "user_preferences",
    "audit_log",
    "outgoing_mails",
    "one_time_tokens",
    "recovery_codes",
    "mfa_factors",
    "auth_sessions",
)


def upgrade() -> None:
    connection: Any = op.get_bind().connection.driver_connection
    connection.execute((Path(__file__).parent / "0004_accounts.sql").read_text())


def downgrade() -> None:
    """Drop everything: everybody is signed out, and what was kept about people is gone."""
    for table in TABLES:
        op.execute(f"DROP TABLE {table}")
    op.execute("DROP FUNCTION notify_mail()")
    op.execute("COMMENT ON COLUMN users.deleted_at IS 'When erasure was asked for.'")
