"""One process that starts, watches and stops every part of the stack (DESIGN D9).

Run in the foreground by `fileorganizer up`, in the background as
`python -m deploy.embedded.supervisor`. The kernel sends the children SIGTERM when it dies; only
Postgres lives on, because a database must not be killed lightly, and is adopted by the next one.
"""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from types import FrameType

import structlog
from filelock import FileLock, Timeout

from deploy.embedded import prefect_server, query_service, worker
from deploy.embedded.addresses import Addresses, addresses_of, export, sqlalchemy_url
from deploy.embedded.api import api_spec, choose_api_port
from deploy.embedded.children import Child, ChildSpec
from deploy.embedded.dispatcher import dispatcher_spec
from deploy.embedded.environment import ROOT_NAME
from deploy.embedded.leftovers import end_orphans, requeue_lost_runs
from deploy.embedded.logs import log_to
from deploy.embedded.places import ROOT, places_of
from deploy.embedded.postgres import EmbeddedPostgres
from deploy.embedded.prefect_api import PrefectApi
from deploy.embedded.state import POSTGRES, PartState, Phase, StackState, load, reference, save
from models.domain.errors import EXIT_CODES, BrokenError, ConflictError, FileOrganizerError
from models.settings import Settings

TICK_S = 0.5
HEALTH_S = 240.0
"""The server's first start makes its database: 25 s on two busy cores, more on a slow disk."""
WORKER_S = 120.0
DEPLOY_S = 180.0

_log = structlog.get_logger("deploy.embedded.supervisor")

Tell = Callable[[str], None]


class StopRequestedError(Exception):
    """SIGINT or SIGTERM came while something was starting."""


