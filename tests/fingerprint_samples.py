"""Small files of many kinds, made here, and ways to damage them."""

import io
import random
import struct
import tarfile
import wave
import zipfile
import zlib
from collections.abc import Callable
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from PIL import Image

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


def jpeg(exif: dict[int, Any] | None = None, *, size: tuple[int, int] = (640, 480)) -> bytes:
    """A JPEG; `exif` maps tags to values, those of the sub-IFDs by their own numbers."""
    picture = Image.linear_gradient("L").resize(size).convert("RGB")
    tags = Image.Exif()
    for tag, value in (exif or {}).items():
        target = tags.get_ifd(0x8769) if tag >= 0x9000 else tags
        target[tag] = value
    sink = io.BytesIO()
    picture.save(sink, "JPEG", exif=tags, quality=80)
    return sink.getvalue()


def image(kind: str, *, size: tuple[int, int] = (300, 200), **options: Any) -> bytes:
    sink = io.BytesIO()
    Image.linear_gradient("L").resize(size).convert("RGB").save(sink, kind, **options)
    return sink.getvalue()


def pdf(*, text: str | None = "Hello", created: str = "D:20200131101112+01'00'") -> bytes:
    """A one-page PDF with a cross-reference table."""
    stream = f"BT /F1 24 Tf 20 100 Td ({text}) Tj ET".encode() if text else b"0 0 10 10 re f"
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        (
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 200] /Contents 4 0 R"
            b" /Resources << /Font << /F1 5 0 R >> >> >>"
        ),
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        b"<< /Title (A title) /Author (An author) /CreationDate (%s) >>" % created.encode(),
    ]
    out, offsets = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n", []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    start = len(out)
    return (
        out
        + b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
        + table
        + b"trailer\n<< /Size %d /Root 1 0 R /Info 6 0 R >>\nstartxref\n%d\n%%%%EOF\n"
        % (len(objects) + 1, start)
    )


_TYPES = (
    '<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/'
    'content-types"><Override PartName="/{part}" ContentType="application/vnd.openxmlformats-'
    'officedocument.{kind}.main+xml"/></Types>'
)
CORE = (
    '<?xml version="1.0"?>{doctype}<cp:coreProperties xmlns:cp="http://schemas.openxmlformats.org/'
    'package/2006/metadata/core-properties" xmlns:dc="http://purl.org/dc/elements/1.1/" '
    'xmlns:dcterms="http://purl.org/dc/terms/"><dc:title>{title}</dc:title><dc:creator>Jo</dc:'
    "creator><dcterms:created>2019-05-06T07:08:09Z</dcterms:created></cp:coreProperties>"
)


def zipped(members: dict[str, str | bytes]) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as package:
        for name, body in members.items():
            package.writestr(name, body)
    return sink.getvalue()


def office(kind: str, part: str, *, doctype: str = "", title: str = "A plan") -> bytes:
    return zipped(
        {
            "[Content_Types].xml": _TYPES.format(kind=kind, part=part),
            part: "<x/>",
            "docProps/core.xml": CORE.format(doctype=doctype, title=title),
        }
    )


def sound(seconds: float = 0.5) -> bytes:
    sink = io.BytesIO()
    with wave.open(sink, "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(b"\0\1" * int(8000 * seconds))
    return sink.getvalue()


def video(tags: dict[str, str] | None = None) -> bytes:
    """A quarter of a second of MPEG-4 in an MP4."""
    import av
    import numpy as np

    sink = io.BytesIO()
    with av.open(sink, "w", format="mp4") as container:
        for name, value in (tags or {}).items():
            container.metadata[name] = value
        stream = container.add_stream("mpeg4", rate=24)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for shade in range(6):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), shade * 40, np.uint8))
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return sink.getvalue()


def mail(**headers: str) -> bytes:
    message = EmailMessage()
    for name, value in headers.items():
        message[name] = value
    message.set_content("Hello")
    return message.as_bytes()


