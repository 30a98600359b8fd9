"""Rules and schedules as the API takes and gives them."""

from datetime import datetime
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field

from api.organize.schemas import Line, PreviewRequest
from api.shell.pagination import Pagination
from models.domain.rules import Rule
from models.domain.schedules import Schedule

PRIORITY_MOST = 1_000_000


class RuleRequest(BaseModel):
    """What a file must be, and what then becomes of it."""

    model_config = ConfigDict(extra="forbid")

    when: dict[str, Any] = Field(
        description="Conditions, all of which must hold: `extensions`, `name_matches`, "
        "`path_matches`, `categories`, `mime`, `media`, `sender`, `min_size_bytes`, "
        "`max_size_bytes`, `dated_from`, `dated_before`.",
        examples=[{"extensions": ["pdf"], "name_matches": ["*invoice*"]}],
    )
    then: dict[str, Any] = Field(
        description="One of `category` (and `subcategory`), `template`, `stay: true`.",
        examples=[{"template": "Invoices/{year}/{stem}{ext}"}],
    )
    priority: int = Field(
        default=100, ge=0, le=PRIORITY_MOST, description="Smaller ones are asked first."
    )


class RuleDocument(BaseModel):
    """A rule."""

    id: str
    when: dict[str, Any]
    then: dict[str, Any]
    priority: int

    @classmethod
    def of(cls, rule: Rule) -> Self:
        """Return a rule as its owner sees it."""
        return cls.model_validate(rule.document())


class RuleAnswer(BaseModel):
    """One rule."""

    rule: RuleDocument


class RulesAnswer(BaseModel):
    """Rules in the order in which they are asked."""

    rules: list[RuleDocument]
    pagination: Pagination


class RuleTest(BaseModel):
    """What a rule would find among the newest files."""

    looked_at: int = Field(description="So many of the newest files were held against it.")
    matches: int
    sample: list[str] = Field(description="Paths of the first that fit.")


class RuleTestAnswer(BaseModel):
    """What a rule would find."""

    test: RuleTest


class ScheduleRequest(BaseModel):
    """A job that is to be made again and again."""

    model_config = ConfigDict(extra="forbid")

    cron: Line = Field(
        max_length=200,
        description="Minute, hour, day, month, weekday.",
        examples=["0 3 * * *"],
    )
    timezone: Line = Field(
        default="UTC",
        max_length=64,
        description="Whose clock is meant.",
        examples=["Europe/Berlin"],
    )
    job_template: PreviewRequest = Field(description="Body of `POST /organize/jobs`.")


class ScheduleChange(BaseModel):
    """What is to be changed of a schedule."""

    model_config = ConfigDict(extra="forbid")

    cron: Line | None = Field(default=None, max_length=200)
    timezone: Line | None = Field(default=None, max_length=64)
    job_template: PreviewRequest | None = None
    is_active: bool | None = Field(default=None, description="Whether it makes jobs.")


class ScheduleDocument(BaseModel):
    """A schedule."""

    id: str
    cron: str
    timezone: str
    job_template: dict[str, Any]
    is_active: bool
    next_due_at: datetime
    last_due_at: datetime | None
    last_job_id: str | None = Field(description="Job that was made last.")
    last_error: str | None = Field(description="Why the last due time made none.")
    created_at: datetime

    @classmethod
    def of(cls, schedule: Schedule) -> Self:
        """Return a schedule as its owner sees it."""
        return cls(**{name: getattr(schedule, name) for name in cls.model_fields})


class ScheduleAnswer(BaseModel):
    """One schedule."""

    schedule: ScheduleDocument


class SchedulesAnswer(BaseModel):
    """Schedules, the newest first."""

    schedules: list[ScheduleDocument]
    pagination: Pagination
