"""How one person likes the product, and what they agreed to."""

from dataclasses import dataclass
from enum import StrEnum


class Theme(StrEnum):
    """Colors of the dashboard."""

    SYSTEM = "system"
    LIGHT = "light"
    DARK = "dark"


class Consent(StrEnum):
    """What a person may agree to and take back; `terms` is agreed to by registering."""

    TERMS = "terms"
    MARKETING = "marketing"
    ANALYTICS = "analytics"


CONSENT_VERSION = "2026-01-19"
"""Of the texts that are agreed to: the date of the specification."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """Preferences; these are the defaults.

    Attributes:
        locale: language tag (BCP 47).
        timezone: name in the IANA time zone database.
        default_mode: mode that a new job starts from.
        default_operation: `move` or `copy`.
    """

    theme: Theme = Theme.SYSTEM
    locale: str = "en"
    timezone: str = "UTC"
    default_mode: str = "category_year"
    default_operation: str = "move"
