"""What the dispatcher needs of whoever starts flow runs."""

from typing import Protocol


class Launcher(Protocol):
    """Starts flow runs; `api.runs.launcher.launch` over Prefect, or a fake in tests."""

    async def __call__(self, deployment: str, job_id: str, *, api_url: str, launch_no: int) -> str:
        """Start a run, or find the one that this launch started before, and return its id.

        Raises:
            BusyError: the server is away or occupied.
            MissingError: there is no such deployment.
            BrokenError: the server refuses.
        """
        ...
