"""What models make of one batch of contents: vectors, the account's head, guesses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.domain.embeddings import ContentGuess, ImageEmbedder, TextContent, TextEvidence
from models.domain.taxonomy import Correction, Taxonomy
from tasks.categorize.decision import PICTURE_WORDS, Evidence, Guess, Prompts, guesses
from tasks.categorize.head import (
    Examples,
    Head,
    fitted_head,
    matrix_of,
    prior_head,
    prompts_of,
)
from tasks.categorize.vectors import Vectors, evidence_text, text_hash
from tasks.categorize.verdicts import words_of_key

DECISION_VERSION = 1
"""Raised whenever the same evidence would be decided otherwise; stands in `decided_by`."""
MINIMUM_NAME_LETTERS = 4
"""Fewer letters, as in `IMG_2031`, say nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """What decides for one account.

    Attributes:
        head: fitted to its corrections.
        prompts: what the head grew from.
        decided_by: model and head, as rows say it.
    """

    head: Head
    prompts: Prompts
    decided_by: str


def judge_of(
    vectors: Vectors,
    taxonomy: Taxonomy,
    corrections: Sequence[Correction],
    *,
    pictures: bool = False,
) -> Judge:
    """Return what decides by a taxonomy and an account's corrections.

    Args:
        vectors: of the model whose tower is asked; corrected contents that it knows are learned.
        taxonomy: by ids.
        corrections: the newest of each content; others are not learned from.
        pictures: whether sentences on pictures count, not those on texts.
    """
    said = prompts_of(taxonomy, pictures=pictures)
    labels = [label for label, _ in said]
    sentences = [sentence for _, sentence in said]
    made = vectors.of_texts({text_hash(s): s for s in sentences}, made_by="prompts")
    matrix = matrix_of([made[text_hash(s)] for s in sentences], vectors.embedder.dimension)
    prior = prior_head(labels, matrix)
    known = vectors.known([correction.sha256 for correction in corrections])
    learned = sorted((c for c in corrections if c.sha256 in known), key=lambda c: c.sha256)
    head = fitted_head(
        prior,
        Examples(
            corrections=learned,
            vectors=matrix_of([known[c.sha256] for c in learned], vectors.embedder.dimension),
        ),
    )
    taught = f"+{head.corrections} corrections" if head.corrections else ""
    return Judge(
        head=head,
        prompts=Prompts(labels=labels, sentences=sentences, vectors=matrix),
        decided_by=f"{vectors.embedder.model_id}/decision-{DECISION_VERSION}{taught}",
    )


def judged_texts(
    contents: Sequence[TextContent],
    evidence: Mapping[str, TextEvidence],
    vectors: Vectors,
    judge: Judge,
    *,
    review_below: float,
    made_by: str,
) -> list[ContentGuess]:
    """Return what a sentence model makes of contents, in their order.

    Args:
        contents: (n,) with a file's key each.
        evidence: by content.
        vectors: of the sentence model.
        judge: the account's.
        review_below: least confidence of a decision.
        made_by: the job and its batch.
    """
    names = {content.sha256: spoken_name(content.key) for content in contents}
    texts = {content.sha256: evidence_text(evidence[content.sha256]) for content in contents}
    wanted = {**texts, **{text_hash(name): name for name in names.values() if name}}
    made = vectors.of_texts(wanted, made_by=made_by)
    dimension = vectors.embedder.dimension
    found = guesses(
        Evidence(
            texts=[texts[content.sha256] for content in contents],
            vectors=_rows([content.sha256 for content in contents], made, dimension),
            names=_rows([text_hash(names[c.sha256]) for c in contents], made, dimension),
            facts=[f"a document ({content.label})" for content in contents],
        ),
        judge.head,
        judge.prompts,
        review_below=review_below,
    )
    return [
        content_guess(content.sha256, guess, judge.decided_by)
        for content, guess in zip(contents, found, strict=True)
    ]


def judged_pictures(
    pictures: Mapping[str, bytes],
    vectors: Vectors,
    embedder: ImageEmbedder,
    judge: Judge,
    *,
    review_below: float,
    made_by: str,
) -> list[ContentGuess]:
    """Return what an image tower makes of pictures, sorted by content.

    Args:
        pictures: an encoded picture by content.
        vectors: of the model; those it knows are not made again.
        embedder: the model.
        judge: the account's, by sentences on pictures.
        review_below: least confidence of a decision.
        made_by: the job and its batch.
    """
    keys = sorted(pictures)
    found = vectors.known(keys)
    missing = {key: pictures[key] for key in keys if key not in found}
    found |= vectors.of_pictures(missing, embedder, made_by=made_by)
    matrix = _rows(keys, found, embedder.dimension)
    made = guesses(
        Evidence(
            texts=[""] * len(keys),
            vectors=matrix,
            names=np.zeros_like(matrix),
            facts=["a picture"] * len(keys),
        ),
        judge.head,
        judge.prompts,
        review_below=review_below,
        words=PICTURE_WORDS,
    )
    return [
        content_guess(key, guess, judge.decided_by) for key, guess in zip(keys, made, strict=True)
    ]


def content_guess(sha256: str, guess: Guess, decided_by: str) -> ContentGuess:
    """Return a guess as the row of a content."""
    return ContentGuess(
        sha256=sha256,
        category=guess.category,
        subcategory=guess.subcategory,
        confidence_ratio=guess.confidence,
        reason=guess.reason,
        alternatives=guess.alternatives,
        decided_by=decided_by,
    )


def spoken_name(key: str) -> str:
    """Return the words of a file's name and its folder's; "" where they say nothing."""
    folder = key.rsplit("/", 2)[-2] if key.count("/") else ""
    words = [w for w in f"{words_of_key(folder)} {words_of_key(key)}".split() if not w.isdigit()]
    return " ".join(words) if sum(map(len, words)) >= MINIMUM_NAME_LETTERS else ""


def _rows(keys: Sequence[str], vectors: Mapping[str, bytes], dimension: int) -> NDArray[np.float32]:
    """Return (n, dimension); zeros where there is no vector."""
    nothing = bytes(4 * dimension)
    return matrix_of([vectors.get(key, nothing) for key in keys], dimension)
