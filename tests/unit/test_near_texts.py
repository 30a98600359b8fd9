"""Texts: normalization, MinHash, search; and reading documents of many formats."""

import csv
import re
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.domain.near import TextPrint
from tasks.dedupe.near.stars import find_stars
from tasks.dedupe.near.texts import TextSearch, jaccard, minhash_of, rows_of_band
from tasks.fingerprint.perceptual.documents import decoded, document_text
from tasks.fingerprint.perceptual.words import shingles_of, text_print, word_hashes
from warehouse.schemas.arrow import to_table

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the sample collection is not there")


def story(seed: int, words: int = 300) -> list[str]:
    rng = np.random.default_rng(seed)
    return [f"w{number}" for number in rng.integers(0, 5000, words)]


def groups_of(texts: dict[str, str], threshold: float | None = None) -> list[set[str]]:
    prints = [text_print(text, name.rjust(64, "0")) for name, text in texts.items()]
    table = to_table([made for made in prints if made is not None], TextPrint)
    with tempfile.TemporaryDirectory() as scratch:
        search = TextSearch(table.to_batches(max_chunksize=7), Path(scratch), threshold=threshold)
        names = [sha256.lstrip("0") for sha256 in search.contents]
        stars = find_stars(range(len(names)), search)
    return [{names[star.keeper], *(names[p.other] for p in star.members)} for star in stars]


def same_words(one: str, two: str) -> bool:
    return word_hashes(one).tolist() == word_hashes(two).tolist()


def test_layout_case_and_compatibility_forms_do_not_count():
    text = "The  \ufb01rst\nLINE, \u2014 of [a link](http://x.org/y) ![z](a.png)"
    assert same_words(text, "the first line of a link z")
    assert same_words("co\u00adoperate \ufeffnow", "cooperate now")
    assert not same_words("the first line", "the first lines")


def test_letters_of_scripts_without_spaces_are_words_and_marks_belong_to_words():
    assert len(word_hashes("\u6771\u4eac\u90fd, ok")) == 4
    assert len(word_hashes("\u0928\u092e\u0938\u094d\u0924\u0947 \u0926\u0941")) == 2
    assert same_words("\u6771 \u4eac", "\u6771\u4eac")


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from("abcXYZ019_ \n.,-!\u00e9\u00df\u4e2d\u200b"), max_size=60))
def test_words_are_those_of_a_regular_expression(text):
    spaced = re.sub("(\u4e2d)", r" \1 ", text.replace("\u200b", ""))
    words = re.findall(r"\w+", spaced.casefold())
    hashes = word_hashes(text).tolist()
    assert len(hashes) == len(words)
    known = dict(zip(words, hashes, strict=True))
    assert [known[word] for word in words] == hashes
    assert len(set(hashes)) == len(set(words))


def test_words_are_the_same_wherever_a_long_text_is_cut():
    words = [f"w{number}" for number in range(40_000)]
    hashes = word_hashes(" ".join(words))
    assert len(hashes) == len(words)
    assert hashes[30_000] == word_hashes("w30000")[0]
    assert len(word_hashes("a" * 200_000)) == 4  # no word of a language is so long


def test_a_megabyte_of_brackets_is_read_in_linear_time():
    assert len(word_hashes("[" * 100_000 + " end")) == 1


def test_shingles_are_runs_of_three_words_and_order_counts():
    def runs(text: str):
        return shingles_of(word_hashes(text))

    assert len(runs("a b")) == 0
    assert len(runs("a b c")) == 1
    assert runs("a b c").tolist() != runs("c b a").tolist()
    assert runs("a b c a b c").tolist() == sorted(runs("a b c a b c").tolist())
    assert len(runs("a b c a b c")) == 3
    assert jaccard(runs("a b c d e"), runs("a b c d x")) == 2 / 4


@settings(max_examples=100, deadline=None)
@given(st.sets(st.integers(0, 500), max_size=60), st.sets(st.integers(0, 500), max_size=60))
def test_jaccard_is_that_of_the_sets(one, two):
    arrays = [np.array(sorted(some), np.uint32) for some in (one, two)]
    expected = len(one & two) / len(one | two) if one | two else 0.0
    assert jaccard(arrays[0], arrays[1]) == pytest.approx(expected)


