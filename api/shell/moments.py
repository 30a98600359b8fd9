"""Cursors of lists that are ordered by a moment and an id, the newest first."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from models.domain.errors import InvalidError


def after_moment(key: Sequence[Any] | None) -> tuple[datetime, str] | None:
    """Return the moment and id that a cursor stands after; None at the beginning.

    Raises:
        InvalidError: the cursor is none of such a list.
    """
    if key is None:
        return None
    try:
        moment, identity = (str(part) for part in key)
        found, name = datetime.fromisoformat(moment), str(UUID(identity))
    except (ValueError, OverflowError) as error:
        raise InvalidError("this cursor was not given by us") from error
    if found.tzinfo is None:
        raise InvalidError("this cursor was not given by us")
    return found, name


def moment_key(moment: datetime, identity: str) -> tuple[str, str]:
    """Return the sort key that `after_moment` reads."""
    return moment.isoformat(), identity
