"""Signatures of moving pictures: what is seen at exact times."""

import importlib
import math
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageSequence

from models.domain.near import SIGNATURE_VERSION, FilmFrame
from tasks.fingerprint.perceptual import hashes, pdq
from tasks.fingerprint.perceptual.trimming import inner_box

FRAMES = 64
"""Times looked at, at most."""
FIRST_MS = 250
"""The first time."""
LEAST_STEP_MS = 1000
SHORT_MS = 8000
SHORT_STEP_MS = 250
"""Films below `SHORT_MS` are looked at this often; every time of a longer step is one of these."""
PIXEL_BUDGET = 1_000_000_000
"""Pixels decoded at most: 480 frames of 1920 by 1080, 4 s on one core. Work, not time, is limited,
so that equal films give equal signatures on any machine; the times are visited evenly spread."""
_SIDE = 256
"""Longer side of what is hashed."""

_Shots = list[tuple[int, NDArray[np.uint8]]]


def step_ms(duration_ms: int) -> int:
    """Return the time between two looks: the power of two seconds that gives at most `FRAMES`."""
    if duration_ms < SHORT_MS:
        return SHORT_STEP_MS
    wanted = duration_ms / (LEAST_STEP_MS * FRAMES)
    return (
        LEAST_STEP_MS * (1 << max(0, math.ceil(math.log2(wanted)))) if wanted > 1 else LEAST_STEP_MS
    )


def visiting_order(count: int) -> list[int]:
    """Return 0 to count - 1, such that any first few are spread evenly.

    Van der Corput 1935: the numbers in the order of their reversed bits.
    """
    bits = max(1, (count - 1).bit_length())
    reversed_bits = (int(f"{n:0{bits}b}"[::-1], 2) for n in range(1 << bits))
    return [n for n in reversed_bits if n < count]


def times_of(duration_ms: int) -> list[int]:
    """Return the times to look at, in the order of visiting, in milliseconds."""
    if duration_ms <= FIRST_MS:
        return [0]
    step = step_ms(duration_ms)
    count = min(FRAMES, (duration_ms - FIRST_MS - 1) // step + 1)
    return [FIRST_MS + step * n for n in visiting_order(count)]


def film_prints(shots: _Shots, duration_ms: int, sha256: str) -> list[FilmFrame]:
    """Return the signature of what was seen; the border of the whole film is left out.

    Args:
        shots: (time in ms, (rows, columns) greys), all of one shape, any order.
        duration_ms: playing time.
        sha256: the content.

    Returns:
        Rows by time.
    """
    if not shots:
        return []
    brightest = np.maximum.reduce([grey for _, grey in shots])
    box = inner_box(brightest)
    rows: list[FilmFrame] = []
    for at_ms, grey in sorted(shots, key=lambda shot: shot[0]):
        image = Image.fromarray(grey)
        image = image.crop(box) if box else image
        small = pdq.averaged(np.asarray(image))
        rows.append(
            FilmFrame(
                sha256=sha256,
                version=SIGNATURE_VERSION,
                at_ms=at_ms,
                duration_ms=duration_ms,
                quality=pdq.quality(small),
                phash=hashes.phash(image),
                pdq=pdq.hash_of(small),
            )
        )
    return rows


def film_shots(file: BinaryIO, demuxer: str | None, options: dict[str, str]) -> tuple[_Shots, int]:
    """Return what a film shows at its times, upright, and its playing time in milliseconds.

    Args:
        file: the film; seekable, is not closed.
        demuxer: ffmpeg's name of the container; never guessed from untrusted bytes by callers.
        options: of the demuxer.

    Raises:
        Exception: PyAV's, when nothing can be decoded.
    """
    av: Any = importlib.import_module("av")  # its types do not tell reading from writing
    with av.open(file, format=demuxer, metadata_errors="replace", options=options) as container:
        stream = container.streams.video[0]
        stream.thread_type = "NONE"
        stream.codec_context.options = {"skip_loop_filter": "all"}
        duration_ms = round((container.duration or 0) / 1000)
        shots: _Shots = []
        budget = PIXEL_BUDGET
        for at_ms in times_of(duration_ms):
            frame, spent = _frame_at(container, stream, at_ms)
            budget -= spent
            if frame is not None:
                shots.append((at_ms, _grey(frame)))
            if budget <= 0:
                break
    shape = shots[0][1].shape if shots else ()
    return [shot for shot in shots if shot[1].shape == shape], duration_ms


def _frame_at(container: Any, stream: Any, at_ms: int) -> tuple[Any, int]:
    """Return the first frame at or after a time, and how many pixels were decoded for it."""
    import av.error

    spent = 0
    try:
        container.seek(round(at_ms / 1000 / stream.time_base), stream=stream, backward=True)
        for frame in container.decode(stream):
            spent += frame.width * frame.height
            if frame.time is None or frame.time * 1000 >= at_ms - 1:
                return frame, spent
            if spent > PIXEL_BUDGET:
                break
    except (av.error.FFmpegError, EOFError, OSError, ValueError):
        return None, spent + 1  # a damaged stretch; the other times are looked at
    return None, spent


def _grey(frame: Any) -> NDArray[np.uint8]:
    """Return a frame in greys, its longer side `_SIDE`, upright."""
    scale = _SIDE / max(frame.width, frame.height)
    width, height = max(16, round(frame.width * scale)), max(16, round(frame.height * scale))
    grey = frame.reformat(width=width, height=height, format="gray").to_ndarray()
    turns = round(getattr(frame, "rotation", 0) / 90) % 4
    return np.ascontiguousarray(np.rot90(grey, turns)) if turns else grey


def animation_shots(picture: Image.Image) -> tuple[_Shots, int]:
    """Return the shots of an animated picture by the times its frames are shown."""
    shown: list[tuple[int, int, NDArray[np.uint8]]] = []
    at = 0
    for frame in _frames(picture):
        lasts = int(frame.info.get("duration", 100) or 100)
        small = frame.convert("L").resize((_SIDE, _SIDE), Image.Resampling.BILINEAR)
        shown.append((at, at + lasts, np.asarray(small)))
        at += lasts
    shots = [
        (time, next(grey for start, end, grey in shown if start <= time < end))
        for time in sorted(times_of(at))
    ]
    return shots, at


def _frames(picture: Image.Image) -> Iterator[Image.Image]:
    budget = PIXEL_BUDGET
    for frame in ImageSequence.Iterator(picture):
        yield frame
        budget -= frame.width * frame.height
        if budget <= 0:
            return
