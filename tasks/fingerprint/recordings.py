"""Inside a child: sound and video. Headers and tags only; no frame is decoded for its picture."""

import importlib
from typing import Any

from tasks.fingerprint.parsing import Facts, Request, claim, clean
from tasks.fingerprint.sources import FetchedFile

_DEMUXERS = {
    "mp4": "mov",
    "qt": "mov",
    "3gp": "mov",
    "mj2": "mov",
    "m4a": "mov",
    "mkv": "matroska",
    "mka": "matroska",
    "webm": "matroska",
    "avi": "avi",
    "wmv": "asf",
    "wma": "asf",
    "asf": "asf",
    "flv": "flv",
    "mpegts": "mpegts",
    "mpeg": "mpeg",
    "ogv": "ogg",
    "rm": "rm",
    "amr": "amr",
    "ac3": "ac3",
    "au": "au",
    "caf": "caf",
    "ape": "ape",
    "wavpack": "wv",
    "dts": "dts",
    "voc": "voc",
    "mp3": "mp3",
    "mp2": "mp3",
    "mp1": "mp3",
    "aac": "aac",
    "flac": "flac",
    "wav": "wav",
    "aiff": "aiff",
    "ogg": "ogg",
    "opus": "ogg",
    "spx": "ogg",
}
"""The demuxer of each label, never ffmpeg's own guess: a playlist that calls itself a video must
not be followed to other files."""
_DEMUXERS_BY_TRIAL = {"mpc": ("mpc8", "mpc"), "mpeg": ("mpeg", "mpegvideo")}
_OPTIONS = {"probesize": "1048576", "analyzeduration": "1000000", "protocol_whitelist": "pipe"}
"""ffmpeg's own defaults are five times as much; width, height and duration need only headers."""
DECODING = _OPTIONS
"""Options of the demuxers where frames are decoded, too."""


def demuxers(label: str) -> tuple[str, ...]:
    """Return the demuxers that may read a label, the likeliest first."""
    return _DEMUXERS_BY_TRIAL.get(label) or (_DEMUXERS[label],)


_LONGEST_S = 10.0 * 365 * 86_400
"""Longer is a broken header."""
_MICROSECONDS = 1_000_000


def prepare() -> None:
    """Load the libraries before children are forked, and keep ffmpeg silent."""
    from av import logging

    importlib.import_module("tinytag")
    logging.set_level(None)


def read_audio(request: Request, file: FetchedFile) -> Facts:
    """Return duration and tags of a sound file.

    Raises:
        Exception: tinytag's and PyAV's, when neither can read it.
    """
    from tinytag import TinyTag
    from tinytag.tinytag import TinyTagException

    try:
        tag = TinyTag.get(file_obj=file.opened())
    except (TinyTagException, UnicodeError, ValueError, OverflowError):
        return read_video(request, file)
    facts: Facts = {
        "duration_s": _duration(tag.duration),
        "title": clean(tag.title),
        "artist": clean(tag.artist or tag.albumartist),
        "album": clean(tag.album),
        "track": _track(tag.track),
        "genre": clean(tag.genre),
        "channels": tag.channels if isinstance(tag.channels, int) else None,
    }
    year = clean(tag.year) or ""
    facts["dates"] = claim("container", year) if "-" in year else []
    return facts


def read_video(request: Request, file: FetchedFile) -> Facts:
    """Return size, duration, recording time and tags of a video.

    Raises:
        Exception: PyAV's, when it is none.
    """
    error: Exception | None = None
    for demuxer in demuxers(request.label):
        try:
            return _open(demuxer, file)
        except (OSError, ValueError, EOFError) as failure:  # PyAV's errors are one or the other
            error = ValueError(getattr(failure, "strerror", None) or str(failure))
    raise error or ValueError("no demuxer")


def _open(demuxer: str, file: FetchedFile) -> Facts:
    import av

    opened = file.opened()
    with av.open(
        opened, "r", format=demuxer, metadata_errors="replace", options=_OPTIONS
    ) as container:
        tags = {str(name).lower(): value for name, value in container.metadata.items()}
        facts: Facts = {
            "duration_s": _duration((container.duration or 0) / _MICROSECONDS),
            "title": clean(tags.get("title")),
            "artist": clean(tags.get("artist")),
            "album": clean(tags.get("album")),
            "track": _track(tags.get("track")),
            "genre": clean(tags.get("genre")),
            "camera_make": clean(tags.get("com.apple.quicktime.make") or tags.get("make")),
            "camera_model": clean(tags.get("com.apple.quicktime.model") or tags.get("model")),
        }
        facts["dates"] = claim("container", tags.get("com.apple.quicktime.creationdate")) or claim(
            "container", tags.get("creation_time")
        )
        pictures = [stream for stream in container.streams.video if stream.width and stream.height]
        if pictures:
            facts |= _size(pictures[0])
    return facts


def _size(stream: Any) -> Facts:
    """Return width and height as shown: a phone records upright by a turned matrix."""
    width, height = int(stream.width), int(stream.height)
    turn = str(stream.metadata.get("rotate", "0"))
    if turn.lstrip("-") in {"90", "270"}:
        width, height = height, width
    return {"width": width, "height": height}


def _duration(seconds: object) -> float | None:
    if not isinstance(seconds, int | float) or not 0 < seconds < _LONGEST_S:
        return None
    return round(float(seconds), 3)


def _track(text: object) -> int | None:
    digits = str(text or "").split("/", 1)[0].strip()
    return int(digits) if digits.isdecimal() and len(digits) < 6 else None  # noqa: PLR2004
