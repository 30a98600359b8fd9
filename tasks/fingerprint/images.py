"""Inside a child: pictures. One decode, at reduced scale, for thumbnail and signature; EXIF."""

import importlib
import io
import re
from typing import Any

from models.domain.fingerprint import Problem
from models.domain.near_payload import UNNAMED, pack
from tasks.fingerprint.parsing import Facts, Request, claim, clean, problem_of
from tasks.fingerprint.sources import FetchedFile

PIXEL_LIMIT = 100_000_000
"""Larger pictures are not decoded (DESIGN D7)."""
THUMBNAIL_PIXELS = 256
"""Longer side of a thumbnail."""
THUMBNAIL_QUALITY = 75
"""WebP's own default."""
XMP_BYTES = 1 << 20
"""Looked through for an XMP packet at most."""
_ANIMATED = frozenset({"GIF", "WEBP", "PNG", "AVIF"})
"""Formats whose further pictures are moments; those of TIFF, MPO, HEIF and icons are not."""
_TURNED = frozenset({5, 6, 7, 8})
"""EXIF orientations that exchange width and height (CIPA DC-008, 4.6.4)."""
_EXIF_DATES = (
    ("EXIF DateTimeOriginal", "EXIF OffsetTimeOriginal"),
    ("EXIF DateTimeDigitized", "EXIF OffsetTimeDigitized"),
)
_CHANGED = ("Image DateTime", "EXIF OffsetTime")
"""When the file was last changed by a program: no capture, but better than nothing."""
_XMP_DATE = re.compile(
    rb"(?:exif:DateTimeOriginal|photoshop:DateCreated|xmp:CreateDate)"
    rb"(?:\s*=\s*[\"']|\s*>\s*)([^\"'<]{4,40})"
)


def prepare() -> None:
    """Load all of Pillow's formats, HEIF, and what signatures are made with."""
    import pillow_heif
    from PIL import Image

    pillow_heif.register_heif_opener()
    pillow_heif.options.DECODE_THREADS = 1
    Image.MAX_IMAGE_PIXELS = None  # our own limit is checked before anything is decoded
    Image.init()
    importlib.import_module("exifread")
    importlib.import_module("tasks.fingerprint.perceptual.pictures").prepare()


def read_image(request: Request, file: FetchedFile) -> Facts:
    """Return size, EXIF, XMP, thumbnail and signature of a picture that Pillow reads.

    What can be told is told even where decoding fails; the failure is the `problem`.

    Raises:
        Exception: Pillow's, when not even the header can be read.
    """
    from PIL import Image

    with Image.open(file.opened()) as picture:
        facts: Facts = {"width": picture.width, "height": picture.height}
        exif = picture.info.get("exif")
        if request.label == "tiff":
            exif = file.content() if file.is_whole else None
        facts |= _exif_facts(exif, request)
        facts["dates"] = [*facts.get("dates", []), *_xmp_dates(picture.info)]
        turned = facts.pop("orientation", 1)
        if request.label == "tiff":
            turned = 1  # Pillow turns those by itself
        if turned in _TURNED:
            facts["width"], facts["height"] = picture.height, picture.width
        if picture.width * picture.height > PIXEL_LIMIT:
            facts["problem"] = Problem.LIMITED.because("more than 100 megapixels: not decoded")
            return facts
        if request.thumbnail or request.signature:
            try:
                facts |= _seen(picture, turned, request)
            except MemoryError:
                facts["problem"] = Problem.LIMITED.because("decoding it takes too much memory")
            except Exception as error:  # noqa: BLE001 - facts of a damaged picture are kept
                facts["problem"] = problem_of(error, request.label)
    return facts


def _seen(picture: Any, orientation: int, request: Request) -> Facts:
    """Return what is made of the pixels: thumbnail and signature, as they are wanted."""
    side = THUMBNAIL_PIXELS
    picture.draft("YCbCr" if request.thumbnail else "L", (side, side))
    picture.load()
    facts: Facts = {}
    if request.thumbnail:
        facts["thumbnail_bytes"] = _thumbnail(picture, orientation)
    is_moving = picture.format in _ANIMATED and getattr(picture, "is_animated", False)
    if request.signature and (request.animation or not is_moving):
        facts["signature_bytes"] = _signature(picture, orientation, is_moving=is_moving)
    return facts


