"""Calibration by labels: which pairs are asked, what follows, sheets, what is kept."""

import csv
import io
from pathlib import Path

import numpy as np
import pytest

from models.domain.errors import BrokenError, InvalidError
from models.domain.near import NearMedia, Signature
from models.domain.near_pairs import Calibration, Label, NearPair
from models.domain.near_payload import pack
from tasks.dedupe.calibrations import keep_calibration, read_calibration
from tasks.dedupe.near.calibration import (
    STRATA,
    LabeledPair,
    calibrate,
    calibrated,
    choose_of_all,
    choose_pairs,
    threshold_for,
)
from tasks.dedupe.near.pairs import near_pairs
from tasks.dedupe.near.sheet import COLUMNS, labels_of, sheet_of
from tasks.dedupe.near.texts import jaccard
from tasks.fingerprint.perceptual.words import shingles_of, text_print, word_hashes
from warehouse.schemas.arrow import to_rows, to_table
from warehouse.store.parts import open_lake


def collection(media: NearMedia, similarities: list[float], first: int = 0) -> list[NearPair]:
    return [
        NearPair(
            media=media,
            sha256=f"{2 * (first + n):064x}",
            other_sha256=f"{2 * (first + n) + 1:064x}",
            similarity_ratio=similarity,
            evidence="as measured",
        )
        for n, similarity in enumerate(similarities)
    ]


def told(pairs: list[NearPair], truth: dict[tuple[str, str], bool]) -> list[Label]:
    """Return what a labeler who is always right says."""
    both = [(pair.media, (pair.sha256, pair.other_sha256)) for pair in pairs]
    return [Label(media=media, pair=pair, is_duplicate=truth[pair]) for media, pair in both]


def test_labels_are_asked_in_every_stratum():
    rng = np.random.default_rng(0)
    similarities = np.concatenate([rng.uniform(0.3, 0.6, 5000), rng.uniform(0.6, 1.0, 300)])
    chosen = choose_pairs(similarities.tolist())
    assert 90 <= len(chosen) <= 100
    assert chosen == choose_pairs(similarities.tolist())
    counts = np.histogram(similarities[chosen], [*STRATA, 1.01])[0]
    assert counts.min() >= 8
    assert choose_pairs([0.1, 0.2]) == []
    assert choose_pairs([0.96]) == [0]


def test_calibration_recovers_the_true_precision():
    rng = np.random.default_rng(1)
    similarities = np.concatenate([rng.beta(8, 6, 4000), rng.beta(30, 2, 500)])
    truth = rng.random(len(similarities)) < 1 / (1 + np.exp(-40 * (similarities - 0.85)))
    rows = calibrate(
        [
            LabeledPair(similarity_ratio=float(similarities[n]), is_duplicate=bool(truth[n]))
            for n in choose_pairs(similarities.tolist(), 160)
        ],
        similarities.tolist(),
    )
    assert [row.threshold for row in rows] == list(STRATA)
    for row in rows:
        accepted = similarities >= row.threshold
        assert row.pairs == int(accepted.sum())
        assert row.low - 0.05 <= truth[accepted].mean() <= row.high + 0.05
    chosen = threshold_for(rows, 0.8)
    assert chosen is not None
    assert truth[similarities >= chosen].mean() > 0.8 - 0.05
    assert threshold_for(rows, 1.0) is None


def test_more_unrelated_pairs_lower_the_precision_of_a_low_threshold():
    labels = [LabeledPair(similarity_ratio=0.55, is_duplicate=False)] * 20
    labels += [LabeledPair(similarity_ratio=0.97, is_duplicate=True)] * 20
    small = calibrate(labels, [0.55] * 10 + [0.97] * 100)
    large = calibrate(labels, [0.55] * 10_000 + [0.97] * 100)
    assert large[0].precision < 0.1 < small[0].precision
    assert large[-1].precision == small[-1].precision == pytest.approx(0.976, abs=0.01)


