"""Stopping a stack from outside, whatever state it is in."""

import contextlib
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from deploy.embedded.leftovers import end_orphans
from deploy.embedded.places import places_of
from deploy.embedded.postgres import EmbeddedPostgres
from deploy.embedded.state import Phase, StackState, load, save
from models.settings import Settings

STOP_TIMEOUT_S = 120.0
"""Each part has 15 s, Postgres 60 s for its checkpoint."""
POLL_S = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """What stopping did.

    Attributes:
        was_running: There was a supervisor.
        was_clean: It ended by itself in time.
        leftovers: Processes without a supervisor that were ended.
        postgres_stopped: The embedded Postgres had to be stopped from here.
        seconds: How long it took.
    """

    was_running: bool
    was_clean: bool
    leftovers: int
    postgres_stopped: bool
    seconds: float


def stop_stack(
    settings: Settings,
    on_progress: Callable[[str], None],
    *,
    timeout_s: float = STOP_TIMEOUT_S,
) -> Stopped:
    """Stop the supervisor and make sure that nothing of its stack is left.

    Args:
        settings: Which home.
        on_progress: Gets each step, as a phrase for people.
        timeout_s: After that the supervisor is killed and its parts are ended one by one.
    """
    started = time.monotonic()
    places = places_of(settings)
    state = load(places.state)
    process = state.supervisor.find() if state else None
    is_gone = process is None or _ask(process, places.state, on_progress, timeout_s)
    if process is not None and not is_gone:
        on_progress("killing the supervisor, which does not stop")
        with contextlib.suppress(psutil.Error):
            process.kill()
            process.wait(POLL_S * 50)
    state = load(places.state)
    leftovers = end_orphans(places, state) if places.home.exists() else 0
    postgres_stopped = _stop_postgres(state, on_progress)
    if state is not None and state.phase is not Phase.FAILED:
        stopped = {"phase": Phase.STOPPED, "step": "", "parts": []}
        save(places.state, state.model_copy(update=stopped))
    return Stopped(
        was_running=process is not None,
        was_clean=is_gone,
        leftovers=leftovers,
        postgres_stopped=postgres_stopped,
        seconds=time.monotonic() - started,
    )


def _ask(
    process: psutil.Process, state_file: Path, on_progress: Callable[[str], None], timeout_s: float
) -> bool:
    """Send SIGTERM and wait; True if the supervisor ended in time."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + timeout_s
    told = ""
    while _is_living(process):
        if time.monotonic() > deadline:
            return False
        state = load(state_file)
        if state is not None and state.phase is Phase.STOPPING and state.step != told:
            told = state.step
            on_progress(told)
        time.sleep(POLL_S)
    return True


def _is_living(process: psutil.Process) -> bool:
    """True unless it ended, even if nobody has asked for its exit status."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def _stop_postgres(state: StackState | None, on_progress: Callable[[str], None]) -> bool:
    """Stop the embedded Postgres if it outlived its supervisor."""
    if state is None or state.postgres_dir is None:
        return False
    server = EmbeddedPostgres(Path(state.postgres_dir))
    if not server.is_running():
        return False
    on_progress("stopping Postgres")
    server.stop()
    return True
