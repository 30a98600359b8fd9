"""The web side's only door to Prefect: ids in, an id out."""

from http import HTTPStatus
from typing import TYPE_CHECKING

import httpx

from models.domain.errors import BrokenError, BusyError, FileOrganizerError, MissingError

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient

TIMEOUT_S = 30.0

PASSING = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.CONFLICT})
"""Answers below 500 that may differ next time."""


async def launch(deployment: str, job_id: str, *, api_url: str, launch_no: int = 1) -> str:
    """Start a flow run for a job and return its id.

    The same launch again returns the run that it started the first time: Prefect keeps one run for
    an idempotency key, here `<job_id>-<launch_no>`. So a dispatcher that dies between Prefect's
    answer and its own commit starts nothing twice.

    Args:
        deployment: `flow/deployment`.
        job_id: the flow's only parameter.
        api_url: Prefect's API, `http://host:4200/api`.
        launch_no: which launch of the job.

    Raises:
        BusyError: Prefect does not answer or is occupied.
        MissingError: there is no such deployment.
        BrokenError: Prefect refuses the request.
    """
    from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError

    try:
        async with _client(api_url) as client:
            found = await client.read_deployment_by_name(deployment)
            run = await client.create_flow_run_from_deployment(
                found.id,
                parameters={"job_id": job_id},
                idempotency_key=f"{job_id}-{launch_no}",
            )
    except ObjectNotFound as error:
        raise MissingError(
            f"Prefect has no deployment {deployment}; `prefect deploy --all` registers them"
        ) from error
    except PrefectHTTPStatusError as error:
        raise _refusal(error) from error
    except (httpx.HTTPError, RuntimeError, OSError) as error:
        # The client raises RuntimeError when the server's version cannot be asked for.
        raise BusyError(f"Prefect at {api_url} does not answer: {error!r}") from error
    return str(run.id)


def _client(api_url: str) -> "PrefectClient":
    """A client of one server, with the key or password of Prefect's own settings if any."""
    from prefect.client.orchestration import PrefectClient
    from prefect.settings import get_current_settings

    api = get_current_settings().api
    return PrefectClient(
        api_url,
        api_key=api.key.get_secret_value() if api.key else None,
        auth_string=api.auth_string.get_secret_value() if api.auth_string else None,
        httpx_settings={"timeout": TIMEOUT_S},
    )


def _refusal(error: httpx.HTTPStatusError) -> FileOrganizerError:
    """What an answer that is no success means."""
    status = error.response.status_code
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in PASSING:
        return BusyError(f"Prefect answers {status}")
    return BrokenError(f"Prefect refuses with {status}: {error.response.text[:500]}")
