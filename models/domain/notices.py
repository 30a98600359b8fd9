"""What people are told, and how they want to be told."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class Topic(StrEnum):
    """What a notice is about, as far as one may choose how to get it."""

    JOBS = "jobs"
    SECURITY = "security"
    PRODUCT = "product"


@dataclass(frozen=True, slots=True, kw_only=True)
class Channels:
    """How one wants to be told of a topic."""

    in_app: bool = True
    email: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One thing somebody is told.

    Attributes:
        kind: what it is about, as `job.completed`.
        data: ids and counts that a reader may link to.
    """

    id: str
    kind: str
    title: str
    body: str
    created_at: datetime
    read_at: datetime | None = None
    data: Mapping[str, Any] = field(default_factory=dict[str, Any])


def completed(stored: Mapping[Topic, Channels]) -> dict[Topic, Channels]:
    """Return the channels of every topic; what was never chosen has the defaults."""
    return {topic: stored.get(topic, Channels()) for topic in Topic}
