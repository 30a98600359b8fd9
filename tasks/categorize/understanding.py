"""What models make of one batch of contents: vectors, the account's head, guesses."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.domain.categories import NEEDS_REVIEW
from models.domain.embeddings import (
    ContentGuess,
    ImageEmbedder,
    TextContent,
    TextEvidence,
    TextSource,
    Tower,
)
from models.domain.taxonomy import Category, Correction, Taxonomy
from tasks.categorize.decision import (
    FACTS_WEIGHT,
    PICTURE_WORDS,
    TAG_WORDS,
    TEXT_WORDS,
    Evidence,
    Guess,
    Prompts,
    guesses,
    mixed,
)
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

DECISION_VERSION = 2
"""Raised whenever the same evidence would be decided otherwise; stands in `decided_by`."""
MINIMUM_NAME_LETTERS = 4
"""Fewer letters, as in `IMG_2031`, say nothing."""
RECORDINGS, FILMS = "Audio", "Videos"
"""Ids of the categories that rules put all sound and all films in; models tell what is below."""


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


def can_be_read(category: Category) -> bool:
    """Return whether a category can be that of a document: sound and films are none."""
    return category.identity not in {RECORDINGS, FILMS}


def only(identity: str) -> Callable[[Category], bool]:
    """Return what asks for one category alone, of which rules are sure."""
    return lambda category: category.identity == identity


def judge_of(
    vectors: Vectors,
    taxonomy: Taxonomy,
    corrections: Sequence[Correction],
    *,
    pictures: bool = False,
    is_asked: Callable[[Category], bool] = can_be_read,
) -> Judge | None:
    """Return what decides by a taxonomy and an account's corrections; None without any sentence.

    Args:
        vectors: of the model whose tower is asked; corrected contents that it knows are learned.
        taxonomy: by ids.
        corrections: the newest of each content; others are not learned from.
        pictures: whether sentences on pictures count, not those on texts.
        is_asked: whether a category can be the answer.
    """
    said = prompts_of(taxonomy, pictures=pictures, is_asked=is_asked)
    if not said:
        return None
    labels = [label for label, _ in said]
    sentences = [sentence for _, sentence in said]
    made = vectors.of_texts({text_hash(s): s for s in sentences}, made_by="prompts")
    matrix = matrix_of([made[text_hash(s)] for s in sentences], vectors.embedder.dimension)
    asked = {each.identity for each in taxonomy.categories if is_asked(each)}
    head = fitted_head(
        prior_head(labels, matrix),
        learned(vectors, [c for c in corrections if c.category in asked], pictures=pictures),
    )
    taught = f"+{head.corrections} corrections" if head.corrections else ""
    return Judge(
        head=head,
        prompts=Prompts(labels=labels, sentences=sentences, vectors=matrix),
        decided_by=f"{vectors.embedder.model_id}/decision-{DECISION_VERSION}{taught}",
    )


def learned(vectors: Vectors, corrections: Sequence[Correction], *, pictures: bool) -> Examples:
    """Return the corrections whose contents a model knows, with the evidence it has of them.

    It is mixed as it is for a decision, without names: those belong to files, not to contents.
    """
    hashes = [correction.sha256 for correction in corrections]
    main = vectors.known(hashes, Tower.IMAGE if pictures else Tower.TEXT)
    facts = {} if pictures else vectors.known(hashes, Tower.FACTS)
    usable = sorted(
        (c for c in corrections if c.sha256 in main or c.sha256 in facts), key=lambda c: c.sha256
    )
    keys, dimension = [each.sha256 for each in usable], vectors.embedder.dimension
    seen = mixed(_rows(keys, main, dimension), (FACTS_WEIGHT, _rows(keys, facts, dimension)))
    return Examples(corrections=usable, vectors=seen)


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

    Texts that were read off scans decide only where they are sure: what rules said stands.

    Args:
        contents: (n,) with a file's key each.
        evidence: by content; recordings have none but their tags.
        vectors: of the sentence model.
        judge: the account's.
        review_below: least confidence of a decision.
        made_by: the job and its batch.
    """
    names = {content.sha256: spoken_name(content.key) for content in contents}
    texts = {sha256: evidence_text(each) for sha256, each in evidence.items()}
    wanted = {**texts, **{text_hash(name): name for name in names.values() if name}}
    made = vectors.of_texts(wanted, made_by=made_by)
    said = vectors.of_texts(
        {c.sha256: c.facts for c in contents}, made_by=made_by, tower=Tower.FACTS
    )
    dimension = vectors.embedder.dimension
    keys = [content.sha256 for content in contents]
    found = guesses(
        Evidence(
            texts=[texts.get(key, "") for key in keys],
            vectors=_rows(keys if evidence else [text_hash("")] * len(keys), made, dimension),
            names=_rows([text_hash(names[key]) for key in keys], made, dimension),
            facts=[_what(content, evidence.get(content.sha256)) for content in contents],
            metadata=_rows(keys, said, dimension),
        ),
        judge.head,
        judge.prompts,
        review_below=review_below,
        words=TEXT_WORDS if evidence else TAG_WORDS,
    )
    scans = {sha256 for sha256, each in evidence.items() if each.source == TextSource.OCR}
    return [
        content_guess(content.sha256, guess, judge.decided_by)
        for content, guess in zip(contents, found, strict=True)
        if content.sha256 not in scans or guess.category != NEEDS_REVIEW
    ]


def _what(content: TextContent, evidence: TextEvidence | None) -> str:
    """Return in words what is decided on."""
    if evidence is None:
        return f"a recording ({content.label})"
    if evidence.source == TextSource.OCR:
        return f"a scan ({content.label}), its text read off the picture"
    return f"a document ({content.label})"


def judged_looks(
    keys: Sequence[str],
    found: Mapping[str, bytes],
    judge: Judge,
    *,
    dimension: int,
    what: str,
    review_below: float,
) -> list[ContentGuess]:
    """Return what an image tower makes of pictures or films, in the order of their contents.

    Args:
        keys: (n,) contents.
        found: vectors by content.
        judge: the account's, by sentences on pictures.
        dimension: of a vector.
        what: they are, in words.
        review_below: least confidence of a decision.
    """
    matrix = _rows(keys, found, dimension)
    made = guesses(
        Evidence(
            texts=[""] * len(keys),
            vectors=matrix,
            names=np.zeros_like(matrix),
            facts=[what] * len(keys),
        ),
        judge.head,
        judge.prompts,
        review_below=review_below,
        words=PICTURE_WORDS,
    )
    return [
        content_guess(key, guess, judge.decided_by) for key, guess in zip(keys, made, strict=True)
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
    found = vectors.known(keys, Tower.IMAGE)
    missing = {key: pictures[key] for key in keys if key not in found}
    found |= vectors.of_pictures(missing, embedder, made_by=made_by)
    return judged_looks(
        keys,
        found,
        judge,
        dimension=embedder.dimension,
        what="a picture",
        review_below=review_below,
    )


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
