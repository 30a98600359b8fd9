"""Flow runs started from a flow: each launch once, whoever asks for it again."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from models.domain.errors import BusyError, MissingError


@dataclass(frozen=True, slots=True, kw_only=True)
class StartedRun:
    """A flow run as Prefect knows it.

    Attributes:
        is_scheduled: whether no worker took it yet.
        is_waiting: whether no process runs it yet.
        is_over: whether it ended, however it did.
    """

    id: str
    is_scheduled: bool
    is_waiting: bool
    is_over: bool


class PrefectRuns:
    """Deployments of the server that the current flow run belongs to."""

    def start(
        self, deployment: str, parameters: dict[str, Any], *, key: str, name: str
    ) -> StartedRun:
        """Start a run below the current one, or return the one that has this key.

        Raises:
            MissingError: the server has no such deployment.
            BusyError: the server is away.
        """
        from prefect.deployments import run_deployment
        from prefect.exceptions import ObjectNotFound

        try:
            with _answering():
                run: Any = run_deployment(
                    deployment,
                    parameters=parameters,
                    timeout=0,
                    idempotency_key=key,
                    flow_run_name=name,
                    tags=["fileorganizer", "sweep"],
                )
        except ObjectNotFound as error:
            raise MissingError(
                f"Prefect has no deployment {deployment}; `prefect deploy --all` registers them"
            ) from error
        return _started(run)

    def look(self, run_ids: Sequence[str]) -> dict[str, StartedRun]:
        """Return runs as they are now, by id; those that the server forgot are missing.

        Raises:
            BusyError: the server is away.
        """
        from uuid import UUID

        from prefect.client.orchestration import get_client
        from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId

        if not run_ids:
            return {}
        ids = FlowRunFilterId(any_=[UUID(run_id) for run_id in run_ids])
        with _answering(), get_client(sync_client=True) as client:
            runs = client.read_flow_runs(flow_run_filter=FlowRunFilter(id=ids), limit=len(run_ids))
        return {str(run.id): _started(run) for run in runs}


@contextmanager
def _answering() -> Generator[None]:
    """Say as ours what the client raises when the server does not answer."""
    try:
        yield
    except (httpx.HTTPError, RuntimeError, OSError) as error:
        # The client raises RuntimeError when the server's version cannot be asked for.
        raise BusyError(f"Prefect does not answer: {error!r}") from error


def _started(run: Any) -> StartedRun:
    state = run.state
    return StartedRun(
        id=str(run.id),
        is_scheduled=state is None or state.is_scheduled(),
        is_waiting=state is None or state.is_scheduled() or state.is_pending(),
        is_over=state is not None and state.is_final(),
    )
