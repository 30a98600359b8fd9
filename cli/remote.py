"""`login`, `logout`, `upload` and `submit`: a service's API from the command line."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from cli.api_client.client import LARGE_BYTES, open_client
from cli.api_client.sessions import SessionFile
from cli.api_client.shapes import Job
from cli.organize import MODES, Json
from cli.output import emit_json, err, fail, out
from models.domain.errors import FileOrganizerError, InvalidError
from models.settings import Settings

FILES_AT_ONCE = 50
"""Files of one request: a lost connection costs no more than these."""


def _sessions() -> SessionFile:
    return SessionFile(Settings().home_path)


def login(
    email: Annotated[str, typer.Argument(help="Address of the account.")],
    url: Annotated[str, typer.Option(help="Where the API is, without /v1.")],
    as_json: Json = False,
) -> None:
    """Sign in to a FileOrganizer service; the password is asked for, or read from a pipe.

    The tokens are kept in `api-session.json` in FILEORGANIZER_HOME, readable by you only, and
    renewed when they run out.

    Examples:
        fileorganizer login you@example.com --url https://files.example.com
        pass show files | fileorganizer login you@example.com --url https://files.example.com
    """
    try:
        with open_client(_sessions(), url) as client:
            found = client.login(email, _password(), code=lambda: typer.prompt("Code", err=True))
    except FileOrganizerError as error:
        fail(error, as_json=as_json)
    if as_json:
        emit_json({"user": found["user"]})
        return
    out.print(f"signed in as {found['user']['username']}", markup=False)


def _password() -> str:
    if sys.stdin.isatty():
        return typer.prompt("Password", hide_input=True, err=True)
    return sys.stdin.readline().rstrip("\n")


def logout(as_json: Json = False) -> None:
    """End the sign-in here and at the service."""
    try:
        with open_client(_sessions()) as client:
            client.logout()
    except FileOrganizerError as error:
        fail(error, as_json=as_json)
    if as_json:
        emit_json({})


def upload(
    paths: Annotated[list[Path], typer.Argument(help="Files, or folders with all they hold.")],
    tag: Annotated[list[str] | None, typer.Option(help="Tag for all of them.")] = None,
    category: Annotated[str | None, typer.Option(help="Category for all of them.")] = None,
    as_json: Json = False,
) -> None:
    """Upload files to the service you are signed in to.

    Files above 100 MB go in parts that survive a lost connection.

    Examples:
        fileorganizer upload ~/Scans --tag 2024
    """
    try:
        small, large = _chosen(paths)
        done: list[str] = []
        with open_client(_sessions()) as client:
            for first in range(0, len(small), FILES_AT_ONCE):
                some = small[first : first + FILES_AT_ONCE]
                sent = client.upload(some, category=category, tags=tag or ())
                done += [each["id"] for each in sent]
                err.print(f"{len(done):,} of {len(small) + len(large):,}")
            for path in large:
                client.upload_large(path)
                err.print(f"{path.stat().st_size:,} bytes in parts")
    except FileOrganizerError as error:
        fail(error, as_json=as_json)
    if as_json:
        emit_json({"file_ids": done, "large": len(large)})
        return
    out.print(f"{len(small) + len(large):,} files uploaded")


def _chosen(paths: list[Path]) -> tuple[list[Path], list[Path]]:
    """Return all files named or below folders that are named, small and large ones apart.

    Raises:
        InvalidError: there is none.
    """
    found = [
        each
        for path in paths
        for each in (sorted(path.rglob("*")) if path.is_dir() else [path])
        if each.is_file() and not each.is_symlink()
    ]
    if not found:
        raise InvalidError("there is no file to upload")
    large = {each for each in found if each.stat().st_size > LARGE_BYTES}
    return [each for each in found if each not in large], sorted(large)


def submit(
    source_path: Annotated[
        str, typer.Argument(help="`/uploads`, a folder in it, or `CONNECTION_ID:/folder`.")
    ] = "/uploads",
    mode: Annotated[str, typer.Option(help=f"One of: {MODES}.")] = "category_year",
    operation: Annotated[str, typer.Option(help="`move` or `copy`.")] = "move",
    watch: Annotated[bool, typer.Option("--watch", help="Follow it until it has ended.")] = False,
    as_json: Json = False,
) -> None:
    """Ask the service you are signed in to for a job that organizes.

    Examples:
        fileorganizer submit --watch
        fileorganizer submit 3f0a9c11-...:/Photos --mode year_month --operation copy
    """
    try:
        last: Job | None = None
        with open_client(_sessions()) as client:
            job = client.submit(source_path, mode=mode, operation=operation)
            for last in client.watch(job["id"]) if watch else ():
                err.print(_line(last), markup=False)
    except FileOrganizerError as error:
        fail(error, as_json=as_json)
    if as_json:
        emit_json({"job": last or job})
        return
    out.print(_line(last) if last else f"job {job['id']}: {job['status']}", markup=False)


def _line(job: Job) -> str:
    return (
        f"job {job['id'][:8]}: {job['status']}, {job['progress']:.1f} %, "
        f"{job['files_processed']:,} files, {job['errors_count']} errors"
    )


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    for command in (login, logout, upload, submit):
        app.command()(command)
