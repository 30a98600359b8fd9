"""What a killed supervisor leaves behind: processes, and flow runs that nobody runs any more."""

import contextlib
import os
from datetime import UTC, datetime, timedelta

import psutil
import structlog

from deploy.embedded.children import end_processes
from deploy.embedded.environment import STACK_MARK
from deploy.embedded.places import Places
from deploy.embedded.prefect_api import PrefectApi
from deploy.embedded.state import POSTGRES, StackState
from deploy.embedded.worker import POOL

GRACE_S = 10.0
MAX_STARTS = 5
"""A run whose process died this often is not started again: it may be what kills the machine."""

_log = structlog.get_logger(__name__)


def orphans(places: Places, state: StackState | None) -> list[psutil.Process]:
    """Living processes of a stack whose supervisor is dead.

    Two sorts: parts that the state file names (number, start time and command must agree), and
    processes that carry our mark in their environment (flow runs that outlived their worker).
    Nothing else is ever signaled. Postgres is no orphan: the next supervisor adopts it.
    """
    if state is not None and state.is_alive:
        return []
    found: dict[int, psutil.Process] = {}
    for part in state.parts if state else ():
        if part.name == POSTGRES:
            continue
        process = part.process.find() if part.process else None
        if process is not None:
            found[process.pid] = process
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            is_ours = process.pid != os.getpid() and process.uids().real == os.getuid()
            if is_ours and process.environ().get(STACK_MARK) == str(places.home):
                found[process.pid] = process
    return list(found.values())


def end_orphans(places: Places, state: StackState | None) -> int:
    """End what a dead supervisor left; how many processes there were."""
    count = end_processes(orphans(places, state), grace_s=GRACE_S)
    if count:
        _log.warning("orphans.ended", count=count)
    return count


def requeue_lost_runs(api: PrefectApi, *, after_s: float) -> int:
    """Let the worker start those runs again that were under way when the stack was killed.

    Call it when no worker runs: then whatever is called running, is not. Flows resume from their
    journal, under the same run. A run that was being canceled becomes canceled.

    Args:
        api: Our own server; on a shared one the runs may be somebody else's.
        after_s: Wait so long, for the leases of the dead to expire.

    Returns:
        How many runs were waiting for nobody.
    """
    lost = api.filter(
        "flow_runs",
        {
            "flow_runs": {"state": {"type": {"any_": ["RUNNING", "PENDING", "CANCELLING"]}}},
            "work_pools": {"name": {"any_": [POOL]}},
        },
    )
    start = datetime.now(UTC) + timedelta(seconds=after_s)
    for run in lost:
        api.set_state(run["id"], _next_state(run, start))
        _log.warning("run.lost", run=run["id"], was=run["state_type"])
    return len(lost)


def _next_state(run: dict[str, object], start: datetime) -> dict[str, object]:
    """The state a lost run goes on from."""
    if run["state_type"] == "CANCELLING":
        return {"type": "CANCELLED", "name": "Cancelled", "message": "Its process is gone."}
    if int(str(run["run_count"])) >= MAX_STARTS:
        message = f"Its process was killed {MAX_STARTS} times."
        return {"type": "CRASHED", "name": "Crashed", "message": message}
    return {
        "type": "SCHEDULED",
        "name": "Resuming",
        "message": "The stack was killed under it.",
        "state_details": {"scheduled_time": start.isoformat()},
    }
