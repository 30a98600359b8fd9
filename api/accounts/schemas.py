"""What `/me` takes and answers."""

from datetime import datetime
from typing import Annotated
from zoneinfo import available_timezones

from pydantic import AfterValidator, AnyHttpUrl, BaseModel, EmailStr, Field

from api.shell.pagination import Pagination
from models.domain.accounts import EMAIL_MOST, USERNAME_MOST
from models.domain.organizing import TEMPLATES, OperationType
from models.domain.preferences import Theme

AVATAR_MOST = 2000
"""Characters of a picture's address; browsers take about that many."""


def _not_null(value: str | None) -> str:
    if value is None:
        raise ValueError("a username cannot be taken away")
    return value


class ProfileSchema(BaseModel):
    """An account, as its owner sees it."""

    id: str
    email: str
    username: str
    subscription_tier: str
    full_name: str | None
    avatar_url: str | None
    is_verified: bool = Field(description="Whether the address was confirmed.")
    mfa_enabled: bool = Field(description="Whether signing in asks for a code.")
    created_at: datetime
    last_login_at: datetime | None
    deletion_scheduled_for: datetime | None = Field(
        description="When the account will be deleted, unless that is taken back."
    )


class ProfileAnswer(BaseModel):
    """The account."""

    user: ProfileSchema


class ProfileRequest(BaseModel):
    """What shall change; anything else that is sent is not looked at."""

    full_name: Annotated[str | None, Field(max_length=255, examples=["John Doe"])] = None
    avatar_url: Annotated[
        AnyHttpUrl | None,
        Field(max_length=AVATAR_MOST, examples=["https://example.com/john.png"]),
    ] = None
    username: Annotated[
        str | None,
        Field(max_length=USERNAME_MOST, examples=["johndoe"]),
        AfterValidator(_not_null),
    ] = None


def _known_mode(mode: str) -> str:
    if mode not in TEMPLATES:
        raise ValueError(f"modes are {', '.join(TEMPLATES)}")
    return mode


def _known_zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError("this is no name of the IANA time zone database")
    return name


class PreferencesSchema(BaseModel):
    """How the account's owner likes the product."""

    theme: Theme
    locale: str = Field(examples=["en-US"])
    timezone: str = Field(examples=["Europe/Vienna"])
    default_mode: str = Field(examples=["category_year"])
    default_operation: OperationType
    marketing_emails: bool = Field(description="Whether news may be sent.")
    product_analytics: bool = Field(description="Whether use may be counted.")


class PreferencesAnswer(BaseModel):
    """The preferences."""

    preferences: PreferencesSchema


class PreferencesRequest(BaseModel):
    """What shall change; what is not sent stays."""

    theme: Theme | None = None
    locale: Annotated[
        str | None,
        Field(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$", max_length=35, examples=["de-AT"]),
    ] = None
    timezone: Annotated[str, AfterValidator(_known_zone)] | None = None
    default_mode: Annotated[str, AfterValidator(_known_mode)] | None = None
    default_operation: OperationType | None = None
    marketing_emails: bool | None = None
    product_analytics: bool | None = None


class EmailRequest(BaseModel):
    """The address that the account shall have."""

    new_email: Annotated[EmailStr, Field(max_length=EMAIL_MOST, examples=["new@example.com"])]


class EntitlementsAnswer(BaseModel):
    """What the account may do and have; null is without limit."""

    plan: str
    features: dict[str, bool | str]
    limits: dict[str, int | None]


class UseSchema(BaseModel):
    """How much of one limit is used."""

    used: int
    limit: int | None = Field(description="Null is without limit.")
    resets_at: datetime | None = Field(description="When it begins anew; null where never.")


class UsageAnswer(BaseModel):
    """Use by the name of its limit."""

    usage: dict[str, UseSchema]


class EventSchema(BaseModel):
    """One entry of the audit log."""

    id: str
    at: datetime
    actor: str | None
    action: str
    target: str | None
    ip: str | None
    hash: str = Field(description="SHA-256 over this entry and the hash of the one before.")


class EventsAnswer(BaseModel):
    """Entries, the newest first."""

    events: list[EventSchema]
    pagination: Pagination
