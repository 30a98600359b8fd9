"""Times of answers counted by bounds: they add up, and a percentile is never too low."""

import math

from hypothesis import given
from hypothesis import strategies as st

from models.domain.latencies import LARGEST, Latencies, bound_ms, bucket_of, percentile_ms

TIMES = st.floats(0, bound_ms(LARGEST), allow_nan=False)


@given(TIMES)
def test_a_time_is_within_a_fifth_below_its_bound(duration_ms):
    bucket = bucket_of(duration_ms)
    assert duration_ms <= bound_ms(bucket) * (1 + 1e-6)
    assert bucket == 0 or duration_ms > bound_ms(bucket - 1) * (1 - 1e-6)


@given(st.lists(TIMES, min_size=1, max_size=50), st.sampled_from([0.5, 0.95, 0.99]))
def test_a_percentile_is_the_bound_of_the_time_at_that_place(times, share):
    counted = Latencies()
    for each in times:
        counted.add(each, is_error=each > 100)
    data = counted.take()
    assert data is not None
    assert (data["requests"], data["errors"]) == (len(times), sum(each > 100 for each in times))
    exact = sorted(times)[math.ceil(share * len(times)) - 1]
    found = percentile_ms({int(key): n for key, n in data["buckets"].items()}, share)
    assert found == bound_ms(bucket_of(exact))
    assert counted.take() is None


def test_none_of_nothing():
    assert percentile_ms({}, 0.5) is None