def test_a_stratum_that_was_labeled_whole_leaves_nothing_to_guess():
    labels = [LabeledPair(similarity_ratio=0.97, is_duplicate=n > 0) for n in range(4)]
    (row, *_) = calibrate(labels, [0.97] * 4)
    assert (row.precision, row.low, row.high) == (0.75, 0.75, 0.75)
    rows = calibrate(labels, [0.97] * 4)
    assert threshold_for(rows, 0.75) == 0.5
    assert threshold_for(rows, 0.75, default=0.85) == 0.85, "nobody said anything of what is below"
    assert threshold_for(rows, 0.76) is None


def test_pairs_that_are_mostly_wrong_are_not_accepted_because_the_others_are_right():
    said = [(0.55, False)] * 2 + [(0.97, True)] * 100
    labels = [LabeledPair(similarity_ratio=ratio, is_duplicate=right) for ratio, right in said]
    rows = calibrate(labels, [ratio for ratio, _ in said])
    assert rows[0].precision > 0.95
    assert rows[0].own_precision == 0
    assert threshold_for(rows, 0.95) == 0.6


@pytest.mark.parametrize("seed", range(5))
def test_a_hundred_labels_of_a_simulated_labeler_find_a_threshold_as_precise_as_wanted(seed):
    rng = np.random.default_rng(seed)
    similarities = np.concatenate([rng.beta(8, 6, 6000), rng.beta(40, 2, 2500)]).tolist()
    pairs = collection(NearMedia.IMAGE, similarities)
    chance = 1 / (1 + np.exp(-50 * (np.array(similarities) - 0.82)))
    is_copy = rng.random(len(pairs)) < chance
    truth = {(p.sha256, p.other_sha256): bool(c) for p, c in zip(pairs, is_copy, strict=True)}
    asked = choose_of_all(pairs)
    assert len(asked) <= 100
    kept, rows = calibrated(told(asked, truth), pairs, 0.9)
    threshold = kept.thresholds[NearMedia.IMAGE]
    accepted = np.array(similarities) >= threshold
    assert is_copy[accepted].mean() > 0.85
    within = [
        row.low - 0.03 <= is_copy[np.array(similarities) >= row.threshold].mean() <= row.high + 0.03
        for row in rows[NearMedia.IMAGE]
    ]
    assert sum(within) >= len(within) - 1, "95 % intervals miss one in twenty"


def test_kinds_share_the_questions_and_are_judged_apart():
    pictures = collection(NearMedia.IMAGE, [0.5 + n / 1000 for n in range(500)])
    sounds = collection(NearMedia.AUDIO, [0.7, 0.97, 0.98], first=1000)
    asked = choose_of_all([*pictures, *sounds])
    assert [pair.media for pair in asked].count(NearMedia.AUDIO) == 3
    assert 90 <= len(asked) <= 100
    truth = {(p.sha256, p.other_sha256): p.similarity_ratio > 0.9 for p in [*pictures, *sounds]}
    kept, rows = calibrated(told(asked, truth), [*pictures, *sounds])
    assert kept.thresholds[NearMedia.AUDIO] == 0.75
    assert kept.thresholds[NearMedia.IMAGE] == 0.9
    assert {row.labeled for row in rows[NearMedia.AUDIO]} == {2, 3}


def test_the_last_word_counts_and_labels_of_other_contents_are_kept():
    pairs = collection(NearMedia.IMAGE, [0.97])
    both = (pairs[0].sha256, pairs[0].other_sha256)
    labels = [Label(media="image", pair=both, is_duplicate=said) for said in (False, True)]
    labels.append(Label(media="image", pair=("e" * 64, "f" * 64), is_duplicate=True))
    kept, rows = calibrated(labels, pairs)
    assert rows["image"][0].precision == 1.0
    assert [label.is_duplicate for label in kept.labels] == [True, True]


