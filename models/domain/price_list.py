"""The price list: what a plan may do and may have, and what becomes of it unpaid."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from models.domain.entitlements import Feature
from models.domain.errors import BrokenError, MissingError

BYTES_PER_GB = 10**9
"""GB as the price list counts them (DESIGN section 10)."""


class Standing(StrEnum):
    """What state an account is in; it takes away from what its plan grants."""

    ACTIVE = "active"
    GRACE = "grace"
    """A payment failed, and the plan still holds for some days."""
    READ_ONLY = "read_only"
    OVER_QUOTA = "over_quota"


class Action(StrEnum):
    """What a state may deny, by the names of `states` in the price list."""

    UPLOAD = "upload"
    ORGANIZE = "organize"
    ORGANIZE_COPY = "organize_copy"
    AI = "ai"
    FUZZY = "fuzzy"
    SHARE = "share"
    API_KEYS = "api_keys"


DENIED_FEATURES: Mapping[Feature, Action] = {
    Feature.AI_CATEGORIZATION: Action.AI,
    Feature.FUZZY_DUPLICATES: Action.FUZZY,
}
"""Features that a state takes away by denying an action."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One plan.

    Attributes:
        price_cents: each month; None where it is agreed on.
        trial_days: days for nothing, at first.
        features: by name: whether, or in which form.
        limits: by name: how many, None for no limit.
    """

    name: str
    price_cents: int | None
    trial_days: int
    features: Mapping[str, bool | str]
    limits: Mapping[str, int | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entitlement:
    """What one account may do now.

    Attributes:
        plan: the plan that counts, which is not always the one that was bought.
        features: of the plan, without what the state denies.
        denied: actions that the state denies.
    """

    plan: str
    standing: Standing
    features: Mapping[str, bool | str]
    limits: Mapping[str, int | None]
    denied: frozenset[Action]

    def snapshot(self) -> dict[str, Any]:
        """Return what a job keeps of it (`models.domain.entitlements`)."""
        return {
            "plan": self.plan,
            "state": self.standing.value,
            "features": dict(self.features),
            "limits": dict(self.limits),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceList:
    """All plans and the rules between them.

    Attributes:
        grants: by status of a subscription: what it grants.
        denied: by state: what it denies.
    """

    currency: str
    plans: Mapping[str, Plan]
    grants: Mapping[str, Mapping[str, Any]]
    denied: Mapping[Standing, frozenset[Action]]

    def plan(self, name: str) -> Plan:
        """Return a plan.

        Raises:
            MissingError: there is none of this name.
        """
        try:
            return self.plans[name]
        except KeyError as error:
            raise MissingError(f"there is no plan {name!r}") from error

    def entitlement(
        self,
        tier: str,
        *,
        now: datetime,
        status: str | None = None,
        grace_until: datetime | None = None,
        is_over_quota: bool = False,
    ) -> Entitlement:
        """Return what an account may do.

        Args:
            tier: the plan of its subscription.
            now: aware.
            status: of its subscription at Stripe; None without one.
            grace_until: until when an unpaid one grants its plan.
            is_over_quota: whether it stores more than it may, as after a downgrade.
        """
        name, standing = self._granted(tier, now=now, status=status, grace_until=grace_until)
        if is_over_quota and standing is not Standing.READ_ONLY:
            standing = Standing.OVER_QUOTA
        plan = self.plan(name)
        denied = self.denied.get(standing, frozenset())
        taken = {each.value for each, action in DENIED_FEATURES.items() if action in denied}
        features = {key: False if key in taken else held for key, held in plan.features.items()}
        return Entitlement(
            plan=name, standing=standing, features=features, limits=plan.limits, denied=denied
        )

    def _granted(
        self, tier: str, *, now: datetime, status: str | None, grace_until: datetime | None
    ) -> tuple[str, Standing]:
        """The plan that counts, and the state."""
        rule = self.grants.get(status or "active", {"grants": "plan"})
        if rule["grants"] == "read_only":
            return tier, Standing.READ_ONLY
        if rule["grants"] == "free":
            return "free", Standing.ACTIVE
        if "grace_days" not in rule:
            return tier, Standing.ACTIVE
        is_in_grace = grace_until is not None and now < grace_until
        return tier, Standing.GRACE if is_in_grace else Standing(rule["then"])


def price_list_from(document: Mapping[str, Any]) -> PriceList:
    """Return the price list that a document holds.

    Raises:
        BrokenError: it is not one.
    """
    try:
        names = tuple(document["plans"])
        plans = {name: _plan(document, name) for name in names}
        denied = {
            Standing(state): frozenset(Action(action) for action in rule["deny"])
            for state, rule in document["states"].items()
        }
        return PriceList(
            currency=document["currency"],
            plans=plans,
            grants=document["status_map"],
            denied=denied,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise BrokenError(f"the price list is malformed: {error!r}") from error


def _plan(document: Mapping[str, Any], name: str) -> Plan:
    """One plan out of columns."""
    terms = document["plans"][name]
    return Plan(
        name=name,
        price_cents=terms["price_month"],
        trial_days=terms["trial_days"],
        features={key: row[name] for key, row in document["features"].items()},
        limits={key: row[name] for key, row in document["limits"].items()},
    )
