"""Row-level security: in a tenant's transaction only the rows of one account exist.

It stands behind `of_account()`, which every read of a tenant goes through: where that was
forgotten, nothing of another account is found. The owner of the tables, which the pipeline works
as, is not restricted.
"""

from collections.abc import Mapping
from hashlib import sha256

from sqlalchemy import Connection, Table, text
from sqlalchemy.exc import IntegrityError, ProgrammingError

from models.domain.errors import InvalidError
from models.tables.schema import METADATA

TENANT_ROLE = "fileorganizer_tenant"
"""Owns nothing and cannot sign in; a tenant's transaction takes it on."""

ACCOUNT_SETTING = "app.account_id"
"""Setting of a transaction that says whose it is."""

POLICY = "tenant"

ME = f"(SELECT nullif(current_setting('{ACCOUNT_SETTING}', true), '')::uuid)"
"""The account; null, which equals nothing, where none was set. As a subquery it is asked for once
for a statement and not for each row."""

PARENTS: Mapping[str, tuple[str, str]] = {
    "job_id": ("organization_jobs", "id"),
    "group_id": ("duplicate_groups", "id"),
}
"""Tables without an account of their own belong to that of what they are part of: by their column,
the table it is found in. The policy of that table holds in the subquery, too."""

READ_ONLY = frozenset({"subscriptions"})
"""Tables that tenants read and others write."""

BIND = text(
    f"SELECT set_config('role', '{TENANT_ROLE}', true),"
    f" set_config('{ACCOUNT_SETTING}', :account_id, true)"
)
"""Makes the rest of a transaction a tenant's; both end with it."""

UNBIND = text("SELECT set_config('role', session_user, true)")
"""Makes the rest of a tenant's transaction the owner's again."""

CURRENT = text(f"SELECT current_setting('{ACCOUNT_SETTING}')")
"""Whose transaction it is."""


def rule_of(table: Table) -> str | None:
    """Return the condition on a tenant's rows of a table; None of a table that is no tenant's."""
    if table.name == "users":
        return f"id = {ME}"
    if "user_id" in table.columns:
        return f"user_id = {ME}"
    for column, (parent, key) in PARENTS.items():
        if column in table.columns:
            return f"EXISTS (SELECT FROM {parent} p WHERE p.{key} = {table.name}.{column})"
    return None


def protect(connection: Connection) -> list[str]:
    """Give every table of tenants its policy, and the role what it needs; return what changed.

    Idempotent, and without locks on tables where nothing is to be done. A table that no rule
    knows stays closed to tenants altogether.

    Raises:
        InvalidError: the role is missing and we may not make it.
    """
    _ensure_role(connection)
    done: list[str] = []
    marks = _marks(connection)
    for table in METADATA.sorted_tables:
        rule = rule_of(table)
        if rule is None:
            continue
        rights = "SELECT" if table.name in READ_ONLY else "SELECT, INSERT, UPDATE, DELETE"
        mark = sha256(f"{rule} {rights}".encode()).hexdigest()[:16]
        if marks.get(table.name) == mark:
            continue
        both = f"USING ({rule}) WITH CHECK ({rule})"
        for statement in (
            f"ALTER TABLE {table.name} ENABLE ROW LEVEL SECURITY",
            f"DROP POLICY IF EXISTS {POLICY} ON {table.name}",
            f"CREATE POLICY {POLICY} ON {table.name} TO {TENANT_ROLE} {both}",
            f"REVOKE ALL ON {table.name} FROM {TENANT_ROLE}",
            f"GRANT {rights} ON {table.name} TO {TENANT_ROLE}",
            f"COMMENT ON POLICY {POLICY} ON {table.name} IS '{mark}'",
        ):
            connection.execute(text(statement))
        done.append(table.name)
    return done


def _marks(connection: Connection) -> dict[str, str]:
    """By table: the mark of the policy it has."""
    query = text(
        "SELECT c.relname, coalesce(obj_description(p.oid, 'pg_policy'), '')"
        " FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid"
        " WHERE p.polname = :policy AND c.relrowsecurity"
        " AND c.relnamespace = to_regnamespace('public')"
    )
    return {str(name): str(mark) for name, mark in connection.execute(query, {"policy": POLICY})}


def _ensure_role(connection: Connection) -> None:
    """Make the role and take part in it; the embedded server's superuser already did both."""
    # Before 16 a member may always take on a role; since then that is a right of its own.
    right = "SET" if _version(connection) >= 160000 else "MEMBER"  # noqa: PLR2004 -- as it counts
    has_role = text(
        "SELECT pg_has_role(current_user, oid, :right) FROM pg_roles WHERE rolname = :r"
    )
    asked = {"right": right, "r": TENANT_ROLE}
    is_member = connection.execute(has_role, asked).scalar()
    try:
        if is_member is None:
            with connection.begin_nested():
                connection.execute(text(f"CREATE ROLE {TENANT_ROLE} NOLOGIN"))
        if not connection.execute(has_role, asked).scalar():
            with connection.begin_nested():
                connection.execute(text(f"GRANT {TENANT_ROLE} TO CURRENT_USER"))
    except IntegrityError:  # another database of this server was first
        return _ensure_role(connection)
    except ProgrammingError as error:
        who = connection.execute(text("SELECT current_user")).scalar_one()
        raise InvalidError(
            f"tenants are kept apart by the role {TENANT_ROLE}, which {who} may not make. Run once "
            f"as an administrator: CREATE ROLE {TENANT_ROLE} NOLOGIN; "
            f'GRANT {TENANT_ROLE} TO "{who}"'
        ) from error


def _version(connection: Connection) -> int:
    """The server's version, as 180006."""
    return int(connection.execute(text("SHOW server_version_num")).scalar_one())