def test_a_sheet_comes_back_as_labels_and_names_are_no_formulas():
    pairs = collection(NearMedia.IMAGE, [0.6, 0.9])
    keys = {f"{n:064x}": f"{sign}file, {n}.jpg" for n, sign in enumerate("=+@x")}
    text = sheet_of(pairs, keys, {"xfile, 3.jpg": "/lake/t.webp"})
    rows = list(csv.DictReader(io.StringIO(text)))
    assert tuple(rows[0]) == COLUMNS
    assert [rows[0]["file_a"], rows[0]["file_b"]] == ["'=file, 0.jpg", "'+file, 1.jpg"]
    assert [rows[1]["thumbnail_a"], rows[1]["thumbnail_b"]] == ["", "/lake/t.webp"]
    assert labels_of(text) == []
    lines = text.splitlines()
    answered = [lines[0], lines[1].replace(",,,,", ",Yes,,,"), lines[2]]
    (label,) = labels_of("\ufeff" + "\n".join(answered))
    assert label == Label(
        media="image", pair=(pairs[0].sha256, pairs[0].other_sha256), is_duplicate=True
    )


@pytest.mark.parametrize(
    ("text", "told_of"),
    [
        ("media,file_a\n", "sha256_a"),
        ("media,is_duplicate,sha256_a,sha256_b\nimage,maybe,a,b\n", "row 2"),
        (f"media,is_duplicate,sha256_a,sha256_b\nimage,no,{64 * 'a'},b\n", "64 digits"),
    ],
)
def test_a_sheet_that_cannot_be_read_says_where(text, told_of):
    with pytest.raises(InvalidError, match=told_of):
        labels_of(text)


def test_what_was_learned_is_kept_by_root_and_damage_is_told(tmp_path: Path):
    lake = open_lake(str(tmp_path / "lake"))
    assert read_calibration(lake, "r1") == Calibration()
    label = Label(media="image", pair=("a" * 64, "b" * 64), is_duplicate=False)
    learned = Calibration(labels=(label,), thresholds={"image": 0.9})
    keep_calibration(lake, "r1", learned)
    assert read_calibration(lake, "r1") == learned
    assert read_calibration(lake, "r2") == Calibration()
    lake.write_blob("calibrations/r1.json", b'{"signature_version": -1, "thresholds": {"a": 1}}')
    with pytest.raises(BrokenError, match="damaged"):
        read_calibration(lake, "r1")
    lake.write_blob(
        "calibrations/r1.json",
        b'{"signature_version": 0, "thresholds": {"image": 1}, "labels": []}',
    )
    assert read_calibration(lake, "r1").thresholds == {}, "made with other signatures"


def test_pairs_of_a_collection_are_those_above_the_lowest_stratum(tmp_path: Path):
    rng = np.random.default_rng(3)
    base = [f"w{n}" for n in rng.integers(0, 900, 200)]
    texts = []
    for changed in (0, 2, 6, 12, 150):
        words = list(base)
        for place in rng.permutation(200)[:changed]:
            words[place] = f"new{place}"
        texts.append(" ".join(words))
    prints = [text_print(text, f"{n:064x}") for n, text in enumerate(texts)]
    signatures = to_table(
        [
            Signature(sha256=made.sha256, version=1, payload=pack([made]))
            for made in prints
            if made is not None
        ],
        Signature,
    )
    rows = to_rows(near_pairs(signatures.to_batches, scratch=tmp_path), NearPair)
    shingles = [shingles_of(word_hashes(text)) for text in texts]
    expected = {
        (f"{i:064x}", f"{j:064x}"): round(jaccard(shingles[i], shingles[j]), 4)
        for i in range(5)
        for j in range(i + 1, 5)
        if jaccard(shingles[i], shingles[j]) >= STRATA[0]
    }
    found = {(row.sha256, row.other_sha256): row.similarity_ratio for row in rows}
    assert found == expected
    assert 3 <= len(found) < 10
    few = near_pairs(signatures.to_batches, scratch=tmp_path, most=1)
    assert 1 <= few.num_rows < len(found)
