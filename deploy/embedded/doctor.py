"""What may be wrong on this machine, and how to mend it: for `fileorganizer doctor`."""

import resource
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg

from api.mail.transport import transport_of
from deploy.embedded import prefect_server, worker
from deploy.embedded.addresses import Addresses, running_stack, sqlalchemy_url
from deploy.embedded.leftovers import orphans
from deploy.embedded.places import ROOT, places_of
from deploy.embedded.prefect_api import PrefectApi
from deploy.embedded.state import StackState, load
from models.domain.errors import FileOrganizerError
from models.settings import Settings

PYTHON_LEAST = (3, 11)
POSTGRES_LEAST = 15
"""DESIGN D12 and section 11."""
SPACE_LEAST_BYTES = 1_000_000_000
SPACE_GOOD_BYTES = 10_000_000_000
FILES_LEAST = 1024
"""A worker opens a thread pool's worth of files, Parquet parts and sockets: a few hundred."""
CLOCK_LIMIT_S = 5.0
NAMES = ("Grüße", "日本語", "e\u0301")
"""Composed, wide, decomposed: a file system that mangles one of them changes customers' names."""


class Health(StrEnum):
    """How a check came out; `warn` works, `broken` does not."""

    OK = "ok"
    WARN = "warn"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Check:
    """One finding; `remedy` is empty when all is well."""

    name: str
    health: Health
    detail: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Patient:
    """What the checks look at."""

    settings: Settings
    environ: Mapping[str, str]
    root: Path
    state: StackState | None
    addresses: Addresses | None


def examine(settings: Settings, environ: Mapping[str, str]) -> list[Check]:
    """All checks, in the order in which their causes lie.

    Args:
        settings: Which home, and what is embedded.
        environ: The environment, for `FILEORGANIZER_ROOT` and Prefect's keys.
    """
    patient = Patient(
        settings,
        environ,
        Path(environ.get(worker.ROOT_NAME, ROOT)).resolve(),
        load(places_of(settings).state),
        running_stack(settings),
    )
    return [_guarded(name, check, patient) for name, check in CHECKS.items()]


def _guarded(name: str, check: Callable[[Patient], Check], patient: Patient) -> Check:
    """A check that fails itself is a finding, not the end of the examination."""
    try:
        return check(patient)
    except (FileOrganizerError, OSError, psycopg.Error) as error:
        return Check(name, Health.BROKEN, str(error).strip(), "See docs/operating.md.")


def _python(_patient: Patient) -> Check:
    found = ".".join(str(part) for part in sys.version_info[:3])
    if sys.version_info[:2] < PYTHON_LEAST:
        return Check("python", Health.BROKEN, found, "Install Python 3.11 or newer.")
    return Check("python", Health.OK, found)


def _home(patient: Patient) -> Check:
    places = places_of(patient.settings)
    places.make()
    with TemporaryDirectory(dir=places.home) as folder:
        for name in NAMES:
            (Path(folder) / name).touch()
        read = {path.name for path in Path(folder).iterdir()}
    if read != set(NAMES):
        remedy = "Set FILEORGANIZER_HOME to a file system that keeps names as they are."
        return Check("home", Health.WARN, f"{places.home} changes file names", remedy)
    return Check("home", Health.OK, f"{places.home} is writable and keeps names")


def _encoding(_patient: Patient) -> Check:
    found = sys.getfilesystemencoding()
    if found.lower() != "utf-8":
        return Check("encoding", Health.BROKEN, found, "Set PYTHONUTF8=1 or LC_ALL=C.UTF-8.")
    return Check("encoding", Health.OK, found)


def _space(patient: Patient) -> Check:
    free = shutil.disk_usage(patient.settings.home_path).free
    detail = f"{free / 1e9:.1f} GB free below {patient.settings.home_path}"
    remedy = "Free some space, or move FILEORGANIZER_HOME to a larger disk."
    if free < SPACE_LEAST_BYTES:
        return Check("disk space", Health.BROKEN, detail, remedy)
    if free < SPACE_GOOD_BYTES:
        return Check("disk space", Health.WARN, detail, remedy)
    return Check("disk space", Health.OK, detail)


def _open_files(_patient: Patient) -> Check:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < FILES_LEAST:
        return Check("open files", Health.WARN, f"limit {soft}", f"`ulimit -n {FILES_LEAST * 4}`")
    return Check("open files", Health.OK, f"limit {soft}")


def _port(patient: Patient) -> Check:
    port = patient.settings.prefect_port
    if patient.settings.prefect_api_url or port == 0 or (patient.state and patient.state.is_alive):
        return Check("prefect port", Health.OK, "given, free by choice, or in use by our stack")
    if prefect_server.is_free(port):
        return Check("prefect port", Health.OK, f"{port} is free")
    remedy = "Set FILEORGANIZER_PREFECT_PORT=0 for a free one."
    return Check("prefect port", Health.BROKEN, f"{port} is taken by another program", remedy)


def _supervisor(patient: Patient) -> Check:
    state = patient.state
    if state is None:
        return Check("supervisor", Health.WARN, "never started", "`fileorganizer up --detach`")
    if not state.is_alive:
        detail = f"not running ({state.error or state.phase})"
        return Check("supervisor", Health.WARN, detail, "`fileorganizer up --detach`")
    restarts = sum(part.restarts for part in state.parts)
    if restarts:
        names = ", ".join(f"{part.name} {part.restarts}x" for part in state.parts if part.restarts)
        log = places_of(patient.settings).logs
        return Check("supervisor", Health.WARN, f"restarted: {names}", f"Read the logs in {log}.")
    return Check("supervisor", Health.OK, f"{state.phase}, pid {state.supervisor.pid}")


