"""What a command that runs work needs: the stack, the environment, the ledger."""

import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

from cli.output import err
from deploy.embedded.addresses import ensure_stack, export
from models.settings import Settings
from tasks.ledger.ledger import Ledger, open_ledger


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """An open connection to the running stack."""

    settings: Settings
    ledger: Ledger


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