@pytest.mark.parametrize("size", [20, 300, 5000])
def test_minhash_estimates_the_jaccard_index(size):
    rng = np.random.default_rng(size)
    errors = []
    for share in np.linspace(0.1, 0.95, 60):
        base = rng.integers(0, 1 << 32, size, dtype=np.uint32)
        other = base.copy()
        other[int(size * share) :] = rng.integers(0, 1 << 32, size - int(size * share))
        one, two = np.unique(base), np.unique(other)
        errors.append((minhash_of(one) == minhash_of(two)).mean() - jaccard(one, two))
    assert abs(np.mean(errors)) < 0.03
    assert np.std(errors) < (0.12 if size < 100 else 0.06)


def test_edited_texts_are_found_and_unrelated_ones_are_not():
    original = story(1)
    edited = list(original)
    edited[40], edited[200] = "changed", "too"
    groups = groups_of(
        {
            "1": " ".join(original),
            "2": "\n".join(edited).upper(),
            "3": " ".join(story(2)),
            "4": " ".join(story(3)),
        }
    )
    assert groups == [{"1", "2"}]


def test_recall_at_the_threshold_is_complete():
    texts = {}
    for seed in range(60):
        original = story(seed, 400)
        edited = list(original)
        for place in range(10, 400, 36):
            edited[place] = "other"
        texts[f"a{seed}"], texts[f"b{seed}"] = " ".join(original), " ".join(edited)
    groups = groups_of(texts, threshold=0.7)
    assert sorted(map(sorted, groups)) == sorted([f"a{n}", f"b{n}"] for n in range(60))


def test_the_order_of_rows_does_not_matter():
    texts = {str(n + 1): " ".join([*story(n % 3), f"end{n}"]) for n in range(9)}
    backwards = dict(reversed(texts.items()))
    assert groups_of(texts) == groups_of(backwards)


def test_bands_are_as_long_as_recall_allows():
    assert [rows_of_band(threshold) for threshold in (0.9, 0.7, 0.5, 0.3, 0.05)] == [8, 4, 2, 2, 1]


def test_no_texts_have_no_groups():
    assert groups_of({}) == []


def test_short_texts_are_copies_only_when_all_their_words_are_the_same():
    assert text_print("same few words here", "0" * 64) is None
    assert groups_of({"1": "hello", "2": "hello"}) == []
    note = "please call back about the boiler before noon on friday"
    shouted = note.upper().replace(" ", "\r\n") + "!"
    other = note.replace("friday", "monday")
    assert groups_of({"1": note, "2": shouted, "3": other}) == [{"1", "2"}]


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"]
)
def test_text_is_decoded_from_any_usual_encoding(encoding):
    text = "Grüße aus Köln, a line of plain words that goes on for a while. " * 3
    assert decoded(text.encode(encoding)) == text


@needs_data
def test_one_text_in_many_formats_has_one_set_of_words():
    pytest.importorskip("kreuzberg", reason="documents are read with the `near` extra")
    folder = DATA / "documents"
    formats = {"md": "markdown", "odt": "odt", "org": "org", "rst": "rst", "rtf": "rtf"}
    formats |= {"epub": "epub"}
    found = {}
    for extension, label in formats.items():
        path = next(folder.rglob(f"eng_spa_mult.{extension}"))
        found[label] = shingles_of(word_hashes(document_text(path.read_bytes(), label)))
    for label, shingles in found.items():
        assert jaccard(found["markdown"], shingles) > 0.9, label


@needs_data
def test_planted_pairs_of_the_truth_set_are_found_and_no_others():
    with (DATA / "truth_textpairs.csv").open(newline="") as file:
        truth = {
            frozenset((row["a"], row["b"])): float(row["jaccard"]) for row in csv.DictReader(file)
        }
    paths = sorted((DATA / "articles").rglob("*.txt"))
    texts = {str(path.relative_to(DATA)): path.read_text(errors="replace") for path in paths}
    assert {frozenset(group) for group in groups_of(texts, 0.5)} == set(truth)
