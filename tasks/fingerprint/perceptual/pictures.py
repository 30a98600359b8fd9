"""Signatures of still pictures, from one decode at reduced scale."""

from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps

from models.domain.near import SIGNATURE_VERSION, THUMB_SIDE, PictureView
from tasks.fingerprint.perceptual import hashes, pdq
from tasks.fingerprint.perceptual.trimming import inner_box

DRAFT_SIDE = 256
"""A JPEG is decoded at the smallest scale that keeps both sides this long: a fifth of the time, and
94 % of the pHashes equal to the bit, none more than 2 off (DESIGN 4)."""
WORK_SIDE = 512
"""Larger pictures are averaged down to below twice this before they are hashed by PDQ, as the
paper does ("hashing.pdf": 512 by 512 loses nothing)."""
MINIMUM_SIDE = 16
"""Smaller pictures (spacers, bullets) have nothing to compare."""


def open_upright(file: BinaryIO) -> Image.Image:
    """Return a picture decoded at reduced scale, turned as its EXIF orientation says.

    Raises:
        Exception: Pillow's, when it cannot be decoded.
    """
    picture = Image.open(file)
    picture.draft("RGB", (DRAFT_SIDE, DRAFT_SIDE))
    return ImageOps.exif_transpose(picture)


def _shown(picture: Image.Image) -> Image.Image:
    """Return the picture in grey as seen on white paper."""
    if "A" not in picture.getbands() and "transparency" not in picture.info:
        return picture.convert("L")
    layers = picture.convert("LA")
    paper = Image.new("L", picture.size, 255)
    paper.paste(layers.getchannel(0), mask=layers.getchannel(1))
    return paper


def _view(sha256: str, view: int, compared: Image.Image, hashed: Image.Image) -> PictureView:
    grey = compared
    shorter = min(grey.size)
    if shorter >= 2 * WORK_SIDE:
        grey = grey.reduce(shorter // WORK_SIDE)
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
        hashes=hashes.variant_hashes(thumb),
        thumb=thumb.tobytes(),
    )


def picture_views(picture: Image.Image, sha256: str) -> list[PictureView]:
    """Return the whole picture, and the picture without its uniform border where it has one.

    Args:
        picture: upright, in any mode; may be decoded at reduced scale.
        sha256: its content.

    Returns:
        One or two views; none for a picture with a side below `MINIMUM_SIDE`.
    """
    if min(picture.size) < MINIMUM_SIDE:
        return []
    grey = _shown(picture)
    views = [_view(sha256, 0, grey, picture.convert("L"))]
    box = inner_box(np.asarray(grey))
    if box is not None:
        inner = grey.crop(box)
        views.append(_view(sha256, 1, inner, inner))
    return views
