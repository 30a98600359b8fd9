"""One content's category out of its evidence, with the runners-up and the reason in words. Pure."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.domain.categories import NEEDS_REVIEW
from tasks.categorize.head import Head, Label

NAME_WEIGHT = 0.25
"""Weight of what a file's name is like beside what its text is like: names are short, and lie."""
FACTS_WEIGHT = 0.25
"""Weight of what a content's metadata say beside its text; alone where it has none."""
LEAST_LIKENESS = 0.2
"""Cosine to the likest prompt below which a text is like none of them. Of 1,000 news articles, for
which the categories that come along have no place, 7 in 100 are decided with it and 17 with 0.1; of
texts whose categories there are, 85 of 100 decisions remain (measured on eight categories)."""
TOP = 3
"""Runners-up that are told, the first included."""
SURE_SUBCATEGORY = 0.5
"""Share of its category's probability that a sub-category needs to be named."""
MENTIONS = 4
"""Words that are told."""

_WORD = re.compile(r"[^\W\d_]{4,}")
_COMMON = frozenset(
    """
    about after also been before between both by does each every from have into more most much
    only other over please said same some such than that their them then there these they this
    those under very want well were what when where which while will with within would your
    year used using user make made note date number text page list name description paper
    study thank form sent following agree book story general
    """.split()  # noqa: SIM905 - a list of words is read as words
)
"""Words of prompts that stand in any text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What is known of some contents, in their order.

    Attributes:
        texts: (n,) what they say; "" where nothing is known.
        vectors: (n, d) of the texts; rows of zeros where there is none.
        names: (n, d) of their files' names; rows of zeros where a name says nothing.
        facts: (n,) what their type is, in words for the reason.
        metadata: (n, d) of what their metadata say; rows of zeros where that is nothing.
    """

    texts: Sequence[str]
    vectors: NDArray[np.float32]
    names: NDArray[np.float32]
    facts: Sequence[str]
    metadata: NDArray[np.float32] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """How reasons speak of one kind of evidence.

    Attributes:
        likeness: before the quoted prompt.
        nothing: where there is nothing to go by.
    """

    likeness: str
    nothing: str


def mixed(
    vectors: NDArray[np.float32], *others: tuple[float, NDArray[np.float32]]
) -> NDArray[np.float32]:
    """Return (n, d) unit vectors: the main evidence and, each with its weight, the others.

    Where the main evidence is missing, a row of zeros, the others stand for it.
    """
    summed: NDArray[Any] = vectors.astype(np.float32)
    for weight, other in others:
        summed = summed + weight * other
    length = np.linalg.norm(summed, axis=1, keepdims=True)
    return (summed / np.maximum(length, 1e-12)).astype(np.float32)


TEXT_WORDS = Words(likeness="it reads like", nothing="it has no text to go by")
TAG_WORDS = Words(likeness="its tags read like", nothing="it has no tags to go by")
PICTURE_WORDS = Words(likeness="it looks like", nothing="there is no picture of it to go by")


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """What a model makes of one content, by ids.

    Attributes:
        confidence: probability of the category; of the likeliest where it abstains.
        alternatives: the likeliest categories, `Category/Sub-category 0.62`, joined by `; `.
    """

    category: str
    subcategory: str | None
    confidence: float
    reason: str
    alternatives: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompts:
    """The sentences a head grew from: what reasons quote.

    Attributes:
        labels: (p,) topic of each.
        sentences: (p,).
        vectors: (p, d).
    """

    labels: Sequence[Label]
    sentences: Sequence[str]
    vectors: NDArray[np.float32]


def guesses(
    evidence: Evidence,
    head: Head,
    prompts: Prompts,
    *,
    review_below: float,
    words: Words = TEXT_WORDS,
) -> list[Guess]:
    """Return what a model makes of each content; below the threshold it abstains and says so.

    Args:
        evidence: of (n,) contents.
        head: the account's classifier.
        prompts: what it grew from.
        review_below: least confidence of a decision.
        words: how reasons speak.
    """
    if not len(evidence.texts):
        return []
    others = [(NAME_WEIGHT, evidence.names)]
    if evidence.metadata is not None:
        others.append((FACTS_WEIGHT, evidence.metadata))
    seen = mixed(evidence.vectors, *others)
    probabilities = head.probabilities(seen)
    is_known: list[bool] = np.any(seen, axis=1).tolist()
    return [
        _guess(
            evidence.facts[n],
            ranking(probabilities[n], head.labels),
            partial(_likest, evidence, n, prompts, words),
            head.confidence,
            review_below,
        )
        if is_known[n]
        else _nothing(evidence.facts[n], words)
        for n in range(len(seen))
    ]


