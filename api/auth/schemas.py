"""What signing in takes and answers; the fields are those of the specification."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, EmailStr, Field, SecretStr

from models.domain.accounts import EMAIL_MOST, PASSWORD_MOST, USERNAME_MOST, Account

FORM_MOST = 4 * PASSWORD_MOST
"""Characters of a password as typed; its rules are told by `check_password`."""

Email = Annotated[EmailStr, Field(max_length=EMAIL_MOST, examples=["user@example.com"])]
Password = Annotated[SecretStr, Field(max_length=FORM_MOST, examples=["correct horse battery"])]
Token = Annotated[str, Field(min_length=1, max_length=500)]
Code = Annotated[
    str, Field(min_length=6, max_length=20, description="Six digits.", examples=["492039"])
]


class RegisterRequest(BaseModel):
    """A new account; anything else that is sent is not looked at."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "email": "user@example.com",
                    "password": "SecurePass123!",
                    "username": "johndoe",
                    "full_name": "John Doe",
                }
            ]
        }
    )

    email: Email
    password: Password
    username: Annotated[str, Field(max_length=USERNAME_MOST, examples=["johndoe"])]
    full_name: Annotated[str | None, Field(max_length=255, examples=["John Doe"])] = None


class LoginRequest(BaseModel):
    """Who signs in."""

    email: Annotated[str, Field(max_length=EMAIL_MOST, examples=["user@example.com"])]
    password: Password


class RefreshRequest(BaseModel):
    """A refresh token."""

    refresh_token: Token


class EmailRequest(BaseModel):
    """An address, whether anybody has it or not."""

    email: Email


class TokenRequest(BaseModel):
    """A token out of a mail."""

    token: Token


class ResetRequest(BaseModel):
    """A new password, by a token out of a mail."""

    token: Token
    new_password: Password
    code: Annotated[
        str | None,
        Field(max_length=20, description="Of the second factor, or a recovery code, if it is on."),
    ] = None


class ChangePasswordRequest(BaseModel):
    """A new password, by the present one."""

    current_password: Password
    new_password: Password


class ReauthenticateRequest(BaseModel):
    """A proof: the password, or, where a second factor is on, its code."""

    password: Password | None = None
    code: Annotated[str | None, Field(max_length=20, examples=["492039"])] = None


class ConfirmTotpRequest(BaseModel):
    """The first code of a new second factor."""

    enrolment_id: UUID
    code: Code


class VerifyMfaRequest(BaseModel):
    """What finishes signing in; one of the two codes."""

    mfa_token: Token
    code: Code | None = None
    recovery_code: Annotated[str | None, Field(max_length=20, examples=["7k2md-q9xvw"])] = None


class UserSchema(BaseModel):
    """An account, in short."""

    id: str
    email: str
    username: str
    subscription_tier: str

    @classmethod
    def of(cls, account: Account) -> "UserSchema":
        """Return what is told of an account."""
        return cls(
            id=account.id,
            email=account.email,
            username=account.username,
            subscription_tier=account.tier,
        )


class SignedInAnswer(BaseModel):
    """An account and its tokens."""

    user: UserSchema
    access_token: str = Field(description="JWT of ten minutes, for `Authorization: Bearer`.")
    refresh_token: str = Field(description="Works once; the answer has the next one.")


class MfaRequiredAnswer(BaseModel):
    """The password was right; a code finishes it at `/auth/2fa/verify`."""

    mfa_required: Literal[True] = True
    mfa_token: str


class TokensAnswer(BaseModel):
    """Both tokens anew."""

    access_token: str
    refresh_token: str


class UserAnswer(BaseModel):
    """An account, in short."""

    user: UserSchema


class TotpAnswer(BaseModel):
    """What an authenticator needs; it protects nothing before `/confirm`."""

    secret: str = Field(description="In base 32.")
    otpauth_url: str = Field(description="The same for a QR code.")
    enrolment_id: str


class RecoveryCodesAnswer(BaseModel):
    """Shown once; each works once."""

    recovery_codes: list[str] = Field(min_length=10, max_length=10)


class StepUpAnswer(BaseModel):
    """An access token for what asks for a fresh proof."""

    step_up_token: str
    expires_in: int = Field(description="Seconds.", examples=[300])


class SessionSchema(BaseModel):
    """One signed-in device."""

    id: str
    ip: str | None
    user_agent: str | None
    created_at: datetime
    last_seen_at: datetime
    current: bool = Field(description="Whether it is the one that asks.")


class SessionsAnswer(BaseModel):
    """All of an account, the last used first."""

    sessions: list[SessionSchema]
