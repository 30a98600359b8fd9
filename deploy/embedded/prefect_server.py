"""The embedded Prefect server: its port, its command, its environment."""

import contextlib
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from deploy.embedded.children import ChildSpec
from deploy.embedded.environment import SERVER, child_environment, messaging
from deploy.embedded.places import Places
from deploy.embedded.prefect_api import PrefectApi
from models.domain.errors import ConflictError

HOST = "127.0.0.1"
NAME = "prefect-server"


def choose_port(wanted: int, last_url: str | None) -> int:
    """A free port for the server.

    Args:
        wanted: From the settings; 0 takes the one of last time if it is free, else any.
        last_url: API address of last time, if there was one.

    Raises:
        ConflictError: the wanted port is taken; the message says by what, and what to do.
    """
    if wanted:
        if not is_free(wanted):
            raise ConflictError(_taken(wanted))
        return wanted
    last = urlsplit(last_url).port if last_url else None
    if last and is_free(last):
        return last
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def is_free(port: int) -> bool:
    """True if a server could listen on this port now."""
    with socket.socket() as probe, contextlib.suppress(OSError):
        # As servers do: connections of an earlier one that linger do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((HOST, port))
        return True
    return False


def server_spec(
    places: Places, environ: Mapping[str, str], port: int, *, redis_url: str | None = None
) -> ChildSpec:
    """How to run the server.

    Its database is SQLite below PREFECT_HOME unless `environ` sets
    `PREFECT_API_DATABASE_CONNECTION_URL`. Only pages of its own origin may call it: without that
    any web page the user visits could, as it asks for no password.

    Raises:
        InvalidError: Redis is wished for, and the extra `redis` is not installed.
    """
    origin = f"http://{HOST}:{port}"
    given = {name: value for name, value in environ.items() if name != "PREFECT_API_URL"}
    forced = {
        "PREFECT_SERVER_API_HOST": HOST,
        "PREFECT_SERVER_API_PORT": str(port),
        "PREFECT_UI_API_URL": f"{origin}/api",
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": f"{origin},http://localhost:{port}",
    }
    return ChildSpec(
        name=NAME,
        command=(sys.executable, "-m", "prefect", "server", "start"),
        environment=child_environment(
            given,
            places,
            Path(sys.executable).parent,
            SERVER,
            messaging(redis_url) if redis_url else {},
            forced,
        ),
        folder=places.prefect,
        log=places.log(NAME),
    )


def _taken(port: int) -> str:
    """What to tell about a port that somebody else has."""
    url = f"http://{HOST}:{port}/api"
    remedy = "FILEORGANIZER_PREFECT_PORT=0 takes a free one"
    if PrefectApi(url).is_healthy():
        return (
            f"Another Prefect server listens on port {port}. To use it, set "
            f"FILEORGANIZER_PREFECT_API_URL={url}; to have our own beside it, {remedy}."
        )
    return f"Port {port} is taken by another program (`ss -ltnp` shows which); {remedy}."
