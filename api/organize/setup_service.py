"""Setting up rules and schedules."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from api.organize.service import Asking
from api.organize.setup_repository import Setup
from api.organize.setup_schemas import RuleRequest, RuleTest, ScheduleChange, ScheduleRequest
from api.organize.timing import next_due
from api.shell.principal import Principal
from models.domain.errors import ConflictError
from models.domain.rules import MAX_RULES, Rule, first_match, rule_from
from models.domain.ruling import check_rule
from models.domain.schedules import Schedule

LOOKED_AT = 1000
"""Newest files that a rule is tried on."""

SAMPLE = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingUp:
    """Who sets up rules and schedules."""

    principal: Principal
    setup: Setup
    asking: Asking

    async def add_rule(self, asked: RuleRequest) -> Rule:
        """Add a rule.

        Raises:
            InvalidError: it makes no sense.
            ConflictError: there are too many.
        """
        rule = _checked(asked)
        await self.setup.lock()
        _, total = await self.setup.rules(limit=1, offset=0)
        if total >= MAX_RULES:
            raise ConflictError(f"an account has at most {MAX_RULES} rules")
        return await self.setup.save_rule(rule)

    async def change_rule(self, rule_id: str, asked: RuleRequest) -> Rule:
        """Put another rule in the place of one.

        Raises:
            InvalidError: it makes no sense.
            MissingError: there is no such rule.
        """
        return await self.setup.save_rule(replace(_checked(asked), id=rule_id))

    async def try_rule(self, asked: RuleRequest) -> RuleTest:
        """Hold a rule against the newest files; nothing is stored.

        Raises:
            InvalidError: it makes no sense.
        """
        rules: Sequence[Rule] = (_checked(asked),)
        files = await self.setup.newest_files(LOOKED_AT)
        found = [str(each["key"]) for each in files if first_match(rules, each)]
        return RuleTest(looked_at=len(files), matches=len(found), sample=found[:SAMPLE])

    async def add_schedule(self, asked: ScheduleRequest) -> Schedule:
        """Add a schedule.

        Raises:
            InvalidError: it makes no sense, or is never due.
            ForbiddenError: the account may not ask for such a job.
            MissingError: there is no such connection.
            ProblemError: 402: too many.
        """
        due = next_due(asked.cron, asked.timezone, await self.setup.now())
        await self.setup.lock()
        _, total = await self.setup.schedules(limit=1, offset=0)
        self.principal.require_room("schedules", total)
        await self.asking.check(asked.job_template)
        return await self.setup.add_schedule(
            {
                "cron": asked.cron,
                "timezone": asked.timezone,
                "job_template": asked.job_template.model_dump(mode="json"),
                "next_due_at": due,
            }
        )

    async def change_schedule(self, schedule_id: str, asked: ScheduleChange) -> Schedule:
        """Change a schedule; its next due time is counted from now.

        Raises:
            InvalidError: it makes no sense, or is never due.
            ForbiddenError: the account may not ask for such a job.
            MissingError: there is no such schedule or connection.
            ProblemError: 402: too many are active.
        """
        before = await self.setup.schedule(schedule_id)
        cron, timezone = asked.cron or before.cron, asked.timezone or before.timezone
        values: dict[str, Any] = {
            "cron": cron,
            "timezone": timezone,
            "next_due_at": next_due(cron, timezone, await self.setup.now()),
        }
        if asked.is_active is not None:
            values["is_active"] = asked.is_active
        if asked.is_active:
            self.principal.require_room("schedules", await self.setup.older(before))
        if asked.job_template is not None:
            await self.asking.check(asked.job_template)
            values["job_template"] = asked.job_template.model_dump(mode="json")
        return await self.setup.change_schedule(schedule_id, **values)


def _checked(asked: RuleRequest) -> Rule:
    """The rule that is asked for.

    Raises:
        InvalidError: it makes no sense.
    """
    return check_rule(rule_from(asked.model_dump()))
