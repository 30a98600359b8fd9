"""Batches through a bounded window of task runs (DESIGN D4)."""

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from prefect import Task
from prefect.futures import PrefectFuture


def run_window(
    task: Task[..., Any],
    calls: Iterable[dict[str, Any]],
    *,
    width: int,
    at_boundary: Callable[[int], None],
) -> list[Any]:
    """Submit calls of a task, at most `width` at once, and return their results in order.

    Args:
        task: a Prefect task.
        calls: keyword arguments of each call.
        width: task runs in flight at most.
        at_boundary: told the number of finished calls after each; may raise to stop: what is
            in flight is waited for, so nothing is left half done.
    """
    in_flight: deque[PrefectFuture[Any]] = deque()
    results: list[Any] = []

    def take() -> None:
        results.append(in_flight.popleft().result())
        at_boundary(len(results))

    try:
        for call in calls:
            if len(in_flight) >= width:
                take()
            in_flight.append(task.submit(**call))
        while in_flight:
            take()
    finally:
        for future in in_flight:
            future.wait()
    return results
