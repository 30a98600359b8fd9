"""Inside a child: ZIP and OLE packages, most office documents among them."""

import re
import struct
import zipfile
from typing import Any
from xml.etree import ElementTree as ET

from models.domain.fingerprint import Problem
from tasks.fingerprint.parsing import Facts, Request, claim, clean
from tasks.fingerprint.sources import FetchedFile

PART_BYTES = 1 << 20
"""Unpacked from one member at most: property parts are a few kilobytes, bombs are not."""
NAMES = 2000
"""Members looked at for a package's kind; its marks come early."""
_CORE = "docProps/core.xml"
_NAMESPACES = {
    "dc": "http://purl.org/dc/elements/1.1/",
    "dcterms": "http://purl.org/dc/terms/",
    "meta": "urn:oasis:names:tc:opendocument:xmlns:meta:1.0",
}
_MAIN_PARTS = (
    (b"wordprocessingml", "docx"),
    (b"ms-word", "docx"),
    (b"spreadsheetml", "xlsx"),
    (b"ms-excel", "xlsx"),
    (b"presentationml", "pptx"),
    (b"ms-powerpoint", "pptx"),
    (b"ms-visio", "visio"),
    (b"3dmanufacturing", "3mf"),
    (b"xps-", "xps"),
    (b"oxps", "xps"),
)
"""What `[Content_Types].xml` names in an Open Packaging document, most telling first."""
_OPEN_DOCUMENT = {
    "text": "odt",
    "spreadsheet": "ods",
    "presentation": "odp",
    "graphics": "odg",
    "database": "odb",
    "base": "odb",
}
_MARKS = (
    ("AndroidManifest.xml", "apk"),
    ("META-INF/MANIFEST.MF", "jar"),
    ("AppxManifest.xml", "msix"),
    ("doc.kml", "kmz"),
    ("content.opf", "epub"),
)
_STREAMS = (
    ("WordDocument", "doc"),
    ("Workbook", "xls"),
    ("Book", "xls"),
    ("PowerPoint Document", "ppt"),
    ("__properties_version1.0", "outlook"),
    ("__nameid_version1.0", "outlook"),
    ("VisioDocument", "visio"),
    ("FileHeader", "hwp"),
    ("PerfectOffice_MAIN", "wpd"),
    ("PerfectOffice_OBJECTS", "wpd"),
    ("NativeContent_MAIN", "quattro"),
    ("MatOST", "wps"),
    ("!_StringData", "msi"),
)
"""Names of streams in an OLE directory ([MS-CFB] and the formats' own specifications)."""
_ENCRYPTED = "EncryptedPackage"


def read_zip(_request: Request, file: FetchedFile) -> Facts:
    """Return what a ZIP package is, with the core properties of an office document.

    Raises:
        zipfile.BadZipFile: it is damaged.
    """
    with zipfile.ZipFile(file.opened()) as package:
        names = package.namelist()[:NAMES]
        facts: Facts = {}
        label = _zip_label(package, names)
        if label is not None:
            facts["label"] = label
        if _CORE in names:
            facts |= _properties(_part(package, _CORE))
        elif "meta.xml" in names and "mimetype" in names:
            facts |= _properties(_part(package, "meta.xml"))
    return facts


def _zip_label(package: zipfile.ZipFile, names: list[str]) -> str | None:
    present = set(names)
    if "mimetype" in present:
        mime = _part(package, "mimetype").decode("ascii", errors="replace").strip()
        if mime == "application/epub+zip":
            return "epub"
        found = re.match(r"application/vnd\.(?:oasis|sun)\.[a-z.]+\.(\w+)", mime)
        if found:
            return _OPEN_DOCUMENT.get(found.group(1))
    if "[Content_Types].xml" in present:
        types = _part(package, "[Content_Types].xml")
        return next((label for mark, label in _MAIN_PARTS if mark in types), None)
    for mark, label in _MARKS:
        if mark in present:
            return label
    return None


def _part(package: zipfile.ZipFile, name: str) -> bytes:
    """Return the first `PART_BYTES` of a member; b"" when it cannot be unpacked."""
    try:
        with package.open(name) as member:
            return member.read(PART_BYTES)
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError, ValueError, OSError):
        return b""


def _properties(text: bytes) -> Facts:
    """Return title, author and creation time of `core.xml` or `meta.xml`.

    A document type is refused, so no entity is ever expanded.
    """
    if not text or b"<!DOCTYPE" in text or b"<!ENTITY" in text:
        return {}
    try:
        root = ET.fromstring(text)  # noqa: S314 - limited in size, without a document type
    except (ET.ParseError, ValueError, LookupError):
        return {}

    def value(path: str) -> str | None:
        found = root.find(f".//{path}", _NAMESPACES)
        return clean(found.text) if found is not None else None

    created = value("dcterms:created") or value("meta:creation-date")
    return {
        "title": value("dc:title"),
        "artist": value("dc:creator") or value("meta:initial-creator"),
        "dates": claim("container", created),
    }


def read_ole(_request: Request, file: FetchedFile) -> Facts:
    """Return what an OLE compound file is, by the streams of its directory.

    Raises:
        ValueError: it is damaged.
    """
    opened = file.opened()
    header = opened.read(512)
    if len(header) < 512 or not header.startswith(b"\xd0\xcf\x11\xe0"):  # noqa: PLR2004 - [MS-CFB] 2.2
        raise ValueError("no OLE header")
    shift, first = struct.unpack_from("<H", header, 30)[0], struct.unpack_from("<I", header, 48)[0]
    if shift not in {9, 12}:
        raise ValueError("no OLE sector size")
    names = _stream_names(opened, ((first + 1) << shift))
    if _ENCRYPTED in names:
        return {"problem": Problem.ENCRYPTED.because("needs a password")}
    label = next((label for stream, label in _STREAMS if stream in names), None)
    return {"label": label}


def _stream_names(opened: Any, offset: int) -> set[str]:
    """Return the names in the first 64 entries of the directory; they lie together in practice."""
    opened.seek(offset)
    directory = opened.read(64 * 128)
    names: set[str] = set()
    for at in range(0, len(directory) - 127, 128):
        length = struct.unpack_from("<H", directory, at + 64)[0]
        if 2 <= length <= 64:  # noqa: PLR2004 - bytes of a name with its end, [MS-CFB] 2.6.1
            raw = directory[at : at + length - 2]
            names.add(raw.decode("utf-16-le", errors="replace"))
    return names
