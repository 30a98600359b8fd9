"""`/organize/rules` and `/organize/schedules`."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Response

from api.organize.repository import Organizing
from api.organize.service import Asking
from api.organize.setup_repository import Setup
from api.organize.setup_schemas import (
    RuleAnswer,
    RuleDocument,
    RuleRequest,
    RulesAnswer,
    RuleTestAnswer,
    ScheduleAnswer,
    ScheduleChange,
    ScheduleDocument,
    ScheduleRequest,
    SchedulesAnswer,
)
from api.organize.setup_service import SettingUp
from api.shell.database import Transaction
from api.shell.pagination import PageQuery
from api.shell.principal import CurrentAccount
from api.shell.problems import PROBLEMS
from api.shell.storage import AppSettings

router = APIRouter()


async def _setting_up(
    principal: CurrentAccount, transaction: Transaction, settings: AppSettings
) -> SettingUp:
    organizing = Organizing(transaction, principal.account_id)
    return SettingUp(
        principal=principal,
        setup=Setup(transaction, principal.account_id),
        asking=Asking(principal=principal, settings=settings, organizing=organizing),
    )


AccountSettingUp = Annotated[SettingUp, Depends(_setting_up)]


@router.get("/rules", summary="List rules", responses=PROBLEMS(401, 422, 429))
async def list_rules(setting_up: AccountSettingUp, page: PageQuery) -> RulesAnswer:
    """Return your rules in the order in which they are asked."""
    found, total = await setting_up.setup.rules(limit=page.per_page, offset=page.offset)
    return RulesAnswer(
        rules=[RuleDocument.of(each) for each in found], pagination=page.pagination(total)
    )


@router.post(
    "/rules", status_code=201, summary="Add a rule", responses=PROBLEMS(401, 409, 422, 429)
)
async def add_rule(
    asked: RuleRequest, setting_up: AccountSettingUp, response: Response
) -> RuleAnswer:
    """Add a rule: it is asked before the mode in every job from now on."""
    made = await setting_up.add_rule(asked)
    response.headers["Location"] = f"/v1/organize/rules/{made.id}"
    return RuleAnswer(rule=RuleDocument.of(made))


@router.post("/rules/test", summary="Try a rule", responses=PROBLEMS(401, 422, 429))
async def try_rule(asked: RuleRequest, setting_up: AccountSettingUp) -> RuleTestAnswer:
    """Hold a rule against your newest files; nothing is stored or moved."""
    return RuleTestAnswer(test=await setting_up.try_rule(asked))


@router.put("/rules/{rule_id}", summary="Replace a rule", responses=PROBLEMS(401, 404, 422, 429))
async def change_rule(
    rule_id: UUID, asked: RuleRequest, setting_up: AccountSettingUp
) -> RuleAnswer:
    """Put another rule in the place of one."""
    return RuleAnswer(rule=RuleDocument.of(await setting_up.change_rule(str(rule_id), asked)))


@router.delete(
    "/rules/{rule_id}",
    status_code=204,
    summary="Remove a rule",
    responses=PROBLEMS(401, 404, 422, 429),
)
async def remove_rule(rule_id: UUID, setting_up: AccountSettingUp) -> None:
    """Forget a rule; jobs keep those they were asked for with."""
    await setting_up.setup.remove_rule(str(rule_id))


@router.get("/schedules", summary="List schedules", responses=PROBLEMS(401, 422, 429))
async def list_schedules(setting_up: AccountSettingUp, page: PageQuery) -> SchedulesAnswer:
    """Return your schedules, the newest first."""
    found, total = await setting_up.setup.schedules(limit=page.per_page, offset=page.offset)
    return SchedulesAnswer(
        schedules=[ScheduleDocument.of(each) for each in found], pagination=page.pagination(total)
    )


@router.post(
    "/schedules",
    status_code=201,
    summary="Add a schedule",
    responses=PROBLEMS(401, 402, 403, 404, 422, 429),
)
async def add_schedule(
    asked: ScheduleRequest, setting_up: AccountSettingUp, response: Response
) -> ScheduleAnswer:
    """Have a job made at each due time, exactly once."""
    made = await setting_up.add_schedule(asked)
    response.headers["Location"] = f"/v1/organize/schedules/{made.id}"
    return ScheduleAnswer(schedule=ScheduleDocument.of(made))


@router.patch(
    "/schedules/{schedule_id}",
    summary="Change a schedule",
    responses=PROBLEMS(401, 402, 403, 404, 422, 429),
)
async def change_schedule(
    schedule_id: UUID, asked: ScheduleChange, setting_up: AccountSettingUp
) -> ScheduleAnswer:
    """Change a schedule, let it rest or go on; what fell due while it rested is not made up for."""
    made = await setting_up.change_schedule(str(schedule_id), asked)
    return ScheduleAnswer(schedule=ScheduleDocument.of(made))


@router.delete(
    "/schedules/{schedule_id}",
    status_code=204,
    summary="Remove a schedule",
    responses=PROBLEMS(401, 404, 422, 429),
)
async def remove_schedule(schedule_id: UUID, setting_up: AccountSettingUp) -> None:
    """Forget a schedule; the jobs it made stay."""
    await setting_up.setup.remove_schedule(str(schedule_id))
