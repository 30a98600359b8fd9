"""Frames of films, as pictures to look at: inside a child, and asked for by its parent."""

import io
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from models.domain.embeddings import Keyframe, TextContent
from models.domain.errors import BusyError, FileOrganizerError
from models.domain.fingerprint import Media
from tasks.fingerprint.parsing import Facts, Request, labels_of
from tasks.fingerprint.ports import ByteSource, Parser
from tasks.fingerprint.reading import KEPT_BYTES
from tasks.fingerprint.sources import FetchedFile
from tasks.fingerprint.texts import text_contents

compute: Any = pc  # the stubs know too few of its overloads

FRAMES = 4
"""Looked at of a film, evenly spread: of clips of some seconds to an hour, each a scene."""
_SIDE, _QUALITY = 256, 75
"""As of thumbnails."""
_LARGEST_BYTES = 1 << 18
"""A frame of 256 pixels takes 10 to 20 KB."""
_RANGE_BYTES = 1 << 20


def open_recordings(fingerprints: pa.Table, categories: pa.Table | None, media: Media) -> pa.Table:
    """Return the sound or the films whose sub-category is open.

    Args:
        fingerprints: (n,) rows of `Fingerprint`.
        categories: (n,) rows of `CategoryRow` of the same files; None for all there are.
        media: `Media.AUDIO` or `Media.VIDEO`.

    Returns:
        (m,) rows of `TextContent`, each content once, sorted by content.
    """
    keep = compute.equal(fingerprints["media"], media.value)
    if media is Media.VIDEO:
        labels = pa.array(sorted(labels_of("video")), pa.string())
        keep = compute.and_(keep, compute.is_in(fingerprints["content_label"], value_set=labels))
    if categories is not None:
        is_open = categories.filter(compute.is_null(categories["subcategory"]))
        keys = is_open["key"].combine_chunks().cast(pa.string())
        keep = compute.and_(keep, compute.is_in(fingerprints["key"], value_set=keys))
    return text_contents(fingerprints, keep)


def read_keyframes(request: Request, file: FetchedFile) -> Facts:
    """Return frames of a film, one WebP after the other, and how long each is.

    Only frames that stand for themselves are decoded, so a film of any length costs the same.

    Raises:
        Exception: PyAV's, when it cannot be decoded.
    """
    import av

    from tasks.fingerprint.recordings import DECODING, demuxers

    with av.open(
        file.opened(),
        "r",
        format=demuxers(request.label)[0],
        metadata_errors="replace",
        options=dict(DECODING),
    ) as container:
        frames = [_picture(frame) for frame in _frames(container)]
    return {"lengths": [len(frame) for frame in frames], "thumbnail_bytes": b"".join(frames)}


def _frames(container: Any) -> Iterator[Any]:
    """Yield the frames at or before the middles of equal parts of a film."""
    import av.error

    stream = container.streams.video[0]
    stream.thread_type = "NONE"
    stream.codec_context.skip_frame = "NONKEY"
    duration_s = (container.duration or 0) / 1_000_000
    seen: set[object] = set()
    for part in range(FRAMES):
        try:
            at = round(duration_s * (part + 0.5) / FRAMES / stream.time_base)
            container.seek(at, stream=stream, backward=True)
            frame = next(container.decode(stream), None)
        except (av.error.FFmpegError, EOFError, OSError, ValueError):
            continue  # a damaged stretch; the other times are looked at
        if frame is not None and frame.pts not in seen:
            seen.add(frame.pts)
            yield frame


def _picture(frame: Any) -> bytes:
    from PIL import Image

    scale = min(1.0, _SIDE / max(frame.width, frame.height))
    width, height = max(1, round(frame.width * scale)), max(1, round(frame.height * scale))
    colors = frame.reformat(width=width, height=height, format="rgb24").to_ndarray()
    picture = Image.fromarray(colors)
    turned = round(getattr(frame, "rotation", 0) / 90) % 4
    sink = io.BytesIO()
    picture.rotate(90 * turned, expand=True).save(sink, "WEBP", quality=_QUALITY, method=0)
    return sink.getvalue()


def keyframes_of(
    contents: Sequence[TextContent], *, source: ByteSource, parser: Parser, threads: int
) -> list[Keyframe]:
    """Return the frames of films, in the order of the films; none is ever an error.

    Raises:
        BusyError: the storage, not some file, is occupied.
        BrokenError: no parser can be started.
    """
    work = partial(_made, source=source, parser=parser)
    with ThreadPoolExecutor(threads, thread_name_prefix="keyframes") as pool:
        return [frame for frames in pool.map(work, contents) for frame in frames]


def _made(content: TextContent, *, source: ByteSource, parser: Parser) -> list[Keyframe]:
    def fetch(offset: int, length: int) -> bytes:
        return source.read_range(content.key, offset, min(length, _RANGE_BYTES))

    request = Request(kind="keyframes", label=content.label, size_bytes=content.size_bytes)
    try:
        blob = source.read_range(content.key, 0, min(content.size_bytes, KEPT_BYTES))
        parsed = parser.parse(request, blob=blob, fetch=fetch)
        if source.stat(content.key).version != content.version:
            return []
    except BusyError:
        raise
    except FileOrganizerError:
        return []  # it can be looked at when it is indexed the next time
    frames = checked_frames(parsed.facts.get("lengths"), parsed.thumbnail)
    return [
        Keyframe(sha256=content.sha256, number=number, picture=frame)
        for number, frame in enumerate(frames)
    ]


def checked_frames(lengths: object, blob: bytes) -> list[bytes]:
    """Return the frames that a child sent; one that met a hostile file is not believed."""
    if not isinstance(lengths, list) or len(lengths) > FRAMES:
        return []
    found: list[bytes] = []
    at = 0
    for length in lengths:
        if type(length) is not int or not 0 < length <= _LARGEST_BYTES:
            return []
        found.append(blob[at : at + length])
        at += length
    is_whole = at == len(blob) and all(frame.startswith(b"RIFF") for frame in found)
    return found if is_whole else []
