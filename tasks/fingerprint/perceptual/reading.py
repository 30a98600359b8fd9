"""Inside a child: signatures of what is decoded for nothing else: sound, films, text."""

import contextlib
import importlib
import warnings

from models.domain.near_payload import UNNAMED, pack
from tasks.fingerprint.parsing import Facts, Request
from tasks.fingerprint.sources import FetchedFile


def prepare() -> None:
    """Load what is needed before children are forked."""
    warnings.simplefilter("ignore")
    for name in ("numpy", "kreuzberg"):
        with contextlib.suppress(ImportError):
            importlib.import_module(name)


def read_text(_request: Request, _file: FetchedFile) -> Facts:
    """Return no facts: a text has none but its words."""
    return {}


def sign(request: Request, file: FetchedFile) -> bytes | None:
    """Return the signature of a sound, a film or a document; None for what is none of them.

    Args:
        request: its label is what the content was found to be.
        file: the content.

    Raises:
        Exception: the libraries', when it cannot be decoded.
    """
    from tasks.fingerprint.perceptual.documents import readable_labels

    if request.kind == "audio":
        return _sound(request, file)
    if request.kind == "video":
        return _film(request, file)
    return _words(request, file) if request.label in readable_labels() else None


def _sound(request: Request, file: FetchedFile) -> bytes:
    from tasks.fingerprint.perceptual.sound import decoded_sound, sound_print
    from tasks.fingerprint.recordings import DECODING, demuxers

    samples, duration_s = decoded_sound(file.opened(), demuxers(request.label)[0], dict(DECODING))
    made = sound_print(samples, duration_s, UNNAMED)
    return pack([made] if made else [])


def _film(request: Request, file: FetchedFile) -> bytes:
    from tasks.fingerprint.perceptual.film import film_prints, film_shots
    from tasks.fingerprint.recordings import DECODING, demuxers

    shots, duration_ms = film_shots(file.opened(), demuxers(request.label)[0], dict(DECODING))
    return pack(film_prints(shots, duration_ms, UNNAMED))


def _words(request: Request, file: FetchedFile) -> bytes:
    from tasks.fingerprint.perceptual.documents import document_text
    from tasks.fingerprint.perceptual.words import text_print

    made = text_print(document_text(file.content(), request.label), UNNAMED)
    return pack([made] if made else [])
