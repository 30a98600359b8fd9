"""What is kept of a content to find others that are nearly the same, and how a pair is told."""

import itertools
import math
from dataclasses import dataclass
from enum import StrEnum

from models.domain.columns import column

SIGNATURE_VERSION = 5
"""Raised whenever a signature of the same bytes would differ; part of every cache key."""

Placement = tuple[float, float, float, float, float, float]
"""`(a, b, c, d, e, f)`: what is at `(u, v)` of a variant lies at `(a u + b v + c, d u + e v + f)`
of the picture; both run from 0 to 1, right and down."""

THUMB_SIDE = 64
"""Side of the grey picture that is kept: what PDQ itself hashes, 4 KiB a view."""
MINIMUM_QUALITY = 50
"""Pictures of a PDQ quality of 49 or less are too flat to compare ("hashing.pdf", Facebook 2019:
hashes below 50 are to be discarded)."""

SOUND_STEPS_PER_S = 16
"""Codes of a `SoundPrint` a second."""


class NearMedia(StrEnum):
    """What kinds of content are compared; each only with its own."""

    IMAGE = "image"
    DOCUMENT = "document"
    AUDIO = "audio"
    VIDEO = "video"


def _turns() -> list[Placement]:
    """Return the eight ways to lay a picture on its own frame: as it is first."""
    found: list[Placement] = []
    for is_transposed, is_mirrored, is_flipped in itertools.product((False, True), repeat=3):
        x = (-1.0, 1.0) if is_mirrored else (1.0, 0.0)
        y = (-1.0, 1.0) if is_flipped else (1.0, 0.0)
        if is_transposed:
            found.append((0.0, y[0], y[1], x[0], 0.0, x[1]))
        else:
            found.append((x[0], 0.0, x[1], 0.0, y[0], y[1]))
    return found


_CROPS = ((0.93, 2), (0.93, 1), (0.87, 3))
"""Share of each side that a crop keeps, and the places a side at which it is tried.

A pHash stays within 10 of 64 bits when the picture moves by about 4 %; so these 14 are within reach
of any crop of up to 15 % of each side (200 photos: 93 % at distance 10, 97 % at 12)."""

_TILTS_DEG = (-4.2, -2.4, 2.4, 4.2)
"""Tilts tried, each with the corners kept and with the largest clean part; reach is 1 degree."""


def _crops() -> list[Placement]:
    found: list[Placement] = []
    for share, places in _CROPS:
        rest = 1 - share
        offsets = [rest * n / (places - 1) for n in range(places)] if places > 1 else [rest / 2]
        found += [(share, 0.0, x, 0.0, share, y) for x, y in itertools.product(offsets, repeat=2)]
    return found


def _tilts() -> list[Placement]:
    found: list[Placement] = []
    for degrees in _TILTS_DEG:
        angle = math.radians(degrees)
        for scale in (1.0, 1 - abs(angle)):
            c, s = math.cos(angle) * scale, math.sin(angle) * scale
            found.append((c, -s, 0.5 - (c - s) / 2, s, c, 0.5 - (s + c) / 2))
    return found


TURNS: tuple[Placement, ...] = tuple(_turns())
CROPS: tuple[Placement, ...] = tuple(_crops())
TILTS: tuple[Placement, ...] = tuple(_tilts())
VARIANTS: tuple[Placement, ...] = (*TURNS, *CROPS, *TILTS)
"""What a copy may show of a picture; position n is the n-th hash of `PictureView.hashes`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureView:
    """One way to see a still picture: whole (view 0), or without its uniform border (view 1)."""

    sha256: str = column("Content it belongs to, 64 hexadecimal digits.")
    version: int = column("`SIGNATURE_VERSION` it was made with.")
    view: int = column("0: the whole picture, upright; 1: without its uniform border.")
    phash: bytes = column("64-bit pHash, as `imagehash.phash` of the upright picture; 8 bytes.")
    dhash: bytes = column("64-bit dHash, as `imagehash.dhash` of the upright picture; 8 bytes.")
    pdq: bytes = column("256-bit PDQ hash; 32 bytes.")
    quality: int = column("PDQ quality, 0 (flat) to 100.")
    shown_permille: int = column(
        "Area of the whole picture inside its uniform border, thousandths; 1000 without one."
    )
    hashes: bytes = column("One 64-bit hash for each of `VARIANTS`, little-endian.")
    thumb: bytes = column("The view in 64 by 64 greys, row by row; 4096 bytes.")


@dataclass(frozen=True, slots=True, kw_only=True)
class FilmFrame:
    """One picture of a moving one, at an exact time."""

    sha256: str = column("Content it belongs to, 64 hexadecimal digits.")
    version: int = column("`SIGNATURE_VERSION` it was made with.")
    at_ms: int = column("Time in the film, milliseconds: a multiple of the sampling step.")
    duration_ms: int = column("Playing time of the film in milliseconds.")
    quality: int = column("PDQ quality of the picture, 0 (flat) to 100.")
    phash: bytes = column("64-bit pHash of the picture without the film's border; 8 bytes.")
    pdq: bytes = column("256-bit PDQ hash of the same; 32 bytes.")


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundPrint:
    """What a recording sounds like."""

    sha256: str = column("Content it belongs to, 64 hexadecimal digits.")
    version: int = column("`SIGNATURE_VERSION` it was made with.")
    duration_ms: int = column("Playing time in milliseconds, as decoded.")
    codes: bytes = column("One 32-bit code a step of time, little-endian.")


@dataclass(frozen=True, slots=True, kw_only=True)
class TextPrint:
    """Which words follow one another in a text."""

    sha256: str = column("Content it belongs to, 64 hexadecimal digits.")
    version: int = column("`SIGNATURE_VERSION` it was made with.")
    words: int = column("Words in the normalized text.")
    shingles: bytes = column("Distinct 32-bit hashes of runs of three words, ascending.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """One content that may have near-duplicates, and a file that holds it."""

    sha256: str = column("SHA-256, 64 hexadecimal digits.")
    key: str = column("A file of this content: the keeper of its equals, or the only one.")
    label: str = column("Content type by signature or Magika.")
    kind: str = column("Which signature is to be made, a `NearMedia`.")
    size_bytes: int = column("Size in bytes.")
    version: str = column("Version of the file that was read.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """The signature of one content as bytes (`near_payload`)."""

    sha256: str = column("Content, 64 hexadecimal digits.")
    version: int = column("`SIGNATURE_VERSION` it was made with.")
    payload: bytes = column("What `near_payload.unpack` reads; empty when there is nothing in it.")
    problem: str | None = column("Why there is none, in words; null when none.", default=None)