def _signature(picture: Any, orientation: int, *, is_moving: bool) -> bytes:
    """Return the views of a still picture, or the moments of an animated one."""
    from tasks.fingerprint.perceptual.film import animation_shots, film_prints
    from tasks.fingerprint.perceptual.pictures import picture_views

    if is_moving:
        shots, duration_ms = animation_shots(picture)
        return pack(film_prints(shots, duration_ms, UNNAMED))
    return pack(picture_views(picture, UNNAMED, orientation=orientation))


def read_raw(request: Request, file: FetchedFile) -> Facts:
    """Return the EXIF facts of a camera's raw file."""
    facts = _exif_facts(file.opened(), request)
    facts.pop("orientation", None)
    return facts


def _thumbnail(picture: Any, orientation: int) -> bytes:
    """Return the picture as WebP within 256 by 256 pixels, upright."""
    from PIL import Image

    from tasks.fingerprint.perceptual.pictures import upright

    if picture.mode == "YCbCr":
        small = picture.copy()  # colors are converted when there are few of them
    else:
        has_alpha = "A" in picture.getbands() or "transparency" in picture.info
        small = picture.convert("RGBA" if has_alpha else "RGB")
    small.thumbnail((THUMBNAIL_PIXELS, THUMBNAIL_PIXELS), Image.Resampling.BILINEAR, 1.0)
    if small.mode == "YCbCr":
        small = small.convert("RGB")
    sink = io.BytesIO()
    upright(small, orientation).save(sink, "WEBP", quality=THUMBNAIL_QUALITY, method=0)
    return sink.getvalue()


def _exif_tags(source: Any) -> dict[str, Any]:
    """Return exifread's tags of a file or a bare EXIF block; {} when it makes nothing of it."""
    import exifread

    if source is None:
        return {}
    if isinstance(source, bytes):
        source = io.BytesIO(source.removeprefix(b"Exif\x00\x00"))
    try:
        return exifread.process_file(source, details=False, extract_thumbnail=False)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - damaged EXIF never fails a picture
        return {}


def _exif_facts(source: Any, request: Request) -> Facts:
    tags = _exif_tags(source)
    facts: Facts = {
        "camera_make": clean(tags.get("Image Make")),
        "camera_model": clean(tags.get("Image Model")),
        "orientation": _first_number(tags.get("Image Orientation")) or 1,
    }
    dates: list[dict[str, str]] = []
    for name, offset in _EXIF_DATES:
        dates += claim("exif", tags.get(name), tags.get(offset))
    facts["dates"] = dates or claim("exif", tags.get(_CHANGED[0]), tags.get(_CHANGED[1]))
    if request.read_gps:
        facts |= _position(tags)
    return facts


def _first_number(tag: Any) -> int | None:
    values = getattr(tag, "values", None)
    return values[0] if isinstance(values, list) and values and isinstance(values[0], int) else None


def _position(tags: dict[str, Any]) -> Facts:
    from exifread.utils import get_gps_coords

    try:
        latitude, longitude = get_gps_coords(tags) or (None, None)
    except Exception:  # noqa: BLE001 - malformed positions are no positions
        return {}
    if latitude is None or longitude is None or abs(latitude) > 90 or abs(longitude) > 180:  # noqa: PLR2004 - degrees
        return {}
    return {"latitude": float(latitude), "longitude": float(longitude)}


def _xmp_dates(info: dict[Any, Any]) -> list[dict[str, str]]:
    packet = info.get("xmp") or info.get("XML:com.adobe.xmp") or b""
    if isinstance(packet, str):
        packet = packet.encode(errors="replace")
    found = _XMP_DATE.search(packet[:XMP_BYTES]) if isinstance(packet, bytes) else None
    return claim("xmp", found.group(1)) if found else []
