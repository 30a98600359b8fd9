"""Environment variables of the children: Prefect tuned, ours exported, strangers kept."""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from deploy.embedded.places import Places
from models.domain.errors import InvalidError

STACK_MARK = "FILEORGANIZER_STACK"
"""Set to the home in every child (and so in their children): says whose an orphan is."""

ROOT_NAME = "FILEORGANIZER_ROOT"
"""Where `prefect.yaml` and the flows are; the pull step of `prefect.yaml` reads it."""

QUIET = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
}
"""Nothing is told to anybody."""

SERVER = {
    # One row per task run costs 4-5 times as much as batches do (DESIGN D4, measured).
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_READ_BATCH_SIZE": "100",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "200",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_READ_BATCH_SIZE": "100",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_BATCH_SIZE": "200",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_FLUSH_INTERVAL": "1",
    # History does not grow for ever (DESIGN section 12).
    "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
    "PREFECT_SERVER_UI_ENABLED": "true",
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
}

WORKER = {
    # A job's start is felt (DESIGN B12): the default looks every 10 s.
    "PREFECT_WORKER_QUERY_SECONDS": "1",
    "PREFECT_WORKER_HEARTBEAT_SECONDS": "10",
    "PREFECT_WORKER_ENABLE_CANCELLATION": "true",
    "PREFECT_WORKER_CANCELLATION_POLL_SECONDS": "5",
    # A run that was killed is noticed by its silence; 30 s is the least Prefect allows.
    "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
}

LOGGING = {"PREFECT_LOGGING_COLORS": "false", "PREFECT_CLI_COLORS": "false", "NO_COLOR": "1"}
"""Logs are files."""


def messaging(redis_url: str) -> dict[str, str]:
    """Variables of a Prefect server whose events and slots go through Redis.

    In bursts the server's own broker, in its memory, drops task-run history (DESIGN D4); and
    several servers side by side need one that they share.

    Args:
        redis_url: `redis://[:password@]host:port/0`, or `rediss://`; Redis 6.2 or newer.

    Raises:
        InvalidError: the extra `redis` is not installed.
    """
    if find_spec("prefect_redis") is None:
        raise InvalidError(
            "FILEORGANIZER_REDIS_URL needs the extra `redis`: pip install 'fileorganizer[redis]'"
        )
    return {
        "PREFECT_MESSAGING_BROKER": "prefect_redis.messaging",
        "PREFECT_MESSAGING_CACHE": "prefect_redis.messaging",
        "PREFECT_SERVER_EVENTS_CAUSAL_ORDERING": "prefect_redis.ordering",
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect_redis.lease_storage",
        "PREFECT_SERVER_DOCKET_URL": redis_url,
        "PREFECT_REDIS_MESSAGING_URL": redis_url,
    }


def child_environment(
    given: Mapping[str, str], places: Places, program_folder: Path, *layers: Mapping[str, str]
) -> dict[str, str]:
    """The environment of a child.

    Args:
        given: Ours; what it says of Prefect's tuning wins over the defaults of `layers`.
        places: Of the stack.
        program_folder: Where `python` and `prefect` of this installation are; first on PATH.
        layers: Defaults, the stronger ones later; the very last is no default but is forced.
    """
    *defaults, forced = layers
    merged: dict[str, str] = {}
    for layer in (QUIET, LOGGING, *defaults):
        merged |= layer
    merged |= given
    merged |= forced
    merged["PREFECT_HOME"] = str(places.prefect)
    # Profiles of the user's own Prefect must not reach into ours.
    merged["PREFECT_PROFILES_PATH"] = str(places.prefect / "profiles.toml")
    merged["PATH"] = f"{program_folder}:{given.get('PATH', '/usr/bin:/bin')}"
    merged["PYTHONUNBUFFERED"] = "1"
    merged[STACK_MARK] = str(places.home)
    return merged
