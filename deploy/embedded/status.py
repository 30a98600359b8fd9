"""What runs now, for `fileorganizer status`."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

import psutil
from sqlalchemy.engine import make_url

from deploy.embedded.addresses import Addresses, running_stack
from deploy.embedded.places import places_of
from deploy.embedded.prefect_api import PrefectApi
from deploy.embedded.state import PartState, Phase, load
from deploy.embedded.worker import POOL, is_online
from models.domain.errors import FileOrganizerError
from models.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class PartStatus:
    """One part of the stack."""

    name: str
    is_running: bool
    pid: int | None
    uptime_s: float | None
    memory_bytes: int | None
    restarts: int
    log: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StackStatus:
    """The stack; `addresses` show no password."""

    phase: Phase
    step: str
    error: str | None
    home: str
    addresses: dict[str, str]
    parts: tuple[PartStatus, ...]
    is_worker_online: bool
    deployments: tuple[str, ...]
    runs_active: int


def stack_status(settings: Settings, environ: Mapping[str, str]) -> StackStatus:
    """The state of the stack below `settings.home`, asked of the processes themselves."""
    state = load(places_of(settings).state)
    phase = Phase.STOPPED
    if state is not None:
        was_killed = state.phase in (Phase.READY, Phase.STARTING, Phase.STOPPING)
        phase = state.phase if state.is_alive or not was_killed else Phase.FAILED
    error = state.error if state else None
    if phase is Phase.FAILED and error is None:
        error = "The supervisor was killed; `fileorganizer up` cleans up and starts again."
    addresses = running_stack(settings)
    deployments, runs_active, is_worker_online = _of_prefect(addresses, environ)
    return StackStatus(
        phase=phase,
        step=state.step if state and state.is_alive else "",
        error=error,
        home=str(settings.home_path),
        addresses=shown(addresses) if addresses else {},
        parts=tuple(_part(part) for part in (state.parts if state else ())),
        is_worker_online=is_worker_online,
        deployments=deployments,
        runs_active=runs_active,
    )


def shown(addresses: Addresses) -> dict[str, str]:
    """Addresses for people and logs: the password is masked."""
    return {
        "prefect_ui_url": addresses.prefect_ui_url,
        "prefect_api_url": addresses.prefect_api_url,
        "database_url": make_url(addresses.database_url).render_as_string(hide_password=True),
        "lake": addresses.lake,
        "home": str(addresses.home),
        **({"api_url": f"{addresses.api_url}/v1"} if addresses.api_url else {}),
    }


def _of_prefect(
    addresses: Addresses | None, environ: Mapping[str, str]
) -> tuple[tuple[str, ...], int, bool]:
    """Deployments, runs under way, and whether the worker is online; nothing if it is not up."""
    if addresses is None:
        return (), 0, False
    api = PrefectApi(addresses.prefect_api_url, environ)
    in_pool = {"work_pools": {"name": {"any_": [POOL]}}}
    active = {"state": {"type": {"any_": ["RUNNING", "PENDING", "CANCELLING"]}}}
    try:
        deployments = sorted(str(each["name"]) for each in api.filter("deployments", in_pool))
        runs = api.filter("flow_runs", {"flow_runs": active} | in_pool)
        return tuple(deployments), len(runs), is_online(api)
    except FileOrganizerError:
        return (), 0, False


def _part(part: PartState) -> PartStatus:
    """One part, looked at now."""
    process = part.process.find() if part.process else None
    memory: int | None = None
    if process is not None:
        try:
            family = [process, *process.children(recursive=True)]
            memory = sum(each.memory_info().rss for each in family)
        except psutil.Error:
            memory = None
    return PartStatus(
        name=part.name,
        is_running=process is not None,
        pid=process.pid if process else None,
        uptime_s=time.time() - process.create_time() if process else None,
        memory_bytes=memory,
        restarts=part.restarts,
        log=part.log,
    )
