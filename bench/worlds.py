"""What a figure runs in: a durable Postgres of its own, or the whole embedded stack, in scratch."""

import os
import uuid
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.embedded.addresses import ensure_stack, export
from deploy.embedded.control import stop_stack
from deploy.embedded.places import places_of
from deploy.embedded.postgres import EmbeddedPostgres
from deploy.embedded.state import load
from deploy.migrations import upgrade
from models.domain.jobs import Job, JobKind, JobStatus, OrganizeOptions
from models.settings import Settings
from storage.opening import canonical_url

if TYPE_CHECKING:
    from tasks.ledger.ledger import Ledger

OURS = ("FILEORGANIZER_", "PREFECT_")
"""Beginnings of variables that point somewhere else than at the figure's own world."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What runs, and the ids of its processes, whose CPU seconds count."""

    database_url: str
    servers: tuple[int, ...]


def _point_at(environment: dict[str, str]) -> None:
    for name in [name for name in os.environ if name.startswith(OURS)]:
        del os.environ[name]
    os.environ.update(environment)


@contextmanager
def postgres_only(scratch: Path) -> Generator[World]:
    """A durable, migrated Postgres and an empty lake; stopped at the end. No Prefect."""
    server = EmbeddedPostgres(scratch / "postgres", durable=True)
    url = server.start()
    try:
        upgrade(url)
        _point_at({"FILEORGANIZER_HOME": str(scratch), "FILEORGANIZER_DATABASE_URL": url})
        yield World(database_url=url, servers=(server.pid or 0,))
    finally:
        server.stop()


@contextmanager
def whole_stack(scratch: Path) -> Generator[World]:
    """Postgres, a Prefect server and a worker, as `fileorganizer up` starts them; stopped after.

    The process is pointed at them before anybody imports Prefect, which reads its settings once.
    """
    _point_at({"FILEORGANIZER_HOME": str(scratch / "home"), "FILEORGANIZER_PREFECT_PORT": "0"})
    settings = Settings()
    addresses = ensure_stack(settings, lambda _step: None)
    try:
        state = load(places_of(settings).state)
        if state is None or state.postgres_dir is None:
            raise RuntimeError("the stack says nothing of itself")
        postmaster = EmbeddedPostgres(Path(state.postgres_dir)).pid or 0
        os.environ.update(export(addresses))
        os.environ["PREFECT_LOGGING_LEVEL"] = "ERROR"
        yield World(database_url=addresses.database_url, servers=(state.supervisor.pid, postmaster))
    finally:
        stop_stack(settings, lambda _step: None)


def new_job(
    ledger: "Ledger", source: Path, *, kind: JobKind = JobKind.ORGANIZE, is_launched: bool = False
) -> Job:
    """Create a job over a folder, organized in itself; with `is_launched` a worker takes it."""
    root = ledger.root_for(canonical_url(str(source)))
    return ledger.create_job(
        Job(
            id=str(uuid.uuid4()),
            kind=kind,
            account_id=ledger.local_account(),
            status=JobStatus.PENDING,
            source_url=root.url,
            destination_url=root.url,
            source_root_id=root.id,
            destination_root_id=root.id,
            options=OrganizeOptions(),
            approves_itself=True,
        ),
        launch=is_launched,
    )
