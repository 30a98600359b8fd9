"""What makes vectors of queries, as a part of the stack: the API loads no models."""

import sys
from dataclasses import replace

from deploy.embedded.children import ChildSpec
from deploy.embedded.places import Places
from models.settings import Settings

NAME = "query-service"
MODEL_OFF = "off"
"""Value of `text_model` that wants no learned model; then nobody makes vectors of queries."""
SOCKET_BYTES = 107
"""What the address of a Unix socket holds (unix(7): 108 with the zero at its end)."""


def is_wanted(settings: Settings) -> bool:
    """Return whether this stack makes vectors of queries; without, search is by words and says so.

    A home whose name is too long for a socket wants `FILEORGANIZER_EMBEDDER_URL`.
    """
    path = settings.embedder_address.removeprefix("unix:")
    return settings.text_model != MODEL_OFF and len(path.encode()) <= SOCKET_BYTES


def query_service_spec(places: Places, worker: ChildSpec) -> ChildSpec:
    """How to run it: where the worker runs, with the worker's models."""
    return replace(
        worker,
        name=NAME,
        command=(sys.executable, "-m", "tasks.categorize.query_service"),
        log=places.log(NAME),
    )
