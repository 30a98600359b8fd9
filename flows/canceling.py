"""A canceled job's flow run is canceled too, not failed."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from prefect.exceptions import CancelledRun
from prefect.states import Cancelled

from tasks.lifecycle.task import JobCanceledError


def stops_when_canceled(body: Callable[..., Any]) -> Callable[..., Any]:
    """Return a flow body whose run ends as Cancelled when its job, or a run inside it, was."""

    @wraps(body)
    def run(*arguments: Any, **named: Any) -> Any:
        try:
            return body(*arguments, **named)
        except (JobCanceledError, CancelledRun) as error:
            return Cancelled(message=str(error) or "canceled")

    return run
