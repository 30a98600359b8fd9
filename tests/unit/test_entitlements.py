"""What a job's account is entitled to decides, and nobody's job may do everything."""

import pytest

from models.domain.entitlements import Feature, includes, require
from models.domain.errors import ForbiddenError

FUZZY = Feature.FUZZY_DUPLICATES


def test_a_job_without_an_account_may_do_everything():
    assert includes(None, FUZZY)
    require(None, FUZZY)


@pytest.mark.parametrize(
    "snapshot",
    [
        {},
        {"plan": "free", "features": {"fuzzy_duplicates": False}},
        {"plan": "free", "features": {}},
        {"plan": "free", "features": {"fuzzy_duplicates": "true"}},
        {"plan": "free", "features": ["fuzzy_duplicates"]},
    ],
)
def test_what_a_snapshot_does_not_grant_is_refused(snapshot):
    assert not includes(snapshot, FUZZY)
    with pytest.raises(ForbiddenError, match="fuzzy duplicates"):
        require(snapshot, FUZZY)


def test_what_it_grants_is_allowed():
    require({"plan": "pro", "features": {"fuzzy_duplicates": True}}, FUZZY)
