"""Signatures of still pictures, from one decode at reduced scale."""

from typing import BinaryIO

import numpy as np
from PIL import Image

from models.domain.near import SIGNATURE_VERSION, THUMB_SIDE, PictureView
from tasks.fingerprint.perceptual import hashes, pdq
from tasks.fingerprint.perceptual.trimming import inner_box

DRAFT_SIDE = 256
"""A JPEG is decoded at the smallest scale that keeps both sides this long: a fifth of the time."""
WORK_SIDE = 192
"""Pictures are averaged down by whole numbers, at most to this shorter side, before they are
compared; PDQ needs no more (its paper averages to 64). Of 826 JPEGs decoded at reduced scale and
averaged so, 704 have the pHash of `imagehash` to the bit and none is more than 2 bits off; at 128
pixels 31 were 4 or more off."""
MINIMUM_SIDE = 16
"""Smaller pictures (spacers, bullets) have nothing to compare."""
_ORIENTATION = 0x0112
"""EXIF tag (CIPA DC-008, 4.6.4)."""
_LOSSY = frozenset({"JPEG", "MPO"})
"""Formats of Pillow's that are decoded at reduced scale."""
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What shows a picture of an EXIF orientation upright."""


def prepare() -> None:
    """Make what all signatures share, before children are forked."""
    hashes.variant_hashes(np.zeros((THUMB_SIDE, THUMB_SIDE), np.uint8))


def upright(picture: Image.Image, orientation: int) -> Image.Image:
    """Return a picture turned as its EXIF orientation says; itself where it is upright."""
    turn = _UPRIGHT.get(orientation)
    return picture if turn is None else picture.transpose(turn)


def open_upright(file: BinaryIO) -> Image.Image:
    """Return a picture decoded at reduced scale, turned as its EXIF orientation says.

    Raises:
        Exception: Pillow's, when it cannot be decoded.
    """
    picture = Image.open(file)
    picture.draft("L", (DRAFT_SIDE, DRAFT_SIDE))
    picture.load()
    shown = upright(picture, picture.getexif().get(_ORIENTATION, 1))
    shown.format = picture.format
    return shown


def _in_greys(picture: Image.Image) -> Image.Image:
    """Return the luminance: what a JPEG holds as such is taken as it is."""
    return picture.getchannel(0) if picture.mode == "YCbCr" else picture.convert("L")


def _shown(picture: Image.Image) -> Image.Image:
    """Return the picture in grey as seen on white paper."""
    if "A" not in picture.getbands() and "transparency" not in picture.info:
        return _in_greys(picture)
    layers = picture.convert("LA")
    paper = Image.new("L", picture.size, 255)
    paper.paste(layers.getchannel(0), mask=layers.getchannel(1))
    return paper


def _small(grey: Image.Image) -> Image.Image:
    """Return a picture averaged down to a shorter side of `WORK_SIDE` to twice that."""
    factor = min(grey.size) // WORK_SIDE
    return grey.reduce(factor) if factor > 1 else grey


def _view(
    sha256: str, view: int, grey: Image.Image, hashed: Image.Image, shown: float
) -> PictureView:
    small = pdq.averaged(np.asarray(grey))
    thumb = np.asarray(grey.resize((THUMB_SIDE, THUMB_SIDE), Image.Resampling.HAMMING))
    return PictureView(
        sha256=sha256,
        version=SIGNATURE_VERSION,
        view=view,
        phash=hashes.phash(hashed),
        dhash=hashes.dhash(hashed),
        pdq=pdq.hash_of(small),
        quality=pdq.quality(small),
        shown_permille=round(1000 * shown),
        hashes=hashes.variant_hashes(thumb),
        thumb=thumb.tobytes(),
    )


def picture_views(picture: Image.Image, sha256: str, *, orientation: int = 1) -> list[PictureView]:
    """Return the whole picture, and the picture without its uniform border where it has one.

    The pHash and dHash of the whole are those of `imagehash` to the bit, but for formats that are
    decoded at reduced scale.

    Args:
        picture: in any mode; of YCbCr only the luminance counts.
        sha256: its content.
        orientation: EXIF orientation that is yet to be applied.

    Returns:
        One or two views; none for a picture with a side below `MINIMUM_SIDE`.
    """
    if min(picture.size) < MINIMUM_SIDE:
        return []
    whole = _shown(picture)
    grey = upright(_small(whole), orientation)
    hashed = grey if picture.format in _LOSSY else upright(_in_greys(picture), orientation)
    box = inner_box(np.asarray(whole))
    if box is None:
        return [_view(sha256, 0, grey, hashed, 1.0)]
    cut = whole.crop(box)
    shown = cut.width * cut.height / (whole.width * whole.height)
    inner = upright(_small(cut), orientation)
    return [_view(sha256, 0, grey, hashed, shown), _view(sha256, 1, inner, inner, shown)]
