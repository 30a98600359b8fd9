"""Accounts take turns, whatever each of them waits with."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from models.domain.sweeps import BUNDLE_ROOTS, KnownRoot, bundled, shard_ranges
from tasks.lifecycle.fairness import Turns

WAITING = st.dictionaries(
    st.sampled_from("abcdefgh"), st.integers(min_value=1, max_value=30), min_size=1
)


def turns_of(waiting: dict[str, int], each: int) -> Turns[int]:
    turns: Turns[int] = Turns(each=each)
    for tenant, units in waiting.items():
        for unit in range(units):
            turns.add(tenant, unit)
    return turns


def served(waiting: dict[str, int], *, at_once: int, each: int) -> list[str]:
    """Return whose units were started, in order, the oldest ending first."""
    turns, flights, order = turns_of(waiting, each), [], []
    while len(turns) or flights:
        taken = turns.take(Counter(flights)) if len(flights) < at_once else None
        if taken is None:
            flights.pop(0)
        else:
            flights.append(taken[0])
            order.append(taken[0])
    return order


def test_one_root_does_not_wait_for_a_thousand():
    order = served({"many": 1000, "one": 1}, at_once=1, each=4)
    assert "one" in order[:2]
    assert Counter(order) == {"many": 1000, "one": 1}


def test_who_comes_late_is_next():
    turns = turns_of({"many": 10}, each=9)
    under_way = Counter[str]()
    for _ in range(5):
        under_way[turns.take(under_way)[0]] += 1  # pyright: ignore[reportOptionalSubscript]
    turns.add("late", 0)
    assert turns.take(under_way) == ("late", 0)


@given(WAITING, st.integers(1, 6), st.integers(1, 4))
def test_everything_is_served_once_and_in_its_tenants_order(waiting, at_once, each):
    assert Counter(served(waiting, at_once=at_once, each=each)) == waiting
    turns, seen = turns_of(waiting, each), dict.fromkeys(waiting, 0)
    while taken := turns.take({}):
        tenant, unit = taken
        assert unit == seen[tenant]
        seen[tenant] += 1


@given(WAITING, st.integers(1, 6))
def test_nobody_waits_for_more_than_one_unit_of_each_other(waiting, at_once):
    order = served(waiting, at_once=at_once, each=at_once)
    for end in range(len(order)):
        counts = Counter(order[:end])
        for tenant, units in waiting.items():
            if counts[tenant] < units:  # it still waits: nobody is ahead by more than its share
                assert max(counts.values(), default=0) <= counts[tenant] + 1


@given(WAITING, st.integers(1, 8), st.integers(1, 4))
def test_no_tenant_has_more_under_way_than_allowed(waiting, at_once, each):
    turns, flights = turns_of(waiting, each), Counter[str]()
    while flights.total() < at_once and (taken := turns.take(flights)):
        flights[taken[0]] += 1
    assert max(flights.values()) <= each
    assert flights.total() == min(at_once, sum(min(each, units) for units in waiting.values()))


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.none() | st.integers(0, 200)), max_size=150),
    st.integers(1, 300),
)
def test_bundles_cover_every_root_once_and_stay_small(described, files):
    roots = [
        KnownRoot(id=str(number), account_id=account, files=known)
        for number, (account, known) in enumerate(described)
    ]
    by_id = {root.id: root for root in roots}
    bundles = bundled(roots, files=files)
    assert sorted(each for bundle in bundles for each in bundle.root_ids) == sorted(by_id)
    for bundle in bundles:
        assert {by_id[each].account_id for each in bundle.root_ids} == {bundle.account_id}
        if len(bundle.root_ids) > 1:
            assert len(bundle.root_ids) <= BUNDLE_ROOTS
            assert sum(by_id[each].files or 0 for each in bundle.root_ids) <= files
            assert None not in [by_id[each].files for each in bundle.root_ids]


@given(st.integers(0, 1000), st.integers(1, 400))
def test_shards_cover_every_batch_once_in_order_and_are_of_one_size(batches, shard_batches):
    ranges = shard_ranges(batches, shard_batches=shard_batches)
    if batches <= shard_batches:
        assert ranges == []
        return
    assert [batch for first, last in ranges for batch in range(first, last)] == [*range(batches)]
    sizes = [last - first for first, last in ranges]
    assert max(sizes) <= shard_batches
    assert max(sizes) - min(sizes) <= 1
