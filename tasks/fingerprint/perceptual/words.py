"""Signatures of texts: which words follow one another, whatever the format and layout."""

import re
import unicodedata
from functools import lru_cache
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from models.domain.near import MINHASH_BINS, SIGNATURE_VERSION, TextPrint

SHINGLE_WORDS = 3
"""Words of a shingle: what truth sets and peers use (Broder 1997, "On the resemblance and
containment of documents", uses 4 to 10 for pages of the web; short texts need fewer)."""
MINIMUM_SHINGLES = 16
"""Texts with fewer runs of words are too short to be called copies of one another."""
LARGEST_TEXT = 8_000_000
"""Characters looked at: sixteen novels."""
LARGEST_SHINGLES = 100_000
"""Shingles kept, the smallest hashes: a bottom-k sketch (Broder 1997, section 4), whose Jaccard
index is within 0.01 of the whole sets'; a novel has fewer."""

_WORD = re.compile(r"\w+")
_MARKS = re.compile(r"\[Image:[^\]\n]*\]|!?\[([^\]\n]*)\]\([^)\s]*\)")
"""What an extractor writes for pictures and links; only a link's text is text."""


def normalized_words(text: str) -> list[str]:
    """Return a text's words: compatibility forms folded, case folded, punctuation dropped."""
    plain = _MARKS.sub(lambda match: f" {match.group(1) or ''} ", text[:LARGEST_TEXT])
    return _WORD.findall(unicodedata.normalize("NFKC", plain).casefold())


@lru_cache(maxsize=1 << 16)
def _word_hash(word: str) -> int:
    digest = blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little")


def _mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return well mixed values (Steele, Lea, Flood 2014: the finalizer of SplitMix64)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def shingles_of(words: list[str]) -> NDArray[np.uint32]:
    """Return the distinct 32-bit hashes of runs of three words, ascending.

    A chance collision adds about `size / 2**32` to a Jaccard index: 0.0002 for two novels.
    """
    if len(words) < SHINGLE_WORDS:
        return np.empty(0, np.uint32)
    hashed = np.fromiter((_word_hash(word) for word in words), np.uint64, len(words))
    runs = np.zeros(len(words) - SHINGLE_WORDS + 1, np.uint64)
    for place in range(SHINGLE_WORDS):
        runs = _mixed(runs * np.uint64(3) + hashed[place : place + len(runs)])
    return np.unique((runs >> np.uint64(32)).astype(np.uint32))[:LARGEST_SHINGLES]


def minhash_of(shingles: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Return (128,) the one-permutation MinHash of at least one shingle.

    The range of hashes is cut into 128 bins and each keeps its smallest (Li, Owen, Zhang 2012, "One
    permutation hashing"); an empty bin borrows from a bin drawn by its own number (Shrivastava
    2017, "Optimal densification for fast and accurate minwise hashing").
    """
    mixed = np.sort((_mixed(shingles.astype(np.uint64)) >> np.uint64(32)).astype(np.uint32))
    edges = np.arange(MINHASH_BINS, dtype=np.uint64) * np.uint64((1 << 32) // MINHASH_BINS)
    first = np.searchsorted(mixed, edges.astype(np.uint32))
    last = np.append(first[1:], len(mixed))
    is_filled = last > first
    values = mixed[np.minimum(first, len(mixed) - 1)]
    draw = np.arange(MINHASH_BINS, dtype=np.uint64)
    source = np.arange(MINHASH_BINS)
    pending = ~is_filled
    while pending.any():
        draw = _mixed(draw + np.uint64(0x9E3779B97F4A7C15))
        taken = (draw % np.uint64(MINHASH_BINS)).astype(np.intp)
        source = np.where(pending, taken, source)
        pending &= ~is_filled[source]
    return values[source]


def text_print(text: str, sha256: str) -> TextPrint | None:
    """Return the signature of a text; None when it is too short to compare."""
    words = normalized_words(text)
    shingles = shingles_of(words)
    if len(shingles) < MINIMUM_SHINGLES:
        return None
    return TextPrint(
        sha256=sha256,
        version=SIGNATURE_VERSION,
        words=len(words),
        shingles=shingles.astype("<u4").tobytes(),
        minhash=minhash_of(shingles).astype("<u4").tobytes(),
    )
