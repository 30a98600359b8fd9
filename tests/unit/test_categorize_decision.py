"""The head and the decision: prompts first, corrections bend them, and abstaining below a line."""

import random

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.domain.categories import NEEDS_REVIEW, CategoryRow
from models.domain.embeddings import ContentGuess
from models.domain.fingerprint import Fingerprint
from models.domain.sampling import BEGINNING, SAMPLE, SAMPLES, sampled
from models.domain.taxonomy import Category, Correction, Taxonomy, Topic
from tasks.categorize.core import OPEN_BELOW, settled
from tasks.categorize.decision import Evidence, Prompts, guesses, mentions, ranking
from tasks.categorize.head import (
    LABELS_TO_CALIBRATE,
    TEMPERATURE,
    Examples,
    Head,
    Label,
    fitted_head,
    prior_head,
    prompts_of,
)
from tasks.categorize.understanding import spoken_name
from tasks.categorize.vectors import evidence_text
from warehouse.schemas.arrow import to_rows, to_table

WIDTH = 24
LABELS = [
    Label(category=c, subcategory=s) for c, s in (("A", "x"), ("A", "y"), ("B", ""), ("C", ""))
]


def unit(rng: np.random.Generator, *shape: int) -> np.ndarray:
    values = rng.normal(size=(*shape, WIDTH))
    return (values / np.linalg.norm(values, axis=-1, keepdims=True)).astype(np.float32)


def world(seed: int = 0, each: int = 12) -> tuple[Head, Prompts, np.ndarray, list[Correction]]:
    """Four topics around their prompts; contents lie between their prompt and a truth beside it."""
    rng = np.random.default_rng(seed)
    prompts = unit(rng, len(LABELS))
    truth = prompts + 1.8 * unit(rng, len(LABELS))
    vectors, corrections = [], []
    for n in range(each * len(LABELS)):
        at = n % len(LABELS)
        vector = truth[at] + 3.0 * unit(rng)
        vectors.append(vector / np.linalg.norm(vector))
        label = LABELS[at]
        corrections.append(
            Correction(
                sha256=f"{n:064x}", category=label.category, subcategory=label.subcategory or None
            )
        )
    said = Prompts(labels=LABELS, sentences=[f"sentence {n}" for n in range(4)], vectors=prompts)
    return prior_head(LABELS, prompts), said, np.array(vectors, np.float32), corrections


def right(head: Head, vectors: np.ndarray, corrections: list[Correction]) -> float:
    found = head.probabilities(vectors).argmax(axis=1)
    named = [(head.labels[at].category, head.labels[at].subcategory or None) for at in found]
    return np.mean(
        [p == (c.category, c.subcategory) for p, c in zip(named, corrections, strict=True)]
    )


def test_corrections_help_and_their_order_does_not_matter():
    head, _, vectors, corrections = world(each=60)
    taught = slice(0, 80)
    later = fitted_head(head, Examples(corrections=corrections[taught], vectors=vectors[taught]))
    held = slice(80, None)
    before = right(head, vectors[held], corrections[held])
    assert right(later, vectors[held], corrections[held]) > before + 0.05
    assert later.corrections == 80
    again = fitted_head(head, Examples(corrections=corrections[taught], vectors=vectors[taught]))
    assert np.array_equal(again.weights, later.weights)
    assert again.temperature == later.temperature


def test_few_corrections_leave_confidence_as_it_was():
    head, _, vectors, corrections = world()
    few = slice(0, LABELS_TO_CALIBRATE - 1)
    taught = fitted_head(head, Examples(corrections=corrections[few], vectors=vectors[few]))
    assert taught.temperature == TEMPERATURE
    assert fitted_head(head, Examples(corrections=[], vectors=vectors[:0])) is head


def test_a_category_without_prompts_is_learned_from_corrections_alone():
    head, _, vectors, _ = world()
    new = [Correction(sha256="1" * 64, category="New"), Correction(sha256="2" * 64, category="New")]
    taught = fitted_head(head, Examples(corrections=new, vectors=vectors[[0, 4]]))
    assert taught.labels[-1] == Label(category="New")
    assert taught.labels[taught.probabilities(vectors[:1]).argmax()] == Label(category="New")


def test_a_correction_of_the_category_alone_allows_all_its_topics():
    head, _, vectors, _ = world()
    said = [Correction(sha256=f"{n:064x}", category="A") for n in range(6)]
    taught = fitted_head(head, Examples(corrections=said, vectors=vectors[2:26:4]))
    before = head.probabilities(vectors[2:3])[0]
    after = taught.probabilities(vectors[2:3])[0]
    assert after[:2].sum() > before[:2].sum()
    assert taught.labels == head.labels


def evidence_of(vectors: np.ndarray, names: np.ndarray | None = None) -> Evidence:
    return Evidence(
        texts=["some text about a sentence"] * len(vectors),
        vectors=vectors,
        names=np.zeros_like(vectors) if names is None else names,
        facts=["a document (txt)"] * len(vectors),
    )


@settings(deadline=None, max_examples=30)  # the machine is shared
@given(st.integers(0, 1000), st.floats(0, 1))
def test_every_guess_is_of_the_list_or_abstains_and_batches_do_not_matter(seed: int, below: float):
    head, prompts, vectors, _ = world(seed % 7)
    found = guesses(evidence_of(vectors), head, prompts, review_below=below)
    for guess in found:
        assert guess.category in {"A", "B", "C", NEEDS_REVIEW}
        assert 0 <= guess.confidence <= 1
        assert guess.reason
        assert guess.alternatives.count(";") == 2
        assert (guess.category == NEEDS_REVIEW) or guess.confidence >= below
    order = list(range(len(vectors)))
    random.Random(seed).shuffle(order)
    shuffled = guesses(evidence_of(vectors[order]), head, prompts, review_below=below)
    assert shuffled == [found[at] for at in order]


