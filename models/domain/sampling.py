"""What a model reads of a text: its beginning and pieces of the rest."""

import re

BEGINNING = 1400
"""Characters from the beginning: some 320 English tokens, more than the model reads of them."""
SAMPLES, SAMPLE = 3, 200
"""Pieces of the rest, evenly spaced, and the characters of each."""
_LOOKED_AT = 200_000
"""Characters of an extracted text that are cleaned: 60 pages."""
_SPACE = re.compile(r"\s+")
_UNSAID = re.compile(r"https?://\S+|[A-Za-z0-9+/=]{60,}|[-=_*#|.]{4,}")
"""Addresses, encoded bytes and drawn lines: they cost tokens and say nothing."""


def sampled(text: str) -> str:
    """Return the beginning of a text and pieces of the rest, in one line, at most 2,003 characters.

    Equal texts give equal samples; what is not printable is left out.
    """
    plain = _SPACE.sub(" ", _UNSAID.sub(" ", text[:_LOOKED_AT]))
    plain = "".join(sign for sign in plain if sign.isprintable()).strip()
    rest = plain[BEGINNING:]
    pieces = [plain[:BEGINNING]]
    if len(rest) <= SAMPLES * SAMPLE:
        return (pieces[0] + rest).strip()
    step = len(rest) // SAMPLES
    pieces += [rest[at * step : at * step + SAMPLE].strip() for at in range(SAMPLES)]
    return " ".join(pieces).strip()
