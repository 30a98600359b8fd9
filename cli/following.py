"""A job's progress on the terminal, and Ctrl-C that stops at a safe point."""

import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from cli.output import err
from models.domain.errors import ConflictError, FileOrganizerError
from tasks.ledger.ledger import Ledger

POLL_S = 0.25
"""Progress is recorded at most four times a second (DESIGN D11)."""


class _Follower:
    """Polls the job from a thread, since the flow holds the main one."""

    def __init__(self, ledger: Ledger, job_id: str, *, quiet: bool) -> None:
        self._ledger = ledger
        self._job_id = job_id
        self._stop = threading.Event()
        self._cancel = threading.Event()
        self._thread = threading.Thread(target=self._poll, name="follower", daemon=True)
        self._progress = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[counts]}"),
            TimeRemainingColumn(),
            console=err,
            transient=True,
            disable=quiet,
        )
        self._bar = self._progress.add_task("starting", total=1.0, counts="")

    def start(self) -> None:
        self._progress.start()
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(timeout=5)
        self._progress.stop()

    def interrupt(self, _signal: int, _frame: FrameType | None) -> None:
        """First Ctrl-C: ask the job to stop at a safe point; second: leave at once."""
        if self._cancel.is_set():
            raise KeyboardInterrupt
        self._cancel.set()

    def _poll(self) -> None:
        asked = False
        while not self._stop.wait(POLL_S):
            try:
                if self._cancel.is_set() and not asked:
                    asked = True
                    self._ledger.request_cancel(self._job_id)
                    err.print("stopping at a safe point; press Ctrl-C again to leave at once")
                self._show()
            except FileOrganizerError:
                continue  # the journal is away for a moment; progress is only shown

    def _show(self) -> None:
        job = self._ledger.job(self._job_id)
        counts = f"{job.files_processed:,}/{job.files_total:,} files" if job.files_total else ""
        self._progress.update(
            self._bar,
            description=job.phase or "starting",
            completed=job.progress_ratio,
            counts=counts,
        )


@contextmanager
def followed(ledger: Ledger, job_id: str, *, quiet: bool) -> Generator[None]:
    """Show a job's progress while the body runs; Ctrl-C cancels the job at a safe point.

    Raises:
        ConflictError: the job was canceled.
    """
    from prefect.exceptions import CancelledRun

    follower = _Follower(ledger, job_id, quiet=quiet)
    before: Any = signal.signal(signal.SIGINT, follower.interrupt)
    follower.start()
    try:
        yield
    except CancelledRun as error:
        raise ConflictError(f"job {job_id} was canceled; nothing is half done") from error
    finally:
        follower.stop()
        signal.signal(signal.SIGINT, before)