def _orphans(patient: Patient) -> Check:
    found = orphans(places_of(patient.settings), patient.state)
    if found:
        pids = ", ".join(str(process.pid) for process in found)
        remedy = "`fileorganizer down` ends them."
        return Check("orphans", Health.BROKEN, f"processes without supervisor: {pids}", remedy)
    return Check("orphans", Health.OK, "none")


def _postgres(patient: Patient) -> Check:
    given = patient.settings.database_url
    url = patient.addresses.database_url if patient.addresses else None
    if url is None and given is not None:
        url = sqlalchemy_url(given)
    if url is None:
        return Check("postgres", Health.WARN, "not running", "`fileorganizer up --detach`")
    with psycopg.connect(url.replace("+psycopg", ""), connect_timeout=10) as connection:
        major = connection.info.server_version // 10_000
        row = connection.execute("SELECT extract(epoch FROM clock_timestamp())::float8").fetchone()
    if major < POSTGRES_LEAST:
        remedy = f"Use PostgreSQL {POSTGRES_LEAST} or newer."
        return Check("postgres", Health.BROKEN, f"version {major}", remedy)
    skew_s = abs(time.time() - float(row[0])) if row else 0.0
    if skew_s > CLOCK_LIMIT_S:
        detail = f"its clock and ours differ by {skew_s:.0f} s"
        return Check("postgres", Health.WARN, detail, "Synchronize both clocks (NTP).")
    return Check("postgres", Health.OK, f"version {major}, clock within {CLOCK_LIMIT_S:.0f} s")


def _api(patient: Patient) -> PrefectApi | None:
    """The Prefect server, running or given."""
    given = patient.settings.prefect_api_url
    url = patient.addresses.prefect_api_url if patient.addresses else given
    return PrefectApi(url, patient.environ) if url else None


def _prefect(patient: Patient) -> Check:
    api = _api(patient)
    if api is None:
        return Check("prefect", Health.WARN, "not running", "`fileorganizer up --detach`")
    if not api.is_healthy():
        remedy = f"Read {places_of(patient.settings).log(prefect_server.NAME)}."
        return Check("prefect", Health.BROKEN, f"{api.url} does not answer", remedy)
    found = api.version()
    if not found.startswith("3."):
        return Check("prefect", Health.BROKEN, f"version {found}", "Use a Prefect 3 server.")
    return Check("prefect", Health.OK, f"version {found} at {api.url}")


def _worker(patient: Patient) -> Check:
    api = _api(patient)
    if api is None or not api.is_healthy():
        return Check("worker", Health.WARN, "not running", "`fileorganizer up --detach`")
    if not worker.is_online(api):
        remedy = f"Read {places_of(patient.settings).log(worker.NAME)}."
        return Check("worker", Health.BROKEN, "no heartbeat", remedy)
    return Check("worker", Health.OK, f"{worker.worker_name()} is online")


def _deployments(patient: Patient) -> Check:
    api = _api(patient)
    if api is None or not api.is_healthy():
        return Check("deployments", Health.WARN, "unknown", "`fileorganizer up --detach`")
    missing = worker.missing_deployments(api, patient.root)
    if missing:
        remedy = "`fileorganizer down`, then `up`: it registers them."
        return Check("deployments", Health.BROKEN, f"missing: {sorted(missing)}", remedy)
    if not worker.is_registered(api, patient.root):
        remedy = "`fileorganizer down`, then `up`: it registers them again."
        return Check("deployments", Health.WARN, "prefect.yaml or a flow changed since", remedy)
    return Check("deployments", Health.OK, "all of prefect.yaml")


def _models(patient: Patient) -> Check:
    """Which learned models are here; without them rules alone decide, and that works."""
    from tasks.categorize.embedders import picture_problem, text_problem

    settings = patient.settings
    wrong = [text_problem(settings), picture_problem(settings)]
    names = (settings.text_model, settings.image_model)
    detail = "; ".join(
        f"{tower}: {problem or name}"
        for tower, name, problem in zip(("texts", "pictures"), names, wrong, strict=True)
    )
    if any(wrong):
        remedy = "`fileorganizer models pull NAME`, or set its model to `off`."
        return Check("models", Health.WARN, detail, remedy)
    return Check("models", Health.OK, detail)


def _mail(patient: Patient) -> Check:
    """Where mail goes; what a wrong URL means is said without repeating it."""
    transport = transport_of(patient.settings)
    if patient.settings.smtp_url is None:
        remedy = "Set FILEORGANIZER_SMTP_URL, or read the mail there."
        return Check("mail", Health.WARN, f"no server; written to the {transport.name}", remedy)
    return Check("mail", Health.OK, transport.name)


CHECKS: dict[str, Callable[[Patient], Check]] = {
    "python": _python,
    "encoding": _encoding,
    "home": _home,
    "disk space": _space,
    "open files": _open_files,
    "prefect port": _port,
    "supervisor": _supervisor,
    "orphans": _orphans,
    "postgres": _postgres,
    "prefect": _prefect,
    "worker": _worker,
    "deployments": _deployments,
    "models": _models,
    "mail": _mail,
}
"""Every check by its name; each returns one finding."""
