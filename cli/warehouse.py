"""`warehouse`: its upkeep."""

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from cli.organize import Json
from cli.output import emit_json, err, facts_table, fail, out, rows_table
from cli.session import open_session
from models.domain.errors import EXIT_CODES, ConflictError, FileOrganizerError, Kind
from models.domain.jobs import JobStatus
from models.settings import Settings
from warehouse.store.parts import Lake, open_lake

app = typer.Typer(no_args_is_help=True, help="The warehouse: record days, look after its tables.")


REMEDY = (
    "`fileorganizer warehouse docs RUN` tells why a run is in quarantine; "
    "`fileorganizer warehouse rebuild --force` makes the tables anew from Postgres and the runs"
)


def lake_of(settings: Settings) -> Lake:
    """Return the lake of the stack."""
    return open_lake(settings.lake, s3_endpoint_url=settings.s3_endpoint_url)


@app.command()
def daily(
    day: Annotated[
        str | None,
        typer.Option(help="YYYY-MM-DD, UTC; all of the last week that are missing unless given."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Record what accounts used, paid and did on days that are over, for the KPIs."""
    try:
        with open_session(quiet=as_json):
            from flows.daily import daily as daily_flow

            recorded = daily_flow(day)
    except FileOrganizerError as error:
        fail(error, as_json=as_json)
    if as_json:
        emit_json({"days": recorded})
        return
    for name, facts in recorded.items():
        out.print(facts_table(name, facts))
    if not recorded:
        err.print("every day of the last week is recorded")


@app.command()
def attach(
    target: Annotated[
        Path | None,
        typer.Argument(help="File to write; `warehouse.duckdb` in the home unless given."),
    ] = None,
    with_data: Annotated[
        bool,
        typer.Option("--with-data", help="Put the rows into it, so that it can be given away."),
    ] = False,
    script: Annotated[
        bool, typer.Option("--script", help="Print SQL for `duckdb -init` instead.")
    ] = False,
) -> None:
    """Make a DuckDB file with the warehouse's views, for the DuckDB CLI and other tools.

    Examples:
        duckdb -readonly $(fileorganizer warehouse attach)
        fileorganizer warehouse attach --script > attach.sql && duckdb -init attach.sql
    """
    from warehouse.attaching import attach_script, write_attachable
    from warehouse.connect import lake_of_settings

    try:
        if script:
            typer.echo(attach_script(lake_of_settings()))
            return
        path = (target or Settings().home_path / "warehouse.duckdb").absolute()
        write_attachable(lake_of_settings(), path, with_data=with_data)
        typer.echo(str(path))
    except FileOrganizerError as error:
        fail(error, as_json=False)


@app.command()
def check(as_json: Json = False) -> None:
    """Say whether the warehouse is whole and agrees with Postgres; exit status 1 when not."""
    from tasks.publish.agreement import disagreements
    from warehouse.quality.checkup import Grade, check_up

    try:
        with open_session(quiet=as_json) as session:
            lake = lake_of(session.settings)
            found = check_up(lake)
            if not any(finding.where == "published_runs" for finding in found):
                found += disagreements(lake, session.ledger)
    except FileOrganizerError as error:
        fail(error, as_json=as_json)
    problems = [finding for finding in found if finding.grade is Grade.PROBLEM]
    if as_json:
        emit_json({"is_sound": not problems, "findings": [asdict(each) for each in found]})
    elif found:
        rows = [(finding.grade, finding.where, finding.what) for finding in found]
        out.print(rows_table("findings", ("", "where", "what"), rows))
    else:
        out.print("whole, and as Postgres says")
    if problems:
        err.print(f"[dim]{REMEDY}[/]")
        raise typer.Exit(EXIT_CODES[Kind.BROKEN])


@app.command()
def docs(
    run: Annotated[
        str, typer.Argument(help="Id of a run, or its beginning; the newest unless given.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Say what each expectation saw of a run, as pages for a browser; prints their address.

    Examples:
        fileorganizer warehouse docs
        xdg-open $(fileorganizer warehouse docs 3f2a91c4)
    """
    from warehouse.quality.docs import copied_docs
    from warehouse.store.publishing import newest_run

    try:
        settings = Settings()
        lake = lake_of(settings)
        found = newest_run(lake, beginning=run)
        index = copied_docs(lake, found.run_id, settings.home_path / "data-docs")
    except FileOrganizerError as error:
        fail(error, as_json=as_json)
    if as_json:
        emit_json({"run_id": found.run_id, "status": found.status, "index": str(index)})
    else:
        typer.echo(str(index))


@app.command()
def compact(as_json: Json = False) -> None:
    """Make few files of many, and drop what nobody reads; what readers see stays as it is."""
    try:
        with open_session(quiet=as_json):
            from flows.compact import compact as compact_flow

            done = compact_flow()
    except FileOrganizerError as error:
        fail(error, as_json=as_json)
    if as_json:
        emit_json({"tables": done})
        return
    for name, facts in done.items():
        out.print(facts_table(name, facts))


@app.command()
def rebuild(
    force: Annotated[
        bool,
        typer.Option("--force", help="Put it in place also where it differs from the old one."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Make the warehouse anew from Postgres and the runs, compare both, and put it in place.

    Where the two differ the old one stays, unless forced: with a damaged one that is the aim.
    """
    from tasks.publish.agreement import known_runs
    from warehouse.store.rebuilding import put_in_place
    from warehouse.store.rebuilding import rebuild as make_anew

    try:
        with open_session(quiet=as_json) as session:
            if session.ledger.jobs(limit=1, status=JobStatus.RUNNING):
                raise ConflictError(
                    "a job is running; rebuild when `fileorganizer jobs` shows none that is"
                )
            lake = lake_of(session.settings)
            made = make_anew(lake, known_runs(session.ledger, lake, now=datetime.now(UTC)))
        if not made.is_equal and not force:
            raise ConflictError(
                f"rebuilt in {made.folder}, it differs from the one in use: {made.differences} "
                f"rows, caches copied: {made.carried}; --force puts a new one in place all the same"
            )
        put_in_place(lake, made)
    except FileOrganizerError as error:
        fail(error, as_json=as_json)
    if as_json:
        emit_json({**asdict(made), "is_equal": made.is_equal})
        return
    out.print(facts_table(f"rebuilt from {made.runs:,} runs, now in {made.folder}", made.rows))
    if not made.is_equal:
        out.print(facts_table("rows that only one of the two has", made.differences))
    if None in made.carried.values():
        err.print(
            "the cache of vectors was not copied: `fileorganizer search ... --index` remakes it"
        )


def register(parent: typer.Typer) -> None:
    """Add the commands of this module."""
    parent.add_typer(app, name="warehouse")
