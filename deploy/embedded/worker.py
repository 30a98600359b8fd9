"""The worker that runs flow runs as processes, and the deployments it runs them from.

A worker rather than `serve()`: `serve()` registers what a Python list names, not `prefect.yaml`,
and pauses every schedule when it stops. With the command set on the job (`prefect.yaml`) a worker
starts a run with one Python process instead of two: 4.1 to 6.1 s from submitting to the first task
instead of 6.1 to 7.2 s (four and three runs, two lightly loaded cores).
"""

import hashlib
import os
import platform
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from deploy.embedded.children import ChildSpec
from deploy.embedded.environment import ROOT_NAME, WORKER, child_environment
from deploy.embedded.places import Places
from deploy.embedded.prefect_api import PrefectApi

POOL = "fileorganizer"
NAME = "worker"
VARIABLE = "fileorganizer_deployments"
"""Prefect variable that holds the digest of what was registered last."""

ONLINE_S = 60.0
"""A worker silent for six heartbeats counts as gone."""

SILENCE = "fileorganizer: runs that fell silent"
"""Name of the automation that marks runs whose process was killed."""

SIGNS = (
    *("Completed", "Failed", "Cancelled", "Crashed", "Paused", "Suspended"),
    *("Scheduled", "Resuming", "Retrying", "AwaitingRetry", "Pending", "Running", "Cancelling"),
)
"""Names of states that end a run's silence. (Marking one that lives after all, say when a laptop
slept, does no harm: seen, it goes on and its end replaces the mark.)"""


def worker_name() -> str:
    """Name of this machine's worker; the same after a restart."""
    return f"embedded-{platform.node() or 'local'}"


def worker_spec(
    places: Places, environ: Mapping[str, str], exported: Mapping[str, str], root: Path
) -> ChildSpec:
    """How to run the worker.

    Args:
        places: Of the stack.
        environ: Our environment.
        exported: Addresses of the other parts, for the flows.
        root: Where `prefect.yaml` and the flows are.
    """
    # One for each core, two at least; and who leads a visit to all roots, which works little.
    limit = max(2, os.cpu_count() or 1) + 1
    forced = {**exported, ROOT_NAME: str(root)}
    return ChildSpec(
        name=NAME,
        command=(
            *(sys.executable, "-m", "prefect", "--no-prompt", "worker", "start"),
            *("--pool", POOL, "--type", "process", "--name", worker_name()),
            *("--limit", str(limit), "--install-policy", "never"),
        ),
        environment=child_environment(environ, places, Path(sys.executable).parent, WORKER, forced),
        folder=root,
        log=places.log(NAME),
    )


def deploy_spec(worker: ChildSpec, places: Places) -> ChildSpec:
    """How to register every deployment of `prefect.yaml`: as an operator would by hand."""
    return ChildSpec(
        name="deploy",
        command=(sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"),
        environment=worker.environment,
        folder=worker.folder,
        log=places.log("deploy"),
    )


def last_heartbeat(api: PrefectApi) -> datetime | None:
    """When this machine's worker last reported (the server's clock); None if it never did."""
    if api.find(f"/work_pools/{POOL}") is None:
        return None
    for worker in api.filter(f"work_pools/{POOL}/workers", {}):
        if worker["name"] == worker_name() and worker.get("last_heartbeat_time"):
            return datetime.fromisoformat(worker["last_heartbeat_time"])
    return None


def is_online(api: PrefectApi) -> bool:
    """True if this machine's worker reported lately."""
    last = last_heartbeat(api)
    return last is not None and (datetime.now(UTC) - last).total_seconds() < ONLINE_S


def deployment_names(root: Path) -> set[str]:
    """Names of the deployments in `prefect.yaml`."""
    document = yaml.safe_load((root / "prefect.yaml").read_text(encoding="utf-8"))
    return {str(deployment["name"]) for deployment in document["deployments"]}


def digest(root: Path) -> str:
    """What registration depends on: `prefect.yaml` and the flows' signatures (their files)."""
    document = yaml.safe_load((root / "prefect.yaml").read_text(encoding="utf-8"))
    entrypoints = {str(each["entrypoint"]).split(":")[0] for each in document["deployments"]}
    sha256 = hashlib.sha256()
    for name in ("prefect.yaml", *sorted(entrypoints)):
        contents = (root / name).read_bytes()
        sha256.update(f"{name} {len(contents)}\n".encode() + contents)
    return sha256.hexdigest()


def missing_deployments(api: PrefectApi, root: Path) -> set[str]:
    """Deployments of `prefect.yaml` that the server does not know."""
    known = api.filter("deployments", {"work_pools": {"name": {"any_": [POOL]}}})
    return deployment_names(root) - {str(each["name"]) for each in known}


def is_registered(api: PrefectApi, root: Path) -> bool:
    """True if the server holds exactly what `prefect.yaml` and the flows say now."""
    kept = api.find(f"/variables/name/{VARIABLE}")
    return bool(kept) and kept["value"] == digest(root) and not missing_deployments(api, root)


def remember_registered(api: PrefectApi, root: Path) -> None:
    """Note what was registered, so that the next start need not do it again."""
    value = digest(root)
    if api.find(f"/variables/name/{VARIABLE}") is None:
        api.create("variables", {"name": VARIABLE, "value": value})
    else:
        api.change(f"/variables/name/{VARIABLE}", {"value": value})


def ensure_silence_automation(api: PrefectApi) -> None:
    """Have the server mark runs as crashed whose heartbeat stopped (their process was killed)."""
    if api.filter("automations", {"automations": {"name": {"any_": [SILENCE]}}}):
        return
    trigger: dict[str, Any] = {
        "type": "event",
        "match": {"prefect.resource.id": ["prefect.flow-run.*"]},
        "for_each": ["prefect.resource.id"],
        "after": ["prefect.flow-run.heartbeat"],
        "expect": ["prefect.flow-run.heartbeat", *(f"prefect.flow-run.{name}" for name in SIGNS)],
        "posture": "Proactive",
        "threshold": 1,
        "within": 120,  # four heartbeats
    }
    action = {
        "type": "change-flow-run-state",
        "state": "CRASHED",
        "message": "No heartbeat for two minutes: its process was killed.",
    }
    api.create(
        "automations",
        {"name": SILENCE, "enabled": True, "trigger": trigger, "actions": [action]},
    )
