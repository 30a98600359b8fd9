"""Batches through a bounded window of task runs (DESIGN D4)."""

import os
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, cast

from prefect import Task
from prefect.futures import PrefectFuture
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from flows.ray_cluster import cluster_cores, submit_to_ray
from models.settings import Settings

RAY_BATCHES = 10
"""A task run on Ray costs some 20 times one in a thread (DESIGN D10): its batches are larger."""

MAX_THREADS = 8
"""Task runs of one flow run at once; each uses the cores by itself."""


def threads() -> TaskRunner[PrefectFuture[Any]]:
    """Return the task runner of our flows: threads, 20 times cheaper than processes (D4)."""
    return cast("TaskRunner[PrefectFuture[Any]]", ThreadPoolTaskRunner(max_workers=MAX_THREADS))


def on_ray() -> bool:
    """Whether heavy batches run on Ray."""
    return Settings().task_runner == "ray"


def batch_files() -> int:
    """Files of a batch: more where a task run costs more."""
    return Settings().batch_files * (RAY_BATCHES if on_ray() else 1)


def width() -> int:
    """Task runs in flight: one being worked on for each core, and one that waits."""
    cores = cluster_cores() if on_ray() else os.cpu_count()
    return (Settings().work_threads or cores or 1) + 1


def run_window(
    task: Task[..., Any],
    calls: Iterable[dict[str, Any]],
    *,
    width: int,
    at_boundary: Callable[[int], None],
    is_heavy: bool = False,
) -> list[Any]:
    """Submit calls of a task, at most `width` at once, and return their results in order.

    Args:
        task: a Prefect task.
        calls: keyword arguments of each call.
        width: task runs in flight at most.
        at_boundary: told the number of finished calls after each; may raise to stop: what is
            in flight is waited for, so nothing is left half done.
        is_heavy: whether it computes for long on little data, so that Ray may take it.
    """
    submit = submit_to_ray(task) if is_heavy and on_ray() else task.submit
    in_flight: deque[PrefectFuture[Any]] = deque()
    results: list[Any] = []

    def take() -> None:
        results.append(in_flight.popleft().result())
        at_boundary(len(results))

    try:
        for call in calls:
            if len(in_flight) >= width:
                take()
            in_flight.append(submit(**call))
        while in_flight:
            take()
    finally:
        for future in in_flight:
            future.wait()
    return results
