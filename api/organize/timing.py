"""When a schedule is due: cron's five fields on the clock of a place."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo, available_timezones

from models.domain.errors import InvalidError

FIELDS = 5


def next_due(cron: str, timezone: str, after: datetime) -> datetime:
    """Return the first due time after a moment, in UTC.

    Where a clock is set forward, what falls into the hour that is left out is due right after it;
    where it is set back, a time of day is due once.

    Raises:
        InvalidError: no such clock, not five fields of cron, or never due.
    """
    from cronsim import CronSim, CronSimError

    if timezone not in available_timezones():
        raise InvalidError("timezone is a name of the IANA database, such as Europe/Berlin")
    if len(cron.split()) != FIELDS:
        raise InvalidError("cron has five fields: minute, hour, day, month, weekday")
    try:
        found = next(CronSim(cron, after.astimezone(ZoneInfo(timezone))))
    except CronSimError as error:
        raise InvalidError(f"cron cannot be read: {error}") from error
    except StopIteration as error:
        raise InvalidError("this is never due") from error
    return found.astimezone(UTC)
