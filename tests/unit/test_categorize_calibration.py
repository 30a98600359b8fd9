"""Confidence set right by held-out corrections: rising, never sure, and truer than before."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.domain.taxonomy import Correction
from tasks.categorize.calibration import LABELS_FOR_STEPS, SMALLEST_STEP, calibrated, steps
from tasks.categorize.head import Examples, Head, Label, fitted_head, prior_head

SHARES = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=300)


@given(SHARES, st.lists(st.floats(0, 1), min_size=2, max_size=20))
def test_more_share_is_never_less_confidence_and_nothing_is_sure(pairs, asked):
    points = steps([share for share, _ in pairs], np.array([right for _, right in pairs]))
    assert all(0 < value < 1 for _, value in points)
    assert list(points) == sorted(points)
    found = [calibrated(points, share) for share in sorted(asked)]
    assert found == sorted(found)
    assert all(0 <= each <= 1 for each in found)


@given(SHARES, st.randoms())
def test_the_order_of_corrections_does_not_matter(pairs, shuffled):
    # Of equal shares the order counts where one is right and the other is not.
    pairs = list(dict(pairs).items())
    mixed = list(pairs)
    shuffled.shuffle(mixed)
    one, other = (
        steps([share for share, _ in each], np.array([right for _, right in each]))
        for each in (pairs, mixed)
    )
    assert one == other


def test_without_points_a_share_is_the_confidence_itself():
    assert calibrated((), 0.37) == 0.37


def test_overconfident_shares_are_told_as_often_as_they_are_right():
    rng = np.random.default_rng(0)
    truth = rng.uniform(0.2, 0.9, 4000)
    shares, right = np.sqrt(truth), rng.uniform(size=4000) < truth
    points = steps(shares[:2000], right[:2000])
    found = np.array([calibrated(points, share) for share in shares[2000:]])
    assert abs(found.mean() - right[2000:].mean()) < 0.03
    assert np.abs(found - truth[2000:]).mean() < np.abs(shares[2000:] - truth[2000:]).mean() / 2


def learned(count: int) -> Head:
    rng = np.random.default_rng(1)
    prompts = np.eye(4, 12, dtype=np.float32)
    at = rng.integers(0, 4, count)
    vectors = prompts[at] + rng.normal(0, 0.5, (count, 12)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    said = [Correction(sha256=f"{n:064x}", category=f"c{k}") for n, k in enumerate(at)]
    labels = [Label(category=f"c{n}") for n in range(4)]
    return fitted_head(
        prior_head(labels, prompts), Examples(corrections=said, vectors=vectors.astype(np.float32))
    )


def test_steps_are_learned_once_there_are_enough_corrections():
    assert learned(LABELS_FOR_STEPS - 1).calibration == ()
    head = learned(LABELS_FOR_STEPS)
    assert 1 <= len(head.calibration) <= LABELS_FOR_STEPS // SMALLEST_STEP
    assert 0 < head.confidence(0.9) < 1
    assert head.confidence(0.4) <= head.confidence(0.9)
