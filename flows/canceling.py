"""A canceled job's flow run is canceled too, and a paused one's ends; neither has failed."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from prefect.exceptions import CancelledRun
from prefect.states import Cancelled

from tasks.lifecycle.task import JobCanceledError, JobPausedError


def stops_when_canceled(body: Callable[..., Any]) -> Callable[..., Any]:
    """Return a flow body whose run ends as Cancelled when its job, or a run inside it, was.

    One whose job was asked to rest ends well, and says so; another run goes on from there.
    """

    @wraps(body)
    def run(*arguments: Any, **named: Any) -> Any:
        try:
            return body(*arguments, **named)
        except JobPausedError:
            # Not as Cancelled: that state's hook would cancel the job.
            return {"paused": arguments[0] if arguments else named.get("job_id")}
        except (JobCanceledError, CancelledRun) as error:
            return Cancelled(message=str(error) or "canceled")

    return run
