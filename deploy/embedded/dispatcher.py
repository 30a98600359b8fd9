"""The dispatcher as a part of the stack: it hands submitted and orphaned jobs to Prefect."""

import sys
from dataclasses import replace

from deploy.embedded.children import ChildSpec
from deploy.embedded.places import Places

NAME = "dispatcher"


def dispatcher_spec(places: Places, worker: ChildSpec) -> ChildSpec:
    """How to run the dispatcher: where the worker runs, with the worker's addresses."""
    return replace(
        worker,
        name=NAME,
        command=(sys.executable, "-m", "api.runs.dispatcher"),
        log=places.log(NAME),
    )
