"""Where the parts of the running stack are; what commands and flows need of it."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import SecretStr

from deploy.embedded.environment import QUIET
from deploy.embedded.places import Places, places_of
from deploy.embedded.postgres import EmbeddedPostgres
from deploy.embedded.state import Phase, StackState, load
from models.domain.errors import (
    BrokenError,
    BusyError,
    ConflictError,
    FileOrganizerError,
    InvalidError,
    Kind,
)
from models.settings import Settings

START_TIMEOUT_S = 420.0
"""More than all of the supervisor's own timeouts for the parts that start one after the other."""
POLL_S = 0.2

ERRORS: dict[Kind, type[FileOrganizerError]] = {
    Kind.INVALID: InvalidError,
    Kind.CONFLICT: ConflictError,
    Kind.BUSY: BusyError,
}
"""How a supervisor's error is raised again on this side; anything else is broken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Addresses of a stack; `database_url` holds a password and is not shown by `repr`."""

    database_url: str = field(repr=False)
    prefect_api_url: str
    prefect_ui_url: str
    lake: str
    home: Path
    api_url: str | None = None


def export(addresses: Addresses) -> dict[str, str]:
    """Environment variables that make a process use this stack; the caller's edge sets them."""
    return {
        **QUIET,
        "FILEORGANIZER_HOME": str(addresses.home),
        "FILEORGANIZER_DATABASE_URL": addresses.database_url,
        "FILEORGANIZER_LAKE_URL": addresses.lake,
        "FILEORGANIZER_PREFECT_API_URL": addresses.prefect_api_url,
        "PREFECT_API_URL": addresses.prefect_api_url,
        "PREFECT_HOME": str(Places(addresses.home).prefect),
    }


def running_stack(settings: Settings) -> Addresses | None:
    """Addresses of the stack below `settings.home`, or None when it is not up and ready."""
    state = load(places_of(settings).state)
    if state is None or state.phase is not Phase.READY or not state.is_alive:
        return None
    try:
        return addresses_of(settings, state)
    except BusyError:  # Postgres is being restarted
        return None


def ensure_stack(settings: Settings, on_progress: Callable[[str], None]) -> Addresses:
    """Addresses of the stack, started in the background when it is not up.

    Args:
        settings: Which home, and what is embedded.
        on_progress: Gets each step of the start, as a phrase for people.

    Raises:
        ConflictError: a port is taken.
        BrokenError: a part did not start; the message says which, and where its log is.
        BusyError: it took too long.
    """
    found = running_stack(settings)
    if found is not None:
        return found
    places = places_of(settings)
    places.make()
    output = places.log("supervisor-output")
    with output.open("wb") as file:
        supervisor = subprocess.Popen(
            [sys.executable, "-m", "deploy.embedded.supervisor"],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            cwd="/",
            env={**os.environ, **settings_environment(settings)},
            start_new_session=True,
        )
    # It outlives this call: somebody must hear of its end, or it stays a zombie of ours.
    threading.Thread(target=supervisor.wait, daemon=True, name="supervisor's end").start()
    deadline = time.monotonic() + START_TIMEOUT_S
    told = ""
    while time.monotonic() < deadline:
        found = running_stack(settings)
        if found is not None:
            return found
        state = load(places.state)
        is_followed = state is not None and state.is_alive
        if not is_followed and supervisor.poll() is not None:
            raise _why(state, supervisor, output)
        if is_followed and state is not None and state.step != told:
            told = state.step
            on_progress(told)
        time.sleep(POLL_S)
    raise BusyError(f"The stack is not ready after {START_TIMEOUT_S:.0f} s; see {places.logs}.")


def settings_environment(settings: Settings) -> dict[str, str]:
    """The settings that are not defaults, as a child process reads them."""
    given: dict[str, str] = {}
    for name in settings.model_fields_set:
        value = getattr(settings, name)
        if value is not None:
            given[f"FILEORGANIZER_{name.upper()}"] = _text_of(value)
    return given


def _text_of(value: object) -> str:
    """A value as `Settings` reads it: folders between `:`, other lists between spaces."""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, tuple):
        return (":" if any(isinstance(each, Path) for each in value) else " ").join(map(str, value))
    return str(value)


def _why(
    state: StackState | None, supervisor: "subprocess.Popen[bytes]", output: Path
) -> FileOrganizerError:
    """The error of a supervisor that ended while starting."""
    if state is not None and state.supervisor.pid == supervisor.pid and state.error:
        return ERRORS.get(state.error_kind or Kind.BROKEN, BrokenError)(state.error)
    said = output.read_text(errors="replace").strip()[-1500:]
    return BrokenError(f"The supervisor ended with status {supervisor.returncode}: {said}")


def addresses_of(settings: Settings, state: StackState) -> Addresses:
    """Addresses that a state file stands for.

    Raises:
        BusyError: the embedded Postgres is not running.
        InvalidError: the stack was started with another database than the settings name now.
    """
    if state.prefect_api_url is None:
        raise BusyError("The stack is still starting.")
    return Addresses(
        database_url=_database_url(settings, state),
        prefect_api_url=state.prefect_api_url,
        prefect_ui_url=state.prefect_api_url.removesuffix("/api"),
        lake=state.lake,
        home=settings.home_path,
        api_url=state.api_address,
    )


def _database_url(settings: Settings, state: StackState) -> str:
    """The settings' database, else the embedded one's."""
    if state.postgres_dir is not None:
        return EmbeddedPostgres(Path(state.postgres_dir)).url
    if settings.database_url is None:
        raise InvalidError(
            "The running stack uses a Postgres of yours: set FILEORGANIZER_DATABASE_URL here too, "
            "or `fileorganizer down` and `up` again for an embedded one."
        )
    return sqlalchemy_url(settings.database_url)


def sqlalchemy_url(url: SecretStr) -> str:
    """A Postgres URL with the driver we use, as SQLAlchemy names it."""
    text = url.get_secret_value()
    for prefix in ("postgresql://", "postgres://"):
        if text.startswith(prefix):
            return "postgresql+psycopg://" + text.removeprefix(prefix)
    return text
