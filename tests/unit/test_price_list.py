"""The price list: what a state takes away from what a plan grants."""

from datetime import UTC, datetime, timedelta

import pytest

from models.domain.entitlements import Feature, includes
from models.domain.errors import BrokenError, MissingError
from models.domain.price_list import Action, Standing, price_list_from
from models.entitlements import price_list

NOW = datetime(2026, 11, 25, tzinfo=UTC)
SOON, EARLIER = NOW + timedelta(days=1), NOW - timedelta(days=1)


@pytest.mark.parametrize(
    ("status", "grace_until", "plan", "standing", "is_fuzzy"),
    [
        (None, None, "pro", Standing.ACTIVE, True),
        ("trialing", None, "pro", Standing.ACTIVE, True),
        ("past_due", SOON, "pro", Standing.GRACE, True),
        ("past_due", EARLIER, "pro", Standing.READ_ONLY, False),
        ("past_due", None, "pro", Standing.READ_ONLY, False),
        ("unpaid", None, "pro", Standing.READ_ONLY, False),
        ("paused", None, "free", Standing.ACTIVE, False),
        ("canceled", None, "free", Standing.ACTIVE, False),
    ],
)
def test_a_subscription_grants_what_its_status_says(status, grace_until, plan, standing, is_fuzzy):
    found = price_list().entitlement("pro", now=NOW, status=status, grace_until=grace_until)
    assert (found.plan, found.standing) == (plan, standing)
    assert includes(found.snapshot(), Feature.FUZZY_DUPLICATES) is is_fuzzy


def test_over_quota_denies_what_needs_room_and_read_only_denies_more():
    over = price_list().entitlement("pro", now=NOW, is_over_quota=True)
    assert over.denied == {Action.UPLOAD, Action.ORGANIZE_COPY}
    unpaid = price_list().entitlement("pro", now=NOW, status="unpaid", is_over_quota=True)
    assert unpaid.standing is Standing.READ_ONLY
    assert Action.ORGANIZE in unpaid.denied


def test_what_is_no_price_list_or_no_plan_is_refused():
    with pytest.raises(BrokenError):
        price_list_from({"plans": {"free": {}}})
    with pytest.raises(MissingError):
        price_list().plan("gold")