def tar() -> bytes:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w:gz") as file:
        file.addfile(tarfile.TarInfo("a"), io.BytesIO())
    return sink.getvalue()


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_bomb(side: int) -> bytes:
    """A PNG of side x side black pixels in a few kilobytes."""
    packer = zlib.compressobj(9)
    row = b"\0" * (1 + side // 8)
    body = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", header)
        + _chunk(b"IDAT", body)
        + _chunk(b"IEND", b"")
    )


def zip_bomb(megabytes: int = 300) -> bytes:
    """A document whose properties unpack to hundreds of megabytes."""
    return zipped(
        {
            "[Content_Types].xml": _TYPES.format(kind="wordprocessingml.document", part="d.xml"),
            "docProps/core.xml": b" " * (megabytes << 20),
        }
    )


def pdf_bomb() -> bytes:
    """A PDF whose content stream was packed twice over, and whose text repeats a thousandfold."""
    inner = b"BT /F1 24 Tf " + b"(A) Tj " * 4_000_000 + b"ET"
    packed = zlib.compress(zlib.compress(inner, 9), 9)
    body = b"<< /Length %d /Filter [/FlateDecode /FlateDecode] >>\nstream\n%s\nendstream" % (
        len(packed),
        packed,
    )
    plain = pdf(text="x")
    start, end = plain.index(b"4 0 obj\n") + 8, plain.index(b"\nendobj\n5 0 obj")
    return plain[:start] + body + plain[end:]


def entity_bomb() -> bytes:
    """Billion laughs where a document keeps its title."""
    entities = '<!ENTITY a "aaaaaaaaaa">' + "".join(
        f'<!ENTITY {name} "{("&" + before + ";") * 10}">'
        for before, name in zip("abcdefgh", "bcdefghi", strict=True)
    )
    return office(
        "wordprocessingml.document",
        "word/document.xml",
        doctype=f"<!DOCTYPE x [{entities}]>",
        title="&i;",
    )


def samples() -> dict[str, bytes]:
    """One sound file of each kind, by name."""
    return {
        "a.jpg": jpeg({0x010F: "Maker", 0x0110: "Model", 0x9003: "2020:02:03 04:05:06"}),
        "b.png": image("PNG"),
        "c.gif": image("GIF"),
        "d.webp": image("WEBP"),
        "e.tif": image("TIFF"),
        "f.bmp": image("BMP"),
        "g.pdf": pdf(),
        "h.docx": office("wordprocessingml.document", "word/document.xml"),
        "i.xlsx": office("spreadsheetml.sheet", "xl/workbook.xml"),
        "j.pptx": office("presentationml.presentation", "ppt/presentation.xml"),
        "k.wav": sound(),
        "l.mp4": video(),
        "m.eml": mail(From="Jo <jo@example.org>", Subject="Hi"),
        "n.tar.gz": tar(),
        "o.zip": zipped({"a.txt": "a"}),
        "p.txt": b"plain words\n",
        "q.avif": image("AVIF"),
    }


def mutations(rng: random.Random, data: bytes) -> bytes:
    """Return the bytes damaged in one of five ways."""
    ways: list[Callable[[], bytes]] = [
        lambda: data[: rng.randrange(len(data) + 1)],
        lambda: _flipped(rng, data, 1 + len(data) // 2000),
        lambda: _flipped(rng, data, 20, within=256),
        lambda: data[: len(data) // 2] + rng.randbytes(64) + data[len(data) // 2 :],
        lambda: _huge_number(rng, data),
    ]
    return rng.choice(ways)()


def _flipped(rng: random.Random, data: bytes, count: int, *, within: int = 0) -> bytes:
    damaged = bytearray(data)
    for _ in range(count if damaged else 0):
        damaged[rng.randrange(min(within or len(damaged), len(damaged)))] ^= 1 << rng.randrange(8)
    return bytes(damaged)


def _huge_number(rng: random.Random, data: bytes) -> bytes:
    """Where a length may stand, put the largest."""
    damaged = bytearray(data)
    for _ in range(3):
        at = rng.randrange(max(1, min(len(damaged), 2048)))
        damaged[at : at + 4] = b"\xff\xff\xff\x7f"
    return bytes(damaged)
