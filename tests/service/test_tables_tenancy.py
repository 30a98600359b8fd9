"""Row-level security: without a word in the query, nothing of another account is there."""

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import create_engine
from sqlalchemy.engine import make_url

from deploy.embedded.postgres import EmbeddedPostgres
from deploy.embedded.provision import admin_connection
from deploy.migrations import upgrade
from models.domain.errors import InvalidError
from models.tables.schema import METADATA
from models.tables.tenancy import POLICY, TENANT_ROLE, protect, rule_of

pytestmark = pytest.mark.service

NOBODYS = {"content_texts", "sweeps"}
"""Tables that are no tenant's: tenants cannot reach them at all."""


@pytest.fixture
def owner(database_url):
    with psycopg.connect(database_url.replace("+psycopg", ""), autocommit=True) as connection:
        yield connection


def person(owner, name):
    [found] = owner.execute(
        "INSERT INTO users (email, password_hash, username) VALUES (%s, '!', %s)"
        " RETURNING id::text",
        (f"{name}@example.com", name),
    ).fetchone()
    return found


def as_tenant(connection, account_id):
    connection.execute(f"SELECT set_config('role', '{TENANT_ROLE}', true)")
    connection.execute("SELECT set_config('app.account_id', %s, true)", (account_id,))


def test_every_table_is_a_tenants_or_closed(owner):
    protected = dict(
        owner.execute(
            "SELECT c.relname, c.relrowsecurity FROM pg_policy p JOIN pg_class c"
            " ON c.oid = p.polrelid WHERE p.polname = %s",
            (POLICY,),
        ).fetchall()
    )
    names = {table.name for table in METADATA.sorted_tables}
    assert {table.name for table in METADATA.sorted_tables if rule_of(table) is None} == NOBODYS
    assert protected == dict.fromkeys(names - NOBODYS, True)
    reachable = owner.execute(
        "SELECT DISTINCT table_name FROM information_schema.role_table_grants WHERE grantee = %s",
        (TENANT_ROLE,),
    ).fetchall()
    assert {name for (name,) in reachable} == names - NOBODYS


def test_a_query_without_an_account_in_it_sees_its_own_rows_alone(owner):
    mine, theirs = person(owner, "me"), person(owner, "them")
    roots = {}
    for account in (mine, theirs):
        [roots[account]] = owner.execute(
            "INSERT INTO storage_roots (user_id, kind, url) VALUES (%s, 'managed', 'memory://m')"
            " RETURNING id::text",
            (account,),
        ).fetchone()
        owner.execute(
            "INSERT INTO files (user_id, filename, storage_path, file_size_bytes, root_id,"
            " storage_key, storage_version, modified_ns)"
            " VALUES (%s, 'f', 'p', 1, %s, 'k', 'v', 1)",
            (account, roots[account]),
        )
        [job] = owner.execute(
            "INSERT INTO organization_jobs (user_id, source_path, organization_mode,"
            " operation_type, destination_path, source_root_id, destination_root_id)"
            " VALUES (%s, 's', 'm', 'move', 'd', %s, %s) RETURNING id::text",
            (account, roots[account], roots[account]),
        ).fetchone()
        owner.execute(
            "INSERT INTO job_events (job_id, seq, attempt, kind, data)"
            " VALUES (%s, 1, 1, 'job:progress', '{}')",
            (job,),
        )
    tables = ("users", "storage_roots", "files", "organization_jobs", "job_events")
    for account in (mine, theirs):
        with owner.transaction():
            as_tenant(owner, account)
            counts = {
                name: owner.execute(
                    sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(name))
                ).fetchone()[0]
                for name in tables
            }
            assert counts == dict.fromkeys(tables, 1)
            assert owner.execute("SELECT id::text FROM users").fetchall() == [(account,)]
    with owner.transaction():
        as_tenant(owner, mine)
        assert owner.execute("UPDATE files SET filename = 'x'").rowcount == 1
        assert owner.execute("DELETE FROM files WHERE user_id = %s", (theirs,)).rowcount == 0
    with pytest.raises(psycopg.errors.InsufficientPrivilege), owner.transaction():
        as_tenant(owner, mine)
        owner.execute("UPDATE files SET user_id = %s", (theirs,))
    with owner.transaction():
        as_tenant(owner, "")
        assert owner.execute("SELECT count(*) FROM files").fetchone() == (0,)
    assert owner.execute("SELECT count(*) FROM files").fetchone() == (2,)


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM content_texts",
        "UPDATE subscriptions SET status = 'active'",
        "SELECT * FROM alembic_version",
        "CREATE TABLE mine (id int)",
        "DROP TABLE files",
    ],
)
def test_a_tenant_may_do_nothing_else(owner, statement):
    me = person(owner, "me")
    with pytest.raises(psycopg.errors.InsufficientPrivilege), owner.transaction():
        as_tenant(owner, me)
        owner.execute(statement)


def test_policies_are_made_once_and_again_only_when_they_change(owner, database_url):
    engine = create_engine(database_url)
    with engine.begin() as connection:
        assert protect(connection) == []
    owner.execute("ALTER TABLE files DISABLE ROW LEVEL SECURITY")
    with engine.begin() as connection:
        assert protect(connection) == ["files"]
    engine.dispose()


def test_the_check_of_an_account_costs_no_index(owner):
    """The policy is checked once beside `of_account()`, and the list is still read in order."""
    me = person(owner, "me")
    with owner.transaction():
        as_tenant(owner, me)
        owner.execute("SET LOCAL enable_seqscan = off")
        lines = owner.execute(
            "EXPLAIN SELECT * FROM files WHERE user_id = %s AND deleted_at IS NULL"
            " ORDER BY created_at DESC, id DESC LIMIT 50",
            (me,),
        ).fetchall()
    plan = "\n".join(line for (line,) in lines)
    assert "idx_files_user_live" in plan, plan
    assert "Sort" not in plan, plan


def test_on_a_server_of_somebody_elses_the_role_is_made_or_asked_for(open_folder):
    server = EmbeddedPostgres(open_folder / "theirs", durable=False)
    url = make_url(server.start())
    try:
        with admin_connection(server._server(), "postgres") as admin:
            admin.execute(f"DROP ROLE {TENANT_ROLE}")
            for name, right in (("maker", "CREATEROLE"), ("plain", "NOCREATEROLE")):
                admin.execute(f"CREATE ROLE {name} LOGIN {right} PASSWORD 'x'")
                admin.execute(f"CREATE DATABASE {name} OWNER {name}")

        def migrate(name):
            given = url.set(username=name, password="x", database=name)
            upgrade(given.render_as_string(hide_password=False))
            return given

        with pytest.raises(InvalidError, match=r'CREATE ROLE .*; GRANT .* TO "plain"'):
            migrate("plain")
        given = migrate("maker").set(drivername="postgresql")
        with psycopg.connect(given.render_as_string(hide_password=False)) as connection:
            as_tenant(connection, "")
            assert connection.execute("SELECT count(*) FROM users").fetchone() == (0,)
        with admin_connection(server._server(), "postgres") as admin:
            admin.execute(f"GRANT {TENANT_ROLE} TO plain")
        migrate("plain")
    finally:
        server.stop(mode="immediate")