def _nothing(fact: str, words: Words) -> Guess:
    return Guess(
        category=NEEDS_REVIEW,
        subcategory="Low confidence",
        confidence=0.0,
        reason=f"{fact}; {words.nothing}",
        alternatives="",
    )


def _guess(
    fact: str,
    ranked: list[tuple[tuple[str, str], float]],
    likest: Callable[[str], tuple[float, str]],
    confident: Callable[[float], float],
    review_below: float,
) -> Guess:
    (category, subcategory), share = ranked[0]
    confidence = confident(min(share, 1.0))  # a sum of rounded parts
    likeness, said = likest(category)
    shown = "; ".join(f"{'/'.join(filter(None, pair))} {share:.2f}" for pair, share in ranked[:TOP])
    reason = "; ".join(filter(None, (said, fact)))
    if likeness < LEAST_LIKENESS:
        reason = f"like nothing the categories describe (likeness {likeness:.2f}); {reason}"
        confidence = min(confidence, max(likeness, 0.0))
    elif confidence < review_below:
        reason = f"not sure enough: {shown}; {reason}"
    else:
        return Guess(
            category=category,
            subcategory=subcategory or None,
            confidence=confidence,
            reason=reason,
            alternatives=shown,
        )
    return Guess(
        category=NEEDS_REVIEW,
        subcategory="Low confidence",
        confidence=confidence,
        reason=reason,
        alternatives=shown,
    )


def ranking(
    probabilities: NDArray[np.float64], labels: Sequence[Label]
) -> list[tuple[tuple[str, str], float]]:
    """Return categories, the likeliest first, each with its sub-category and its probability.

    A category's probability is its topics' together. Its sub-category is "" where none has half of
    that. Ties are broken by name.
    """
    shares: dict[str, float] = {}
    best: dict[str, tuple[float, str]] = {}
    for label, share in zip(labels, probabilities.tolist(), strict=True):
        shares[label.category] = shares.get(label.category, 0.0) + share
        if share > best.get(label.category, (-1.0, ""))[0]:
            best[label.category] = (share, label.subcategory)
    ranked = sorted(shares.items(), key=lambda pair: (-pair[1], pair[0]))
    return [
        (
            (category, best[category][1] if best[category][0] >= SURE_SUBCATEGORY * share else ""),
            share,
        )
        for category, share in ranked
    ]


def _likest(
    evidence: Evidence, n: int, prompts: Prompts, how: Words, category: str
) -> tuple[float, str]:
    """Return the likeness to the likest prompt of all, and what speaks for a category in words."""
    has_text = bool(np.any(evidence.vectors[n]))
    has_facts = evidence.metadata is not None and bool(np.any(evidence.metadata[n]))
    vector, what = evidence.names[n], "its name is like"
    if has_text:
        vector, what = evidence.vectors[n], how.likeness
    elif has_facts and evidence.metadata is not None:
        vector, what = evidence.metadata[n], "its tags read like"
    likeness = prompts.vectors @ vector
    own = [at for at, label in enumerate(prompts.labels) if label.category == category]
    if not own:
        return float(likeness.max(initial=0.0)), "it is like what you corrected"
    nearest = max(own, key=lambda at: (float(likeness[at]), -at))
    words = mentions(evidence.texts[n], [prompts.sentences[at] for at in own])
    found = f"text mentions {', '.join(words)}" if words else ""
    quoted = f'{what} "{prompts.sentences[nearest]}" ({likeness[nearest]:.2f})'
    return float(likeness.max()), "; ".join(filter(None, (found, quoted)))


def mentions(text: str, sentences: Sequence[str]) -> list[str]:
    """Return the telling words of some sentences that a text has, in the sentences' order."""
    said = set(_WORD.findall(text.casefold()))
    wanted = [word for sentence in sentences for word in _WORD.findall(sentence.casefold())]
    found = [word for word in dict.fromkeys(wanted) if word in said and word not in _COMMON]
    return found[:MENTIONS]
