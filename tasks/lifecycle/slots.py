"""Fairness between tenants, and room for jobs that people wait for: global concurrency limits."""

from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager

WAIT_S = 3600.0
"""How long a run waits for a slot before it fails as busy."""

LEASE_S = 60.0
"""Life of a slot whose holder was killed, and the least Prefect allows; its default is 300."""

SWEEP = "sweep"
"""Limit of the flow runs of visits to all roots, over all tenants and machines."""


def _ensure_limit(name: str, runs: int) -> None:
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        client.upsert_global_concurrency_limit_by_name(name, runs)


@contextmanager
def _slot(name: str, runs: int, refusal: str) -> Generator[None]:
    """Hold one of `runs` slots; per run, never per file (DESIGN section 12).

    Raises:
        BusyError: no slot came free within `WAIT_S`.
    """
    from prefect.concurrency.sync import concurrency

    from models.domain.errors import BusyError

    _ensure_limit(name, runs)
    try:
        with concurrency(
            name,
            occupy=1,
            timeout_seconds=WAIT_S,
            strict=True,
            lease_duration=LEASE_S,
            # Work goes on while Prefect is away: at worst one run more is beside it then.
            raise_on_lease_renewal_failure=False,
        ):
            yield
    except TimeoutError as error:
        raise BusyError(refusal) from error


def tenant_slot(account_id: str | None, jobs: int) -> AbstractContextManager[None]:
    """Hold one of the account's `jobs` slots.

    Raises:
        BusyError: no slot came free within `WAIT_S`.
    """
    name = f"tenant-{account_id or 'system'}"
    return _slot(name, jobs, f"{jobs} jobs of this account are running; try again later")


def sweep_slot(runs: int) -> AbstractContextManager[None]:
    """Hold one of the `runs` slots that visits to all roots have.

    Raises:
        BusyError: no slot came free within `WAIT_S`.
    """
    return _slot(SWEEP, max(runs, 1), f"{runs} runs of a visit to all roots are under way")
