"""Inside a child: signatures. Each function answers one kind of request with a payload."""

import contextlib
import importlib
import warnings

from models.domain.near_payload import pack
from tasks.fingerprint.parsing import Facts, Request
from tasks.fingerprint.sources import FetchedFile

PIXEL_LIMIT = 100_000_000
"""Larger pictures are not decoded (DESIGN D7)."""
_UNNAMED = ""
"""A child does not know the SHA-256; whoever keeps the payload does."""
_PAYLOAD = "thumbnail_bytes"
"""The field of an answer that travels as bytes."""


def prepare() -> None:
    """Load what is needed before children are forked."""
    warnings.simplefilter("ignore")
    for name in ("numpy", "kreuzberg"):
        with contextlib.suppress(ImportError):
            importlib.import_module(name)


def read_near_image(request: Request, file: FetchedFile) -> Facts:
    """Return the views of a still picture, or the moments of an animated one."""
    del request
    from PIL import Image

    from tasks.fingerprint.perceptual.film import animation_shots, film_prints
    from tasks.fingerprint.perceptual.pictures import open_upright, picture_views

    with Image.open(file.opened()) as header:
        if header.width * header.height > PIXEL_LIMIT:
            raise ValueError("more than 100 megapixels")
        if getattr(header, "is_animated", False) and header.format not in {"TIFF", "ICO"}:
            shots, duration_ms = animation_shots(header)
            return {_PAYLOAD: pack(film_prints(shots, duration_ms, _UNNAMED))}
    return {_PAYLOAD: pack(picture_views(open_upright(file.opened()), _UNNAMED))}


def read_near_audio(request: Request, file: FetchedFile) -> Facts:
    """Return the codes of a recording."""
    from tasks.fingerprint.perceptual.sound import decoded_sound, sound_print
    from tasks.fingerprint.recordings import DECODING, demuxers

    for demuxer in demuxers(request.label):
        samples, duration_s = decoded_sound(file.opened(), demuxer, dict(DECODING))
        made = sound_print(samples, duration_s, _UNNAMED)
        return {_PAYLOAD: pack([made] if made else [])}
    return {}


def read_near_video(request: Request, file: FetchedFile) -> Facts:
    """Return what a film shows at its times."""
    from tasks.fingerprint.perceptual.film import film_prints, film_shots
    from tasks.fingerprint.recordings import DECODING, demuxers

    for demuxer in demuxers(request.label):
        shots, duration_ms = film_shots(file.opened(), demuxer, dict(DECODING))
        return {_PAYLOAD: pack(film_prints(shots, duration_ms, _UNNAMED))}
    return {}


def read_near_document(request: Request, file: FetchedFile) -> Facts:
    """Return the runs of words of a document."""
    from tasks.fingerprint.perceptual.documents import document_text
    from tasks.fingerprint.perceptual.words import text_print

    made = text_print(document_text(file.content(), request.label), _UNNAMED)
    return {_PAYLOAD: pack([made] if made else [])}
