"""Organize: propose and enact in one run, the approval recorded as the submitter's."""

from typing import Any

from prefect import flow

from flows.canceling import stops_when_canceled
from flows.enact import enact
from flows.propose import propose
from tasks.lifecycle.task import approve_own_plan, cancel_from_prefect, run_name


@flow(
    name="organize",
    flow_run_name=run_name("organize"),
    on_cancellation=[cancel_from_prefect],
)
@stops_when_canceled
def organize(job_id: str) -> dict[str, Any]:
    """Plan a job and carry the plan out; a resumed run goes on with the plan there is.

    Returns:
        The counts of `enact`; only the job's id where the plan waits for somebody's approval.
    """
    if not approve_own_plan(job_id):
        propose(job_id)
        if not approve_own_plan(job_id):
            return {"waits_for_approval": job_id}
    return enact(job_id)