class Supervisor:
    """Runs one stack.

    Args:
        settings: What is embedded, and where.
        environ: The environment that children inherit.
        tell: Gets each step, as a phrase for people.
    """

    def __init__(self, settings: Settings, environ: Mapping[str, str], tell: Tell) -> None:
        self._settings = settings
        self._environ = environ
        self._tell = tell
        self._places = places_of(settings)
        self._root = Path(environ.get(ROOT_NAME, ROOT)).resolve()
        self._postgres: EmbeddedPostgres | None = None
        self._children: list[Child] = []
        self._api_url: str | None = None
        self._api_address: str | None = None
        self._phase = Phase.STARTING
        self._step = ""
        self._error: FileOrganizerError | None = None
        self._is_stopping = False
        self._postgres_restarts = 0

    def run(self, on_ready: Callable[[Addresses], None] | None = None) -> None:
        """Start everything, call `on_ready`, watch until a signal comes, stop everything.

        Raises:
            ConflictError: another supervisor runs below this home, or a port is taken.
            FileOrganizerError: a part did not start; everything was stopped again.
        """
        self._places.make()
        with self._exclusive(), self._signals():
            previous = load(self._places.state)
            try:
                self._bring_up(previous)
                self._set(Phase.READY, "ready")
                if on_ready is not None:
                    on_ready(self._addresses())
                self._watch()
            except StopRequestedError:
                _log.info("start.interrupted", step=self._step)
            except FileOrganizerError as error:
                self._error = error
                raise
            finally:
                self._take_down()

    def _bring_up(self, previous: StackState | None) -> None:
        """Start the parts; the server starts while Postgres does."""
        self._set(Phase.STARTING, "looking for leftovers")
        self._api_address = previous.api_address if previous else None
        end_orphans(self._places, previous)
        if self._settings.prefect_api_url is None:
            # Noted even if this start fails: the next one tries the same address again.
            self._api_url = previous.prefect_api_url if previous else None
            port = prefect_server.choose_port(self._settings.prefect_port, self._api_url)
            self._api_url = f"http://{prefect_server.HOST}:{port}/api"
            redis = self._settings.redis_url
            spec = prefect_server.server_spec(
                self._places,
                self._environ,
                port,
                redis_url=redis.get_secret_value() if redis else None,
            )
            self._start(spec)
        else:
            self._api_url = self._settings.prefect_api_url.rstrip("/")
        self._bring_up_database()
        api = PrefectApi(self._api_url, self._environ)
        self._wait("waiting for the Prefect server", api.is_healthy, HEALTH_S)
        if self._settings.prefect_api_url is None:
            requeue_lost_runs(api, after_s=self._settings.lease_s)
            worker.ensure_silence_automation(api)
        self._bring_up_worker(api)
        for spec in self._further_children():
            self._start(spec)

    def _bring_up_database(self) -> None:
        """Start Postgres unless it is given, and bring its tables up to date."""
        if self._settings.database_url is None:
            self._set(Phase.STARTING, "starting Postgres")
            self._postgres = EmbeddedPostgres(self._places.postgres())
            self._postgres.start()
        self._set(Phase.STARTING, "bringing the tables up to date")
        from deploy.migrations import upgrade

        upgrade(self._database_url())

    def _bring_up_worker(self, api: PrefectApi) -> None:
        """Start the worker (it makes its pool), and register the deployments when they changed."""
        spec = self._worker_spec()
        before = worker.last_heartbeat(api)
        self._start(spec)
        self._wait(
            "waiting for the worker",
            lambda: worker.last_heartbeat(api) not in (None, before),
            WORKER_S,
        )
        if worker.is_registered(api, self._root):
            return
        deploy = Child(worker.deploy_spec(spec, self._places))
        deploy.start()
        try:
            self._wait("registering the deployments", lambda: not deploy.is_running, DEPLOY_S)
        finally:
            deploy.stop()
        missing = worker.missing_deployments(api, self._root)
        if deploy.exit_code != 0 or missing:
            raise BrokenError(
                f"`prefect deploy --all` failed (missing: {', '.join(sorted(missing)) or 'none'}); "
                f"see {deploy.spec.log}."
            )
        worker.remember_registered(api, self._root)

    def _further_children(self) -> tuple[ChildSpec, ...]:
        """Parts that need all the others; one entry each."""
        worker_spec = self._worker_spec()
        port = choose_api_port(self._settings, self._api_address)
        self._api_address = f"http://{self._settings.api_host}:{port}"
        found = [
            dispatcher_spec(self._places, worker_spec),
            api_spec(self._places, worker_spec, port),
        ]
        if query_service.is_wanted(self._settings):
            found.append(query_service.query_service_spec(self._places, worker_spec))
        return tuple(found)

    def _worker_spec(self) -> ChildSpec:
        """How to run the worker, now that the addresses are known."""
        return worker.worker_spec(
            self._places, self._environ, export(self._addresses()), self._root
        )

    def _watch(self) -> None:
        """Restart what dies, until a signal comes."""
        while not self._is_stopping:
            changed = [child.tend() for child in self._children]
            if self._postgres is not None and not self._postgres.is_running():
                _log.warning("postgres.died")
                self._postgres_restarts += 1
                with contextlib.suppress(BrokenError):  # try again at the next tick
                    self._postgres.start()
                changed.append(True)
            if any(changed):
                self._set(Phase.READY, "ready")
            time.sleep(TICK_S)

    def _take_down(self) -> None:
        """Stop everything, last started first; one part's trouble does not keep the others."""
        self._is_stopping = True
        for child in reversed(self._children):
            self._set(Phase.STOPPING, f"stopping the {child.spec.name}")
            child.stop()
        if self._postgres is not None:
            self._set(Phase.STOPPING, "stopping Postgres")
            try:
                self._postgres.stop()
            except FileOrganizerError as error:
                self._error = self._error or error
                _log.exception("postgres.not_stopped")
        self._children.clear()
        self._set(Phase.FAILED if self._error else Phase.STOPPED, "")

    def _start(self, spec: ChildSpec) -> None:
        """Start a child and keep it."""
        self._set(Phase.STARTING, f"starting the {spec.name}")
        child = Child(spec)
        self._children.append(child)
        child.start()
        self._write()

    def _wait(self, step: str, is_done: Callable[[], bool], timeout_s: float) -> None:
        """Wait for a part.

        Raises:
            StopRequestedError: a signal came.
            BrokenError: it took too long, or a child died meanwhile; the log's end is told.
        """
        self._set(Phase.STARTING, step)
        deadline = time.monotonic() + timeout_s
        while not is_done():
            dead = next((child for child in self._children if not child.is_running), None)
            if dead is not None:
                raise BrokenError(
                    f"The {dead.spec.name} ended with status {dead.exit_code} while {step}; the "
                    f"end of {dead.spec.log}:\n{_tail(dead.spec.log)}"
                )
            if time.monotonic() > deadline:
                raise BrokenError(
                    f"Gave up {step} after {timeout_s:.0f} s; see {self._places.logs}."
                )
            if self._is_stopping:
                raise StopRequestedError
            time.sleep(TICK_S / 2)
        if self._is_stopping:
            raise StopRequestedError

    def _addresses(self) -> Addresses:
        """Addresses of what runs."""
        return addresses_of(self._settings, self._state())

    def _database_url(self) -> str:
        """Of the embedded Postgres, or the one that was given."""
        if self._settings.database_url is not None:
            return sqlalchemy_url(self._settings.database_url)
        if self._postgres is None:
            raise BrokenError("Postgres was not started.")
        return self._postgres.url

    def _set(self, phase: Phase, step: str) -> None:
        """Note where we are, and tell it."""
        self._phase, self._step = phase, step
        self._write()
        _log.info("stack.step", phase=phase, step=step)
        if step:
            self._tell(step)

    def _write(self) -> None:
        """Write the state file."""
        save(self._places.state, self._state())

    def _state(self) -> StackState:
        """All of it, for others."""
        supervisor = reference(os.getpid())
        if supervisor is None:
            raise BrokenError("This system does not tell a process its own start time.")
        parts = [child.state for child in self._children]
        if self._postgres is not None:
            pid = self._postgres.pid
            parts.insert(
                0,
                PartState(
                    name=POSTGRES,
                    process=reference(pid) if pid else None,
                    restarts=self._postgres_restarts,
                    log=str(self._postgres.cluster / "log"),
                ),
            )
        return StackState(
            supervisor=supervisor,
            phase=self._phase,
            step=self._step,
            error=str(self._error) if self._error else None,
            error_kind=self._error.kind if self._error else None,
            postgres_dir=str(self._postgres.data_dir) if self._postgres else None,
            prefect_api_url=self._api_url,
            api_address=self._api_address,
            lake=self._settings.lake,
            parts=parts,
        )

    @contextlib.contextmanager
    def _exclusive(self) -> Generator[None]:
        """Hold the stack's lock; the kernel frees it however we end."""
        try:
            with FileLock(self._places.lock, timeout=0):
                yield
        except Timeout as error:
            raise ConflictError(
                f"A supervisor already runs below {self._places.home}; `fileorganizer status`."
            ) from error

    @contextlib.contextmanager
    def _signals(self) -> Generator[None]:
        """Take SIGINT, SIGTERM and SIGHUP as a wish to stop, and give them back afterwards."""

        def wish(_number: int, _frame: FrameType | None) -> None:
            self._is_stopping = True

        taken = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        before = {number: signal.signal(number, wish) for number in taken}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _tail(log: Path, *, size_bytes: int = 1500) -> str:
    """The end of a log."""
    try:
        return log.read_bytes()[-size_bytes:].decode(errors="replace").strip()
    except OSError:
        return "(no log)"


def main() -> int:
    """Run a stack in the background; the exit status of the error's kind."""
    settings = Settings()
    places_of(settings).make()
    log_to(places_of(settings).log("supervisor"), settings.log_level)
    try:
        Supervisor(settings, os.environ, lambda _step: None).run()
    except FileOrganizerError as error:
        _log.exception("stack.failed")
        sys.stderr.write(f"{error}\n")
        return EXIT_CODES[error.kind]
    return 0


if __name__ == "__main__":
    sys.exit(main())
