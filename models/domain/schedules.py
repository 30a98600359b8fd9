"""Jobs that are made again and again."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """One job that is to be made again and again.

    Attributes:
        cron: five fields, read by the clock of `timezone`.
        timezone: IANA name.
        job_template: body of `POST /organize/jobs`.
        next_due_at: when the next job is to be made.
        last_due_at: due time that was dealt with last.
        last_job_id: the job it made.
        last_error: why it made none, in words.
    """

    id: str
    account_id: str
    cron: str
    timezone: str
    job_template: Mapping[str, Any]
    is_active: bool
    next_due_at: datetime
    created_at: datetime
    last_due_at: datetime | None = None
    last_job_id: str | None = None
    last_error: str | None = None
