"""Revisions: up, down, up; equal to the tables; safe to run at once and again."""

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from psycopg import sql
from sqlalchemy.engine import make_url

from deploy import migrations
from models.domain.errors import BusyError, InvalidError

pytestmark = pytest.mark.service


@pytest.fixture
def empty_url(postgres_url):
    url = make_url(postgres_url)
    name = sql.Identifier("migrations_empty")
    with psycopg.connect(postgres_url.replace("+psycopg", ""), autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(name))
        yield url.set(database="migrations_empty").render_as_string(hide_password=False)
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


def test_up_down_up_on_an_empty_database_leaves_no_difference(empty_url):
    migrations.upgrade(empty_url)
    assert migrations.differences(empty_url) == []
    migrations.downgrade(empty_url, "base")
    with psycopg.connect(empty_url.replace("+psycopg", "")) as connection:
        left = connection.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
            " AND relname NOT LIKE 'alembic_version%'"
            " UNION ALL SELECT proname FROM pg_proc p WHERE pronamespace = 'public'::regnamespace"
            " AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = p.oid AND deptype = 'e')"
        ).fetchall()
    assert left == []
    migrations.upgrade(empty_url)
    assert migrations.differences(empty_url) == []


def test_a_difference_is_found_also_in_a_check(empty_url):
    migrations.upgrade(empty_url)
    with psycopg.connect(empty_url.replace("+psycopg", "")) as connection:
        connection.execute("ALTER TABLE users ALTER full_name TYPE text, ADD extra int")
        connection.execute("ALTER TABLE users DROP CONSTRAINT valid_tier")
    found = "\n".join(migrations.differences(empty_url))
    assert "extra" in found
    assert "full_name" in found
    assert "CHECK only in the tables: users.valid_tier" in found


def test_two_upgrades_at_once_are_one(empty_url):
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(migrations.upgrade, [empty_url, empty_url]))
    assert migrations.differences(empty_url) == []


def test_an_upgrade_from_libpqs_spelling_of_the_url(empty_url):
    migrations.upgrade(empty_url.replace("postgresql+psycopg", "postgresql"))
    assert migrations.differences(empty_url) == []


def test_urls_that_cannot_work_say_so():
    with pytest.raises(BusyError, match="fileorganizer up"):
        migrations.upgrade("postgresql://nobody:x@127.0.0.1:1/none")
    with pytest.raises(InvalidError, match="Postgres"):
        migrations.upgrade("sqlite://")
    with pytest.raises(InvalidError):
        migrations.upgrade("not a url")


def test_the_command_line(empty_url, capsys):
    assert migrations.main(["upgrade", empty_url]) == 0
    assert migrations.main(["downgrade", empty_url, "base"]) == 0
    assert migrations.main(["upgrade", "sqlite://"]) == 1
    assert "Postgres" in capsys.readouterr().err


def test_the_check_of_make_check_is_clean(capsys):
    assert migrations.main(["check"]) == 0
    assert "agree" in capsys.readouterr().out
