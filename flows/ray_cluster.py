"""Batches on a Ray cluster instead of threads: `FILEORGANIZER_TASK_RUNNER=ray` (extra `ray`)."""

import atexit
from collections.abc import Callable
from functools import lru_cache
from typing import Any, cast

from prefect import Task
from prefect.futures import PrefectFuture
from prefect.task_runners import TaskRunner

from models.domain.errors import InvalidError
from models.settings import Settings

OBJECT_STORE_BYTES = 200_000_000
"""Of a cluster of this machine: tasks hand over references to parts in the lake, never rows."""


@lru_cache(maxsize=1)
def _runner() -> TaskRunner[PrefectFuture[Any]]:
    """Return this process' connection to Ray, open until the process ends.

    Nodes of a cluster need the same installation and the same FILEORGANIZER_... variables as
    workers; a cluster of this machine inherits them.

    Raises:
        InvalidError: Ray is not installed.
    """
    try:
        from prefect_ray import RayTaskRunner  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise InvalidError(
            "FILEORGANIZER_TASK_RUNNER=ray needs Ray: pip install 'fileorganizer[ray]'"
        ) from error
    settings = Settings()
    local: dict[str, Any] = {
        "include_dashboard": False,
        "object_store_memory": OBJECT_STORE_BYTES,
        "log_to_driver": False,
    }
    if settings.work_threads:
        local["num_cpus"] = settings.work_threads
    options = {} if settings.ray_address else local
    runner = cast(
        "TaskRunner[PrefectFuture[Any]]",
        RayTaskRunner(address=settings.ray_address, init_kwargs=options),
    )
    runner.__enter__()
    atexit.register(runner.__exit__, None, None, None)
    return runner


def submit_to_ray(task: Task[..., Any]) -> Callable[..., PrefectFuture[Any]]:
    """Return what submits calls of a task to Ray, by keyword, from inside a flow.

    Raises:
        InvalidError: Ray is not installed.
    """
    runner = _runner()

    def submit(**call: Any) -> PrefectFuture[Any]:
        return runner.submit(task, parameters=call)

    return submit


def cluster_cores() -> int:
    """Return how many cores the cluster has.

    Raises:
        InvalidError: Ray is not installed.
    """
    _runner()
    import ray  # pyright: ignore[reportMissingImports]

    return int(ray.cluster_resources().get("CPU", 1))
