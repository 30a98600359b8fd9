"""Exact search, stars, and thresholds that follow the collection's size."""

import itertools
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.dedupe.near.hamming import band_radii, distinct, matches_within, pairs_within
from tasks.dedupe.near.stars import Proof, find_stars
from tasks.dedupe.near.thresholds import (
    LARGEST_RADIUS,
    PICTURE_FLOOR,
    chance_of_radius,
    picture_radius,
    picture_threshold,
)


def clustered(seed: int, count: int, words: int) -> np.ndarray:
    """Return hashes of which many are close to one another."""
    rng = np.random.default_rng(seed)
    base = rng.integers(0, 1 << 64, (max(1, count // 8), words), dtype=np.uint64)
    table = base[rng.integers(0, len(base), count)]
    for _ in range(12):
        flip = np.uint64(1) << rng.integers(0, 64, count).astype(np.uint64)
        word = rng.integers(0, words, count)
        rows = np.flatnonzero(rng.random(count) < 0.5)
        table[rows, word[rows]] ^= flip[rows]
    return table


def brute_pairs(hashes: np.ndarray, radius: int) -> set[tuple[int, int, int]]:
    distances = np.bitwise_count(hashes[:, None] ^ hashes[None]).sum(axis=2)
    return {
        (i, j, int(distances[i, j]))
        for i, j in itertools.combinations(range(len(hashes)), 2)
        if distances[i, j] <= radius
    }


def found_pairs(matches) -> list[tuple[int, int, int]]:
    return [
        row
        for match in matches
        for row in zip(
            match.left.tolist(), match.right.tolist(), match.distances.tolist(), strict=True
        )
    ]


@pytest.mark.parametrize(("words", "radius"), [(1, 0), (1, 3), (1, 7), (1, 10), (4, 31), (4, 50)])
@pytest.mark.parametrize("worth", [0, 1])
def test_every_pair_is_found_once(words, radius, worth, monkeypatch):
    monkeypatch.setattr("tasks.dedupe.near.hamming.BUCKETS_WORTH", worth)
    for seed in range(3):
        hashes = clustered(seed, 400, words)
        found = found_pairs(pairs_within(hashes, radius))
        assert len(found) == len(set(found))
        assert set(found) == brute_pairs(hashes, radius)


@pytest.mark.parametrize("worth", [0, 1])
def test_matches_between_two_sets_are_exact(worth, monkeypatch):
    monkeypatch.setattr("tasks.dedupe.near.hamming.BUCKETS_WORTH", worth)
    left, right = clustered(1, 300, 1), clustered(1, 500, 1)
    distances = np.bitwise_count(left[:, None] ^ right[None]).sum(axis=2)
    found = found_pairs(matches_within(left, right, 6))
    assert {pair[:2] for pair in found} == set(zip(*np.nonzero(distances <= 6), strict=True))
    assert len(found) == int((distances <= 6).sum())


def test_a_hot_bucket_overflows_no_buffer_and_loses_nothing(monkeypatch):
    monkeypatch.setattr("tasks.dedupe.near.hamming.FIRST_ROOM", 16)
    monkeypatch.setattr("tasks.dedupe.near.hamming.BUCKETS_WORTH", 0)
    hashes = np.arange(300, dtype=np.uint64)[:, None]
    found = found_pairs(pairs_within(hashes, 2))
    assert set(found) == brute_pairs(hashes, 2)


def test_the_order_does_not_depend_on_the_number_of_workers(monkeypatch):
    monkeypatch.setattr("tasks.dedupe.near.hamming.BUCKETS_WORTH", 0)
    hashes = clustered(5, 1000, 1)
    assert found_pairs(pairs_within(hashes, 7)) == found_pairs(pairs_within(hashes, 7, workers=3))


def test_planted_neighbors_among_many_are_all_found():
    rng = np.random.default_rng(3)
    base = rng.integers(0, 1 << 64, 20_000, dtype=np.uint64)
    near = base.copy()
    for _ in range(7):
        near ^= np.uint64(1) << rng.integers(0, 64, len(base)).astype(np.uint64)
    found = found_pairs(pairs_within(np.concatenate([base, near])[:, None], 7))
    assert sum(right - left == len(base) for left, right, _ in found) == len(base)


@given(st.integers(0, 64), st.sampled_from([4, 16]))
def test_pigeonhole_covers_the_radius(radius, bands):
    radii = band_radii(bands, radius)
    # the largest distance that no band finds is one below what all bands together exceed
    assert int((radii + 1).sum()) == radius + 1


def test_nothing_in_nothing_out():
    empty = np.empty((0, 1), np.uint64)
    assert found_pairs(pairs_within(empty, 7)) == []
    assert found_pairs(matches_within(empty, empty, 7)) == []
    assert distinct(empty)[0].shape == (0, 1)


class Known:
    """A search over known pairs."""

    def __init__(self, pairs):
        self.pairs = {frozenset(pair) for pair in pairs}
        self.asked = []

    def matches(self, content, is_open):
        self.asked.append(content)
        for pair in sorted(self.pairs, key=sorted):
            if content in pair:
                (other,) = pair - {content}
                if is_open[other]:
                    yield Proof(other, 0.9, 3, "known")


def as_sets(stars):
    return {star.keeper: {proof.other for proof in star.members} for star in stars}


@pytest.mark.scenario(32)
def test_a_member_matches_its_keeper_itself_never_by_way_of_another():
    assert as_sets(find_stars([0, 1, 2], Known([(0, 1), (1, 2)]))) == {0: {1}}
    assert as_sets(find_stars([1, 0, 2], Known([(0, 1), (1, 2)]))) == {1: {0, 2}}


def test_contents_that_belong_apart_are_never_grouped():
    search = Known([(0, 1), (0, 2)])
    stars = find_stars([0, 1, 2], search, is_apart=lambda one, two: {one, two} == {0, 1})
    assert as_sets(stars) == {0: {2}}


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_stars_are_disjoint_direct_and_free_of_the_order_of_pairs(data):
    count = data.draw(st.integers(1, 12))
    every = list(itertools.combinations(range(count), 2))
    pairs = data.draw(st.lists(st.sampled_from(every), unique=True)) if every else []
    order = data.draw(st.permutations(range(count)))
    stars = as_sets(find_stars(order, Known(pairs)))
    shuffled = list(pairs)
    random.Random(1).shuffle(shuffled)
    assert as_sets(find_stars(order, Known(shuffled))) == stars
    known = {frozenset(pair) for pair in pairs}
    members = [member for star in stars.values() for member in star]
    assert all(frozenset((keeper, m)) in known for keeper, star in stars.items() for m in star)
    assert len(members) == len(set(members))
    assert not set(members) & set(stars)
    place = {content: n for n, content in enumerate(order)}
    assert all(place[keeper] < place[m] for keeper, star in stars.items() for m in star)
    # nothing that could be grouped is left alone beside another that is left alone
    alone = set(range(count)) - set(members) - set(stars)
    assert not any(pair <= alone for pair in known)


def test_radius_and_threshold_follow_the_size_of_the_collection():
    rng = np.random.default_rng(0)
    hashes = np.sort(rng.integers(0, 1 << 64, 200_000, dtype=np.uint64))
    small, large = picture_radius(hashes[:1000], 30), picture_radius(hashes, 30_000)
    assert small == LARGEST_RADIUS
    assert large < small
    thresholds = [picture_threshold(count) for count in (0, 10, 10**4, 10**6, 10**8)]
    assert thresholds[:3] == [PICTURE_FLOOR] * 3
    assert PICTURE_FLOOR < thresholds[3] < thresholds[4] < 1


def test_the_modeled_chance_is_that_of_random_hashes():
    rng = np.random.default_rng(0)
    hashes = np.sort(rng.integers(0, 1 << 64, 3000, dtype=np.uint64))
    distances = np.bitwise_count(hashes[:, None] ^ hashes[None])[np.triu_indices(3000, 1)]
    for radius in (20, 22, 24):
        assert chance_of_radius(hashes, radius) == pytest.approx(
            float((distances <= radius).mean()), rel=0.25
        )
