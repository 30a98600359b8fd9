"""One flow after the other over all roots: a nightly index, a verification."""

from typing import Any

from prefect import Flow

from models.domain.jobs import JobKind
from tasks.lifecycle.task import job_for_root, roots_to_visit


def each_root(flow: Flow[..., Any], kind: JobKind, root_id: str | None) -> dict[str, Any]:
    """Run a flow for one root, or for all of them in turn; one that fails does not stop the next.

    Args:
        flow: takes the id of a job that concerns a whole root.
        kind: of the jobs that are made.
        root_id: the only root to visit.

    Returns:
        What the flow returned for each root, by its id; `error` where it failed.
    """
    results: dict[str, Any] = {}
    for each in roots_to_visit(root_id, with_uploads=kind is not JobKind.REINDEX):
        state = flow(job_for_root(kind, each), return_state=True)
        results[each] = (
            state.result(raise_on_failure=False)
            if state.is_completed()
            else {"error": state.message}
        )
    return results
