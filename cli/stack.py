"""`up`, `down`, `status`, `doctor`: the embedded stack as a person handles it."""

import os
from dataclasses import asdict
from typing import Annotated

import typer
from rich.table import Table

from cli.output import emit_json, err, facts_table, fail, out, size
from deploy.embedded.addresses import Addresses, ensure_stack, running_stack
from deploy.embedded.control import STOP_TIMEOUT_S, stop_stack
from deploy.embedded.doctor import Health, examine
from deploy.embedded.logs import log_to
from deploy.embedded.places import places_of
from deploy.embedded.state import Phase
from deploy.embedded.status import PartStatus, shown, stack_status
from deploy.embedded.supervisor import Supervisor
from models.domain.errors import EXIT_CODES, FileOrganizerError, Kind
from models.settings import Settings

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output.")]

COLORS = {Health.OK: "green", Health.WARN: "yellow", Health.BROKEN: "red"}


def up(
    detach: Annotated[
        bool, typer.Option("--detach", "-d", help="Start in the background and return when ready.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Start Postgres, the Prefect server with its UI, and the worker; Ctrl-C or `down` stops."""
    settings = Settings()
    try:
        found = running_stack(settings)
        if found is not None:
            _announce(found, "already running", as_json=as_json)
        elif detach:
            _start_detached(settings, as_json=as_json)
        else:
            _run_here(settings, as_json=as_json)
    except FileOrganizerError as error:
        fail(error, as_json=as_json)


def _start_detached(settings: Settings, *, as_json: bool) -> None:
    """Start the supervisor in the background, showing its steps."""
    with err.status("starting") as spinner:
        addresses = ensure_stack(settings, spinner.update)
    _announce(addresses, "ready", as_json=as_json)


def _run_here(settings: Settings, *, as_json: bool) -> None:
    """Be the supervisor until a signal comes.

    Steps are plain lines: a spinner is a thread, and the supervisor forks.
    """
    _log_beside_the_supervisor(settings)

    def tell(step: str) -> None:
        err.print(f"[dim]{step}[/]")

    def ready(addresses: Addresses) -> None:
        _announce(addresses, "ready; Ctrl-C stops it", as_json=as_json)

    Supervisor(settings, os.environ, tell).run(ready)
    err.print("stopped")


def _log_beside_the_supervisor(settings: Settings) -> None:
    """Keep log lines off the terminal, and so out of `--json`."""
    places = places_of(settings)
    places.make()
    log_to(places.log("supervisor"), settings.log_level)


def _announce(addresses: Addresses, phase: str, *, as_json: bool) -> None:
    """Print where everything is; passwords are masked."""
    if as_json:
        emit_json({"phase": Phase.READY, "addresses": shown(addresses)})
    else:
        out.print(facts_table(f"stack: {phase}", shown(addresses)))


def down(
    timeout_s: Annotated[
        float, typer.Option("--timeout", min=1, help="Seconds before the supervisor is killed.")
    ] = STOP_TIMEOUT_S,
    as_json: Json = False,
) -> None:
    """Stop everything `up` started; interrupted jobs resume from their journal later."""
    settings = Settings()
    _log_beside_the_supervisor(settings)
    try:
        done = stop_stack(settings, lambda step: err.print(f"[dim]{step}[/]"), timeout_s=timeout_s)
    except FileOrganizerError as error:
        fail(error, as_json=as_json)
    if as_json:
        emit_json(asdict(done))
        return
    if not done.was_running and not done.leftovers and not done.postgres_stopped:
        out.print("nothing was running")
        return
    how = "stopped" if done.was_clean else "stopped by force"
    out.print(f"{how} in {done.seconds:.1f} s")
    if done.leftovers:
        out.print(f"ended {done.leftovers} leftover processes of a supervisor that was killed")


def status(as_json: Json = False) -> None:
    """Show what runs, where it is, and how it has been; exit status 0 when ready."""
    found = stack_status(Settings(), os.environ)
    code = 0
    if found.phase is not Phase.READY:
        code = EXIT_CODES[Kind.BROKEN if found.phase is Phase.FAILED else Kind.BUSY]
    if as_json:
        emit_json(asdict(found))
        raise typer.Exit(code)
    title = f"stack: {found.phase}" + (f" ({found.step})" if found.step != found.phase else "")
    facts = {
        **found.addresses,
        "worker": "online" if found.is_worker_online else "offline",
        "deployments": ", ".join(found.deployments) or "none",
        "runs under way": found.runs_active,
    }
    out.print(facts_table(title.replace(" ()", ""), facts))
    if found.parts:
        out.print(_parts_table(found.parts))
    if found.error:
        err.print(found.error, style="red", markup=False)
    raise typer.Exit(code)


def _parts_table(parts: tuple[PartStatus, ...]) -> Table:
    """One row per process."""
    table = Table(title="parts", title_justify="left")
    for name in ("part", "state", "pid", "up", "memory", "restarts", "log"):
        table.add_column(name, overflow="fold")
    for part in parts:
        table.add_row(
            part.name,
            "[green]running[/]" if part.is_running else "[red]stopped[/]",
            str(part.pid or ""),
            _duration(part.uptime_s),
            size(part.memory_bytes) if part.memory_bytes else "",
            str(part.restarts),
            part.log,
        )
    return table


def _duration(seconds: float | None) -> str:
    """Hours, minutes and seconds for people."""
    if seconds is None:
        return ""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"


def doctor(as_json: Json = False) -> None:
    """Look for what is wrong on this machine and say how to mend it."""
    checks = examine(Settings(), os.environ)
    is_broken = any(check.health is Health.BROKEN for check in checks)
    if as_json:
        emit_json({"is_healthy": not is_broken, "checks": [asdict(check) for check in checks]})
    else:
        table = Table(title="doctor", title_justify="left")
        for name in ("check", "health", "found", "remedy"):
            table.add_column(name, overflow="fold")
        for check in checks:
            health = f"[{COLORS[check.health]}]{check.health}[/]"
            table.add_row(check.name, health, check.detail, check.remedy)
        out.print(table)
    raise typer.Exit(EXIT_CODES[Kind.BROKEN] if is_broken else 0)


def register(app: typer.Typer) -> None:
    """Add the four commands to the command line."""
    for command in (up, down, status, doctor):
        app.command()(command)
