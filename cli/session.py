"""What a command that runs work needs: the stack, the environment, the ledger."""

import os
import uuid
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

from cli.output import err
from deploy.embedded.addresses import ensure_stack, export
from models.domain.errors import InvalidError, MissingError
from models.domain.jobs import Job
from models.settings import Settings
from tasks.ledger.ledger import Ledger, open_ledger

RECENT_JOBS = 1000
"""Jobs among which the beginning of an id is looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """An open connection to the running stack."""

    settings: Settings
    ledger: Ledger


def job_named(ledger: Ledger, text: str) -> Job:
    """Return the job of an id, or of the beginning of one, as `jobs` prints it.

    Raises:
        MissingError: no job of the newest `RECENT_JOBS` begins so.
        InvalidError: several do.
    """
    if len(text) == len(str(uuid.UUID(int=0))):
        return ledger.job(text)
    found = [job for job in ledger.jobs(limit=RECENT_JOBS) if text and job.id.startswith(text)]
    if not found:
        raise MissingError(f"there is no job {text!r}; `fileorganizer jobs` lists them")
    if len(found) > 1:
        raise InvalidError(f"{len(found)} jobs begin with {text!r}; give more of the id")
    return found[0]


@contextmanager
def open_session(*, quiet: bool) -> Generator[Session]:
    """Start the stack if it is not running, point this process at it, and open the ledger.

    Args:
        quiet: say nothing while starting (for `--json`).

    Raises:
        BrokenError: the stack did not become healthy; the text says which log to read.
    """

    def tell(text: str) -> None:
        if not quiet:
            err.print(f"[dim]{text}[/]")

    addresses = ensure_stack(Settings(), tell)
    os.environ.update(export(addresses))
    # A command shows its own progress; Prefect's log lines go to its server and UI.
    os.environ.setdefault("PREFECT_LOGGING_LEVEL", "WARNING")
    settings = Settings()
    with open_ledger(settings) as ledger:
        yield Session(settings=settings, ledger=ledger)
