"""The API as a part of the stack."""

import socket
import sys
from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import urlsplit

from deploy.embedded.children import ChildSpec
from deploy.embedded.places import Places
from deploy.embedded.prefect_server import HOST, is_free
from models.domain.errors import ConflictError
from models.settings import Settings

NAME = "api"


def choose_api_port(settings: Settings, last_url: str | None) -> int:
    """Return a port for the API: the one of the settings, or where nobody chose it another.

    Args:
        settings: `api_port`; 0 is any.
        last_url: where the API of this stack was before; kept where it is free.

    Raises:
        ConflictError: the port that somebody chose is taken.
    """
    wanted = settings.api_port
    if wanted and is_free(wanted):
        return wanted
    if wanted and "api_port" in settings.model_fields_set:
        raise ConflictError(f"port {wanted} is taken; FILEORGANIZER_API_PORT names another one")
    last = urlsplit(last_url).port if last_url else None
    if last and is_free(last):
        return last
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def api_spec(places: Places, worker: ChildSpec, port: int) -> ChildSpec:
    """How to run the API: with the worker's addresses."""
    environment: Mapping[str, str] = {**worker.environment, "FILEORGANIZER_API_PORT": str(port)}
    return replace(
        worker,
        name=NAME,
        command=(sys.executable, "-m", "api.main"),
        environment=environment,
        log=places.log(NAME),
    )
