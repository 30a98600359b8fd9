"""Makes the jobs of schedules: each due time once, however many processes look."""

import asyncio
from typing import Any
from uuid import UUID, uuid5

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from api.organize.repository import Organizing
from api.organize.schemas import JobRequest
from api.organize.service import Asking
from api.organize.setup_repository import Setup, due_schedule
from api.organize.timing import next_due
from api.shell.database import system_transaction
from api.shell.principal import acting_for
from api.shell.problems import ProblemError
from api.shell.repository import account_state
from models.domain.errors import BusyError, FileOrganizerError, ForbiddenError, InvalidError
from models.domain.schedules import Schedule
from models.settings import Settings
from models.tables.tenancy import BIND
from models.tables.translation import translated

LOOK_S = 5.0
"""How often it is looked for what is due; cron counts in minutes."""

NOBODY = str(UUID(int=0))
"""Session of what was asked for beforehand."""

_log = structlog.get_logger("api.schedules")


async def keep_scheduling(engine: AsyncEngine, settings: Settings) -> None:
    """Make what is due until canceled; a database that is away is waited for."""
    while True:
        try:
            while await make_due(engine, settings):
                pass
        except Exception as error:  # noqa: BLE001 -- an edge: one odd schedule must not stop all
            _log.warning("schedules.waiting", reason=type(error).__name__)
        await asyncio.sleep(LOOK_S)


async def make_due(engine: AsyncEngine, settings: Settings) -> bool:
    """Deal with the schedule that is due first; return whether there was one.

    The job, its launch and the next due time are one transaction, in which the schedule is locked.
    Where several due times went by while no process ran, one job is made for them.

    Raises:
        BusyError: the database does not answer; nothing happened.
    """
    async with system_transaction(engine) as connection:
        schedule = await due_schedule(connection)
        if schedule is None:
            return False
        setup = Setup(connection, schedule.account_id)
        values: dict[str, Any] = {"last_due_at": schedule.next_due_at, "last_error": None}
        try:
            async with connection.begin_nested():
                with translated():
                    values["last_job_id"] = await _make(connection, setup, schedule, settings)
        except BusyError:
            raise
        except Exception as problem:  # noqa: BLE001 -- one odd schedule must not stop all others
            values["last_error"] = _why(problem)
            _log.info("schedule.refused", schedule_id=schedule.id, reason=type(problem).__name__)
        try:
            due = next_due(schedule.cron, schedule.timezone, await setup.now())
            values["next_due_at"] = due
        except InvalidError as problem:  # a clock that is no more
            values |= {"is_active": False, "last_error": str(problem)}
        await setup.change_schedule(schedule.id, **values)
    return True


def _why(problem: Exception) -> str:
    """What the owner is told."""
    is_ours = isinstance(problem, (FileOrganizerError, ProblemError))
    return str(problem) if is_ours else "the template is no job any more"


async def _make(
    connection: AsyncConnection, setup: Setup, schedule: Schedule, settings: Settings
) -> str:
    """The job of a due time, made as its account.

    Raises:
        ForbiddenError: the account is not active any more, or may not.
        ProblemError: 402: a limit of the plan.
        FileOrganizerError: it cannot be asked for.
    """
    account = await account_state(connection, schedule.account_id, NOBODY)
    if account is None or not account.is_active:
        raise ForbiddenError("the account is not active")
    await connection.execute(BIND, {"account_id": schedule.account_id})
    principal = acting_for(account)
    principal.require_room("schedules", await setup.older(schedule))
    organizing = Organizing(connection, schedule.account_id)
    asking = Asking(principal=principal, settings=settings, organizing=organizing)
    job_id = str(uuid5(UUID(schedule.id), schedule.next_due_at.isoformat()))
    asked = JobRequest.model_validate(schedule.job_template)
    return (await asking.create(asked, schedule=(schedule.id, job_id))).id
