"""Who asks, and what they may do."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import Depends, Request

from api.shell.authentication import Authenticated
from api.shell.database import Transaction, account_transaction, engine_of
from api.shell.problems import limit_reached, step_up_required, unauthenticated
from api.shell.repository import AccountState, account_state
from api.shell.tokens import Claims
from models.domain.entitlements import Feature, includes
from models.domain.errors import ForbiddenError
from models.domain.price_list import BYTES_PER_GB, Action, Entitlement, Standing
from models.entitlements import price_list

STEP_UP = timedelta(minutes=5)
"""How long a proof of who one is counts (`[S]` in the specification)."""

REASONS: Mapping[Standing, str] = {
    Standing.READ_ONLY: "the account is read-only until its invoice is paid",
    Standing.OVER_QUOTA: "the account stores more than its plan allows; delete files or upgrade",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """The account that asks, as it is in this transaction.

    Attributes:
        features: by name: whether, or in which form; what the state denies is taken away.
        limits: by name: how many, None for no limit.
        state: `active`, `grace`, `read_only` or `over_quota`.
        denied: actions that the state denies.
        session_id: of the token.
        stepped_up_at: when they last proved again who they are.
    """

    account_id: str
    email: str
    plan: str
    features: Mapping[str, bool | str]
    limits: Mapping[str, int | None]
    state: Standing
    denied: frozenset[Action]
    session_id: str
    stepped_up_at: datetime | None = None

    def snapshot(self) -> dict[str, Any]:
        """Return what a job keeps of the entitlement (`models.domain.entitlements`)."""
        return Entitlement(
            plan=self.plan,
            standing=self.state,
            features=self.features,
            limits=self.limits,
            denied=self.denied,
        ).snapshot()

    def require(self, action: Action) -> None:
        """Refuse what the account's state denies.

        Raises:
            ForbiddenError: read-only or over quota.
        """
        if action in self.denied:
            raise ForbiddenError(REASONS.get(self.state, f"the account is {self.state}"))

    def require_feature(self, feature: Feature | str) -> None:
        """Refuse what the plan does not include.

        Raises:
            ForbiddenError: it is not included.
        """
        if not self.has(feature):
            words = str(feature).replace("_", " ")
            raise ForbiddenError(f"the {self.plan} plan does not include {words}")

    def has(self, feature: Feature | str) -> bool:
        """Whether the plan includes a feature, in any form."""
        if isinstance(feature, Feature):
            return includes(self.snapshot(), feature)
        return self.features.get(feature) not in (None, False, "none")

    def require_advanced_tagging(self) -> None:
        """Refuse colors, and tagging many files at once, where the plan has plain tags only.

        Raises:
            ForbiddenError: it has.
        """
        if self.features.get("tagging") != "advanced":
            raise ForbiddenError(
                f"the {self.plan} plan has plain tags: no colors, one file at a time"
            )

    def require_room(self, limit: str, used: int, *, more: int = 1) -> None:
        """Refuse what would exceed a limit of the plan.

        Args:
            limit: its name in the price list.
            used: how many there are.
            more: how many are to be added.

        Raises:
            ProblemError: 402.
        """
        allowed = self.limits[limit]
        if allowed is not None and used + more > allowed:
            raise limit_reached(limit, allowed, plan=self.plan)


def entitlement_of(account: AccountState) -> Entitlement:
    """Return what an account may do now; its stored quota is its limit of bytes."""
    quota = account.storage_quota_gb
    quota_bytes = None if quota is None else quota * BYTES_PER_GB
    used = account.storage_used_bytes + account.storage_reserved_bytes
    found = price_list().entitlement(
        account.tier,
        now=account.now,
        status=account.status,
        grace_until=account.grace_until,
        is_over_quota=quota_bytes is not None and used > quota_bytes,
    )
    return replace(found, limits={**found.limits, "storage_bytes": quota_bytes})


def principal_from(account: AccountState | None, claims: Claims) -> Principal:
    """Return the principal of an account and a token.

    Raises:
        ProblemError: 401: no such account any more, not active, or signed out since.
    """
    is_signed_in = account is not None and account.has_session and account.epoch == claims.epoch
    if account is None or not account.is_active or not is_signed_in:
        raise unauthenticated("the token does not count any more", error="invalid_token")
    return acting_for(account, session_id=claims.session_id, stepped_up_at=claims.stepped_up_at)


def acting_for(
    account: AccountState, *, session_id: str = "", stepped_up_at: datetime | None = None
) -> Principal:
    """Return the principal of an account; without a session for what it asked for beforehand."""
    found = entitlement_of(account)
    return Principal(
        account_id=account.id,
        email=account.email,
        plan=found.plan,
        features=found.features,
        limits=found.limits,
        state=found.standing,
        denied=found.denied,
        session_id=session_id,
        stepped_up_at=stepped_up_at,
    )


async def _current_account(claims: Authenticated, transaction: Transaction) -> Principal:
    return principal_from(
        await account_state(transaction, claims.account_id, claims.session_id), claims
    )


CurrentAccount = Annotated[Principal, Depends(_current_account)]
"""Who asks; 401 without a token that counts."""


async def _brief_account(request: Request, claims: Authenticated) -> Principal:
    async with account_transaction(engine_of(request), claims.account_id) as connection:
        account = await account_state(connection, claims.account_id, claims.session_id)
        return principal_from(account, claims)


BriefAccount = Annotated[Principal, Depends(_brief_account)]
"""Who asks, without a transaction that lasts as long as the request: for streams of bytes."""


async def _stepped_up(principal: CurrentAccount) -> Principal:
    proved = principal.stepped_up_at
    if proved is None or datetime.now(UTC) - proved > STEP_UP:
        raise step_up_required()
    return principal


SteppedUp = Annotated[Principal, Depends(_stepped_up)]
"""Who asks, having proved it again within five minutes; 401 asks for that."""