def test_a_file_without_text_goes_by_its_name_and_one_without_either_is_for_review():
    head, prompts, vectors, _ = world()
    nothing = np.zeros_like(vectors[:2])
    names = nothing.copy()
    names[0] = prompts.vectors[2]
    by_name, neither = guesses(evidence_of(nothing, names), head, prompts, review_below=0.3)
    assert by_name.category == "B"
    assert "its name is like" in by_name.reason
    assert (neither.category, neither.confidence) == (NEEDS_REVIEW, 0.0)


def test_what_is_like_no_prompt_is_for_review_however_sure():
    head, prompts, _, _ = world()
    away = -prompts.vectors.sum(axis=0, keepdims=True)
    away /= np.linalg.norm(away)
    (guess,) = guesses(evidence_of(away), head, prompts, review_below=0.0)
    assert guess.category == NEEDS_REVIEW
    assert "like nothing" in guess.reason


def test_a_category_has_its_topics_together_and_names_the_one_that_has_half_of_it():
    ranked = ranking(np.array([0.3, 0.25, 0.35, 0.1]), LABELS)
    assert ranked == [
        (("A", "x"), pytest.approx(0.55)),
        (("B", ""), 0.35),
        (("C", ""), 0.1),
    ]
    assert ranking(np.array([0.2, 0.2, 0.6, 0.0]), LABELS)[1][0] == ("A", "x")


def test_reasons_tell_words_that_stand_in_the_text():
    said = ["Invoice number and amount due within thirty days", "A bill from a supplier"]
    assert mentions("The AMOUNT due: see invoice of this supplier", said) == [
        "invoice",
        "amount",
        "supplier",
    ]
    assert mentions("nothing of the kind", said) == []


def test_prompts_follow_the_taxonomy():
    taxonomy = Taxonomy(
        categories=(
            Category(
                topic=Topic(name="A", prompts=("a",)),
                subcategories=(Topic(name="x", prompts=("x1", "x2"), image_prompts=("i",)),),
            ),
        )
    )
    labels = [label for label, _ in prompts_of(taxonomy)]
    assert [(label.category, label.subcategory) for label in labels] == [
        ("A", ""),
        ("A", "x"),
        ("A", "x"),
    ]
    assert [sentence for _, sentence in prompts_of(taxonomy, pictures=True)] == ["i"]


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("Rechnungen/2023/IMG_2031.pdf", ""),
        ("in/scan0001.pdf", "in scan0001"),
        ("a/TaxReturn 2023.pdf", "a tax return"),
        ("x.pdf", ""),
    ],
)
def test_names_speak_where_they_say_something(key: str, words: str):
    assert spoken_name(key) == words


@given(st.text(max_size=9000))
def test_samples_are_short_printable_and_begin_with_the_beginning(text: str):
    found = sampled(text)
    assert len(found) <= BEGINNING + SAMPLES * (SAMPLE + 1)
    assert found.isprintable()
    assert found == sampled(f"  {text}\n\n")


def test_long_texts_are_sampled_to_their_end():
    text = " ".join(f"word{n}" for n in range(3000))
    found = sampled(text)
    assert found.startswith("word0 word1 ")
    assert "word2" in found[BEGINNING:]


def test_titles_are_said_once():
    from models.domain.embeddings import TextEvidence

    row = TextEvidence(sha256="0", version=1, title="On Bees", text="Bees fly.", source="text")
    assert evidence_text(row) == "On Bees. Bees fly."
    row = TextEvidence(sha256="0", version=1, title="Bees", text="bees fly.", source="text")
    assert evidence_text(row) == "bees fly."


def test_models_decide_what_rules_left_open_and_nothing_else():
    taxonomy = Taxonomy(
        categories=(
            Category(
                topic=Topic(name="Money", id="Finance"),
                coarse="Documents",
                subcategories=(Topic(name="Bills", id="Invoices"),),
            ),
        )
    )
    rows = [("a", 0.0, "1"), ("b", OPEN_BELOW, "1"), ("c", 0.0, None), ("d", 0.0, "2")]
    categories = [
        CategoryRow(
            key=key,
            category="Needs review",
            subcategory="Low confidence",
            coarse_category="Others",
            confidence_ratio=confidence,
            reason="rule",
            decided_by="rules",
        )
        for key, confidence, _ in rows
    ]
    fingerprints = [
        Fingerprint(key=key, size_bytes=1, modified_ns=0, version="v", sha256=digest)
        for key, _, digest in reversed(rows)
    ]
    guess = ContentGuess(
        sha256="1",
        category="Finance",
        subcategory="Invoices",
        confidence_ratio=0.8,
        reason="said",
        alternatives="Finance/Invoices 0.80",
        decided_by="model",
    )
    table: pa.Table = settled(
        to_table(categories, CategoryRow),
        to_table(fingerprints, Fingerprint),
        to_table([guess], ContentGuess),
        taxonomy,
    )
    found = to_rows(table, CategoryRow)
    assert [(row.key, row.category, row.decided_by) for row in found] == [
        ("a", "Money", "model"),
        ("b", "Needs review", "rules"),
        ("c", "Needs review", "rules"),
        ("d", "Needs review", "rules"),
    ]
    assert (found[0].subcategory, found[0].coarse_category) == ("Bills", "Documents")
    assert (found[0].alternatives, found[1].alternatives) == ("Finance/Invoices 0.80", None)
