"""From vectors to categories: what prompts say, and what corrections add to it. Pure.

One model at every number of corrections: a softmax over topics whose weights are drawn towards the
prompts' directions (a Gaussian prior around them), fitted to the corrections. Without corrections
the prior decides; with a few it is bent a little; with many they decide (docs/categorization.md has
the figures). On the same draws of corrections it was never behind adding the means of corrected
texts to the prompts (after 100: .89 beside .86) or logistic regression without the prior (.68 after
20, .86 after 100).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.domain.taxonomy import Category, Correction, Taxonomy, Topic
from tasks.categorize.calibration import LABELS_FOR_STEPS, Calibration, calibrated, steps

SHARPNESS = 10.0
"""Length of a prompt's direction: how far apart scores of likenesses are. 8 and 10 are alike after
100 corrections, 14 learns slower (ten draws); what it does to confidence is set right below."""
STRENGTH = 10.0
"""Weight of one correction against the prior; 3 learns slower, 5 to 20 are alike (ten draws)."""
TEMPERATURE = 0.5
"""Scores are divided by it before they are probabilities, until an account has labels to fit its
own."""
STEPS = 300
"""Of accelerated gradient descent, at most."""
TOLERANCE = 1e-4
TEMPERATURES = tuple(round(0.1 * 1.15**n, 4) for n in range(28))
"""0.1 to 4.4, tried for the fit of confidence."""
LABELS_TO_CALIBRATE = 20
"""Fewer held-out corrections say nothing of confidence."""
FOLDS = 5

Matrix = NDArray[np.float64]


def matrix_of(vectors: Sequence[bytes], dimension: int) -> NDArray[np.float32]:
    """Return (n, dimension) float32 of vectors as `EmbeddingRow` holds them."""
    return np.frombuffer(b"".join(vectors), "<f4").reshape(len(vectors), dimension)


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """A topic by ids: category and sub-category, "" for the category itself."""

    category: str
    subcategory: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """A fitted classifier.

    Attributes:
        labels: (t,) its topics.
        weights: (t, d) float64.
        temperature: scores are divided by it.
        corrections: how many were fitted to.
        calibration: from what shares say to how often they were right, in steps; empty where too
            few corrections are there to tell.
    """

    labels: tuple[Label, ...]
    weights: Matrix
    temperature: float = TEMPERATURE
    corrections: int = 0
    calibration: Calibration = ()

    def confidence(self, share: float) -> float:
        """Return how sure a category's share of the probability makes."""
        return calibrated(self.calibration, share)

    def probabilities(self, vectors: NDArray[np.float32]) -> Matrix:
        """Return (n, t) probabilities of the topics of (n, d) vectors."""
        return _softmax(_scores(vectors, self.weights) / self.temperature)


def _scores(vectors: NDArray[Any], weights: Matrix) -> Matrix:
    # One row at a time, so that equal vectors have equal scores whatever they are batched with:
    # matrix products of other heights add in another order.
    scores = np.empty((len(vectors), len(weights)))
    for n, row in enumerate(np.asarray(vectors, np.float64)):
        scores[n] = weights @ row
    return scores


def _softmax(scores: Matrix) -> Matrix:
    raised = np.exp(scores - scores.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)


def prompts_of(
    taxonomy: Taxonomy,
    *,
    pictures: bool = False,
    is_asked: Callable[[Category], bool] = lambda _: True,
) -> list[tuple[Label, str]]:
    """Return every sentence of a taxonomy (by ids) with the topic it speaks for, in order.

    Args:
        taxonomy: by ids.
        pictures: whether the sentences on pictures are wanted, not those on texts.
        is_asked: whether a category can be the answer at all.
    """
    return [
        (label_of(category.name, topic), sentence)
        for category, topic in taxonomy.topics()
        if is_asked(category)
        for sentence in (topic.image_prompts if pictures else topic.prompts)
    ]


def label_of(category: str, topic: Topic) -> Label:
    """Return the label of a topic of a category."""
    return Label(category=category, subcategory="" if topic.name == category else topic.name)


def prior_head(labels: Sequence[Label], vectors: NDArray[np.float32]) -> Head:
    """Return the classifier that knows prompts only.

    Args:
        labels: (n,) topic of each prompt.
        vectors: (n, d) of the prompts.
    """
    topics = tuple(dict.fromkeys(labels))
    means = np.stack(
        [
            _unit(np.mean([v for v, k in zip(vectors, labels, strict=True) if k == topic], axis=0))
            for topic in topics
        ]
    ).astype(np.float64)
    # What all topics share says nothing of which it is.
    return Head(labels=topics, weights=SHARPNESS * (means - means.mean(axis=0)))


def _unit(vector: NDArray[Any]) -> NDArray[Any]:
    return vector / max(float(np.linalg.norm(vector)), 1e-12)


@dataclass(frozen=True, slots=True, kw_only=True)
class Examples:
    """Corrected contents.

    Attributes:
        corrections: (n,).
        vectors: (n, d).
    """

    corrections: Sequence[Correction]
    vectors: NDArray[np.float32]


