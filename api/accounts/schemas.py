"""What `/me` takes and answers."""

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, AnyHttpUrl, BaseModel, Field

from models.domain.accounts import USERNAME_MOST

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
