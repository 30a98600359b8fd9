"""When a Prefect task may try again: only where waiting can help."""

from typing import Any

from models.domain.errors import FileOrganizerError, Kind

RETRY_DELAYS_S: list[float] = [2, 10, 60]
"""Waits before the second, third and fourth attempt; Prefect adds jitter."""

RETRY_JITTER_RATIO = 0.5
"""Each wait is stretched by up to half, so that batches do not come back in step."""


def is_busy(_task: Any, _task_run: Any, state: Any) -> bool:
    """Return whether a failed attempt met something occupied; everything else fails at once."""
    error = state.result(raise_on_failure=False)
    return isinstance(error, FileOrganizerError) and error.kind is Kind.BUSY