def fitted_head(prior: Head, examples: Examples) -> Head:
    """Return the classifier after corrections, its confidence set right by those held out.

    Corrections with categories that no prompt speaks for add them. Deterministic.
    """
    if not len(examples.corrections):
        return prior
    start = _with_new_topics(prior, examples)
    members = _members(start.labels, examples.corrections)
    vectors = np.asarray(examples.vectors, np.float64)
    temperature, calibration = _calibrated(start, members, vectors)
    return Head(
        labels=start.labels,
        weights=_fit(start.weights, members, vectors),
        temperature=temperature,
        corrections=len(examples.corrections),
        calibration=calibration,
    )


def _with_new_topics(prior: Head, examples: Examples) -> Head:
    """Give each topic that has corrections and no prompts the direction of its texts' mean."""
    known = set(prior.labels)
    categories = {label.category for label in prior.labels}
    found: dict[Label, list[NDArray[np.float32]]] = {}
    for correction, vector in zip(examples.corrections, examples.vectors, strict=True):
        label = Label(category=correction.category, subcategory=correction.subcategory or "")
        if label in known or (not label.subcategory and label.category in categories):
            continue
        found.setdefault(label, []).append(vector)
    if not found:
        return prior
    # The prior's weights are centered; so are these, by the mean of everything corrected.
    center = examples.vectors.mean(axis=0)
    added = [SHARPNESS * (_unit(np.mean(each, axis=0)) - center) for each in found.values()]
    return Head(
        labels=(*prior.labels, *found),
        weights=np.concatenate([prior.weights, np.asarray(added, np.float64)]),
        temperature=prior.temperature,
    )


def _members(labels: Sequence[Label], corrections: Sequence[Correction]) -> Matrix:
    """Return (n, t): which topics each correction allows, all of its category if it names none."""
    rows = [
        [
            label.category == correction.category
            and (not correction.subcategory or label.subcategory == correction.subcategory)
            for label in labels
        ]
        for correction in corrections
    ]
    return np.asarray(rows, np.float64)


def _fit(start: Matrix, members: Matrix, vectors: Matrix) -> Matrix:
    """Return the weights that minimize the corrections' loss and the distance to the prior.

    Accelerated gradient descent of Nesterov for a strongly convex function (Nesterov 2004,
    "Introductory lectures on convex optimization", 2.2.1).
    """
    spread = float(np.linalg.norm(vectors, ord=2)) ** 2 if len(vectors) else 0.0
    smooth = 1.0 + 0.5 * STRENGTH * spread  # the softmax' Hessian is at most 1/2
    ratio = np.sqrt(1.0 / smooth)
    momentum = (1 - ratio) / (1 + ratio)
    weights, ahead = start.copy(), start.copy()
    for _ in range(STEPS):
        probabilities = _softmax(vectors @ ahead.T)
        allowed = probabilities * members
        wanted = allowed / np.maximum(allowed.sum(axis=1, keepdims=True), 1e-12)
        slope = STRENGTH * (probabilities - wanted).T @ vectors + (ahead - start)
        moved = ahead - slope / smooth
        step = moved - weights
        ahead = moved + momentum * step
        weights = moved
        if np.abs(step).max() < TOLERANCE:
            break
    return weights


def _calibrated(start: Head, members: Matrix, vectors: Matrix) -> tuple[float, Calibration]:
    """Return the temperature under which held-out corrections are likeliest (Guo et al. 2017).

    Where there are enough of them, also how often each confidence was right. Five folds by
    position, so that the same corrections give the same answer.
    """
    if len(vectors) < LABELS_TO_CALIBRATE:
        return start.temperature, ()
    fold = np.arange(len(vectors)) % FOLDS
    scores = np.zeros((len(vectors), len(start.labels)))
    for held in range(FOLDS):
        weights = _fit(start.weights, members[fold != held], vectors[fold != held])
        scores[fold == held] = vectors[fold == held] @ weights.T
    found = min(TEMPERATURES, key=lambda each: _surprise(_softmax(scores / each), members))
    if len(vectors) < LABELS_FOR_STEPS:
        return found, ()
    shares, is_right = _held_out(_softmax(scores / found), start.labels, members)
    return found, steps(shares, is_right)


def _held_out(
    probabilities: Matrix, labels: Sequence[Label], members: Matrix
) -> tuple[Matrix, NDArray[np.bool_]]:
    """Return the share of each correction's likeliest category, and whether it is the right one."""
    names = list(dict.fromkeys(label.category for label in labels))
    of = np.array([names.index(label.category) for label in labels])
    sums = np.stack([probabilities[:, of == at].sum(axis=1) for at in range(len(names))], axis=1)
    likeliest = sums.argmax(axis=1)
    allowed = np.stack([members[:, of == at].any(axis=1) for at in range(len(names))], axis=1)
    rows = np.arange(len(sums))
    return sums[rows, likeliest], allowed[rows, likeliest]


def _surprise(probabilities: Matrix, members: Matrix) -> float:
    return float(-np.log(np.maximum((probabilities * members).sum(axis=1), 1e-12)).mean())
