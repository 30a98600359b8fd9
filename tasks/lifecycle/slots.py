"""Fairness between tenants: a global concurrency limit for each account."""

from collections.abc import Generator
from contextlib import contextmanager

WAIT_S = 3600.0
"""How long a job waits for its tenant's slot before it fails as busy."""


def _ensure_limit(name: str, jobs: int) -> None:
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        client.upsert_global_concurrency_limit_by_name(name, jobs)


@contextmanager
def tenant_slot(account_id: str | None, jobs: int) -> Generator[None]:
    """Hold one of the account's `jobs` slots; per job, never per file (DESIGN section 12).

    Raises:
        BusyError: no slot came free within `WAIT_S`.
    """
    from prefect.concurrency.sync import concurrency

    from models.domain.errors import BusyError

    name = f"tenant-{account_id or 'system'}"
    _ensure_limit(name, jobs)
    try:
        with concurrency(name, occupy=1, timeout_seconds=WAIT_S, strict=True):
            yield
    except TimeoutError as error:
        raise BusyError(f"{jobs} jobs of this account are running; try again later") from error
