"""Signatures of texts: which words follow one another, whatever the format and layout.

Words are found and hashed by array operations over the characters, not one by one: a short text
costs some 40 microseconds.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import cache

import numpy as np
from numpy.typing import NDArray

from models.domain.near import SIGNATURE_VERSION, TextPrint

SHINGLE_WORDS = 3
"""Words of a shingle: what truth sets and peers use (Broder 1997, "On the resemblance and
containment of documents", uses 4 to 10 for pages of the web; short texts need fewer)."""
MINIMUM_SHINGLES = 4
"""Texts with fewer runs of words, below six words, say nothing of where they come from."""
LARGEST_TEXT = 8_000_000
"""Characters looked at: sixteen novels."""
LARGEST_SHINGLES = 100_000
"""Shingles kept, the smallest hashes: a bottom-k sketch (Broder 1997, section 4), whose Jaccard
index is within 0.01 of the whole sets'; a novel has fewer."""

_MARKS = re.compile(r"\[Image:[^\]\n]{0,999}\]|!?\[([^\]\n]{0,999})\]\([^)\s]{0,999}\)")
"""What an extractor writes for pictures and links; only a link's text is text. Bounded, so that a
megabyte of brackets takes no longer than another text."""

_PIECE = 1 << 16
"""Characters looked at together: their powers fit the second-level cache."""
_BASE = 0x9E3779B97F4A7C15
"""Odd, so that it has an inverse modulo 2**64, and of no structure that words have."""
_UNKNOWN, _BETWEEN, _LETTER, _ALONE, _NOTHING = range(5)
_INVISIBLE = frozenset("\u00ad\u200b\u200c\u200d\u2060\ufeff")
"""Soft hyphens, joiners and marks of width zero: a word with one is the word without."""
_UNSPACED = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Burmese
    (0x1780, 0x17FF),  # Khmer
    (0x3040, 0x30FF),  # Kana
    (0x31F0, 0x31FF),
    (0x3400, 0x9FFF),  # ideographs
    (0xF900, 0xFAFF),
    (0x20000, 0x3FFFF),
)
"""Scripts that put no spaces between words: each of their letters counts as a word."""


def _mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return well mixed values (Steele, Lea, Flood 2014: the finalizer of SplitMix64)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


@cache
def _powers(base: int) -> NDArray[np.uint64]:
    """Return the powers of a base modulo 2**64, one for each place of a piece."""
    factors = np.full(_PIECE, base, np.uint64)
    factors[0] = 1
    return np.cumprod(factors)


@cache
def _inverse_powers() -> NDArray[np.uint64]:
    return _powers(pow(_BASE, -1, 1 << 64))


@cache
def _classes() -> NDArray[np.uint8]:
    """Return what is known of each code point; filled as characters are met."""
    table = np.zeros(0x110000, np.uint8)
    for code in range(128):
        table[code] = _class_of(code)
    return table


def _class_of(code: int) -> int:
    char = chr(code)
    if char in _INVISIBLE:
        return _NOTHING
    if char != "_" and unicodedata.category(char)[0] not in "LNM":
        return _BETWEEN
    return _ALONE if any(first <= code <= last for first, last in _UNSPACED) else _LETTER


def _characters(text: str) -> tuple[NDArray[np.uint64], NDArray[np.uint8]]:
    """Return (n,) code points of the folded text and (n,) their classes."""
    table = _classes()
    if text.isascii():
        ascii_codes = np.frombuffer(text.lower().encode(), np.uint8)
        return ascii_codes.astype(np.uint64), table[ascii_codes]
    folded = unicodedata.normalize("NFKC", text).casefold()
    codes = np.frombuffer(folded.encode("utf-32-le", "surrogatepass"), np.uint32)
    classes = table[codes]
    if not classes.all():
        for code in np.unique(codes[classes == _UNKNOWN]).tolist():
            table[code] = _class_of(code)
        classes = table[codes]
    is_seen = classes != _NOTHING
    if not is_seen.all():
        codes, classes = codes[is_seen], classes[is_seen]
    return codes.astype(np.uint64), classes


def _pieces(classes: NDArray[np.uint8]) -> Iterator[tuple[int, int]]:
    """Yield ranges of at most `_PIECE` characters, cut between words where that is possible."""
    first = 0
    while first < len(classes):
        last = min(first + _PIECE, len(classes))
        if last < len(classes):
            gaps = np.flatnonzero(classes[first:last] == _BETWEEN)
            last = first + int(gaps[-1]) + 1 if len(gaps) else last
        yield first, last
        first = last


def word_hashes(text: str) -> NDArray[np.uint64]:
    """Return a hash of each word, in order; case, width, layout and punctuation do not count.

    A word is a run of letters, digits and marks; its hash is the polynomial of its characters
    modulo 2**64, from the difference of two running sums (Karp, Rabin 1987), well mixed.
    """
    if "[" in text:
        text = _MARKS.sub(lambda match: f" {match.group(1) or ''} ", text)
    codes, classes = _characters(text)
    parts = [
        _hashed(codes[first:last], classes[first:last]) for first, last in _pieces(classes)
    ] or [np.empty(0, np.uint64)]
    return _mixed(parts[0] if len(parts) == 1 else np.concatenate(parts))


def _hashed(codes: NDArray[np.uint64], classes: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Return the polynomial of each word of a piece."""
    is_word = np.zeros(len(codes) + 2, np.bool_)
    np.greater(classes, _BETWEEN, out=is_word[1:-1])
    is_edge = is_word[1:] != is_word[:-1]
    alone = np.flatnonzero(classes == _ALONE) if classes.max() > _LETTER else classes[:0]
    if len(alone):
        is_edge[alone] = is_edge[alone + 1] = True
    edges = np.flatnonzero(is_edge)
    starts = edges[is_word[edges + 1]]
    ends = edges[is_word[edges]]
    sums = np.zeros(len(codes) + 1, np.uint64)
    np.cumsum(codes * _powers(_BASE)[: len(codes)], out=sums[1:])
    return (sums[ends] - sums[starts]) * _inverse_powers()[starts]


def shingles_of(words: NDArray[np.uint64]) -> NDArray[np.uint32]:
    """Return the distinct 32-bit hashes of runs of three words, ascending.

    A chance collision adds about `size / 2**32` to a Jaccard index: 0.0002 for two novels.

    Args:
        words: (n,) hashes of words, in order.
    """
    count = len(words) - SHINGLE_WORDS + 1
    if count < 1:
        return np.empty(0, np.uint32)
    three = words[:count] * np.uint64(9) + words[1 : count + 1] * np.uint64(3) + words[2:]
    runs = np.sort((_mixed(three) >> np.uint64(32)).astype(np.uint32))
    is_new = np.empty(count, np.bool_)
    is_new[0] = True
    np.not_equal(runs[1:], runs[:-1], out=is_new[1:])
    return runs[is_new][:LARGEST_SHINGLES]


def text_print(text: str, sha256: str) -> TextPrint | None:
    """Return the signature of a text; None when it is too short to compare."""
    words = word_hashes(text[:LARGEST_TEXT])
    shingles = shingles_of(words)
    if len(shingles) < MINIMUM_SHINGLES:
        return None
    return TextPrint(
        sha256=sha256,
        version=SIGNATURE_VERSION,
        words=len(words),
        shingles=shingles.astype("<u4").tobytes(),
    )
