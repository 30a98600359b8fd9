"""Archives of every kind, sound and hostile, made here; the encrypted 7z files are golden."""

import base64
import bz2
import gzip
import io
import lzma
import struct
import tarfile
import zipfile

from tasks.fingerprint import archive_libarchive

ENCRYPTED_DATA = base64.b64decode(
    "N3q8ryccAAQ4mZ/ulAAAAAAAAAAhAAAAAAAAAKnxN/jQQ1RN0vjNpD0ErRopfqMj5EwMKic4BGtITwYXnfGe/wAAgTMHrg/Q"
    "DrA8nzkQnJ+m1TPasi6xBmqIGu/sJNWit/IdJWAN4S2CGkGXCMdzG+P2SLT6BpEXS7fNgFdGpzIOEjApLvKJqdkw2h/RvxhE"
    "wccjGQfEC5eTbNn2+UOJUafQp90HzBVkpkw/ne/4Ov/RDwAAFwYgAQl0AAcLAQABIwMBAQVdABAAAAyAjgoBMqejkQAA"
)
"""`s.txt` and `t.txt`, their bytes under a password."""
ENCRYPTED_HEADER = base64.b64decode(
    "N3q8ryccAATPkxgGgAAAAAAAAAAuAAAAAAAAAPCS/WS7PDYfhVajnQ1YJP3GvJ2ODp9GfEwqaHkJCqyLlBwCwl28ZFSKDJoM"
    "b6aExb8OxDozANPsz0BLyxtsLPfJpPb8F+BrQx/g4ISKFuDgqW/u87xEg9wkNq0SUZxiXW+cID13ESjHgz1127R545XdHy07"
    "1lub8ErvZ0Cylm5g1Xh7yRcGEAEJcAAHCwEAASQG8QcBElMP5AN5xb0vRO+1k21YRyLm+QxiCgF2U9suAAA="
)
"""A 7z file that tells not even its names."""

FILES = {"a.txt": b"alpha\n" * 50, "deep/b.bin": bytes(range(256)) * 20, "deep/empty": b""}


def zip_of(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as package:
        for name, data in files.items():
            package.writestr(name, data)
    return out.getvalue()


def tar_of(files: dict[str, bytes], mode: str = "w") -> bytes:
    """A tar, compressed by `mode`."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def through_libarchive(
    files: dict[str, bytes], format_name: str, filter_name: str | None, options: str = ""
) -> bytes:
    """What libarchive writes."""
    library = archive_libarchive.load()
    out = bytearray()

    def write(data: bytes) -> int:
        out.extend(data)
        return len(data)

    with library.custom_writer(write, format_name, filter_name, options=options) as archive:
        for name, data in files.items():
            archive.add_file_from_memory(name, len(data), data)
    return bytes(out)


def sound() -> dict[str, tuple[str, bytes]]:
    """Name to label and bytes of archives that all hold `FILES`."""
    found = {
        "stored.zip": ("zip", zip_of(FILES, zipfile.ZIP_STORED)),
        "deflated.zip": ("zip", zip_of(FILES)),
        "lzma.zip": ("zip", zip_of(FILES, zipfile.ZIP_LZMA)),
        "bzip2.zip": ("zip", zip_of(FILES, zipfile.ZIP_BZIP2)),
        "plain.tar": ("tar", tar_of(FILES)),
        "x.tar.gz": ("gzip", tar_of(FILES, "w:gz")),
        "x.tar.bz2": ("bzip", tar_of(FILES, "w:bz2")),
        "x.tar.xz": ("xz", tar_of(FILES, "w:xz")),
    }
    if archive_libarchive.is_available():
        found["x.7z"] = ("sevenzip", through_libarchive(FILES, "7zip", None))
        found["x.tar.zst"] = ("zst", through_libarchive(FILES, "gnutar", "zstd"))
    return found


def single() -> dict[str, tuple[str, bytes]]:
    """One file in each compression, no tar."""
    data = FILES["a.txt"]
    return {
        "a.txt.gz": ("gzip", gzip.compress(data)),
        "a.txt.bz2": ("bzip", bz2.compress(data)),
        "a.txt.xz": ("xz", lzma.compress(data)),
    }


def with_links() -> bytes:
    """A tar with a symbolic link, a hardlink, a device and a hardlink to nothing."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        info = tarfile.TarInfo("file")
        info.size = 3
        archive.addfile(info, io.BytesIO(b"abc"))
        for name, kind, target in (
            ("soft", tarfile.SYMTYPE, "/etc/passwd"),
            ("hard", tarfile.LNKTYPE, "file"),
            ("lost", tarfile.LNKTYPE, "nowhere"),
            ("device", tarfile.CHRTYPE, ""),
            ("folder", tarfile.DIRTYPE, ""),
        ):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, target
            archive.addfile(info)
    return out.getvalue()


def with_zip_link() -> bytes:
    """A zip with a symbolic link."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as package:
        info = zipfile.ZipInfo("link")
        info.external_attr = 0o120777 << 16
        package.writestr(info, "/etc/passwd")
    return out.getvalue()


def marked_encrypted() -> bytes:
    """A zip whose first member claims to need a password."""
    data = bytearray(zip_of({"locked": b"x" * 40, "open": b"y" * 40}, zipfile.ZIP_STORED))
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    return bytes(data)


def overlapping(count: int = 2000) -> bytes:
    """A zip of whose many members all are the same megabyte of zeros."""
    data = zip_of({"0": bytes(1 << 20)})
    directory = data.index(b"PK\x01\x02")
    entry = bytearray(data[directory : data.rindex(b"PK\x05\x06")])
    entries = b"".join(bytes([*entry[:-1], 48 + n % 70]) for n in range(count))
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, count, count, len(entries), directory, 0)
    return data[:directory] + entries + end


def many_empty(count: int = 100_000) -> bytes:
    """A zip of very many empty members."""
    fields = struct.pack("<5H3L", 20, 0, 0, 0, 0x21, 0, 0, 0)
    locals_, entries = bytearray(), bytearray()
    for n in range(count):
        name = b"%06d" % n
        entries += b"PK\x01\x02" + struct.pack("<H", 20) + fields
        entries += struct.pack("<5HLL", len(name), 0, 0, 0, 0, 0, len(locals_)) + name
        locals_ += b"PK\x03\x04" + fields + struct.pack("<2H", len(name), 0) + name
    shown = min(count, 0xFFFF)
    large = struct.pack(
        "<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, len(entries), len(locals_)
    )
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, len(locals_) + len(entries), 1)
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, shown, shown, len(entries), len(locals_), 0)
    return bytes(locals_ + entries + large + locator + end)


def _repeated(header: bytes, piece: bytes, megabytes: int) -> bytes:
    """A gzip of many members, each the same: quickly made."""
    return gzip.compress(header) + gzip.compress(piece * (1 << 20)) * megabytes


def gzip_bomb(megabytes: int = 600) -> bytes:
    """A tar.gz that unpacks to a thousand times its size."""
    info = tarfile.TarInfo("zeros")
    info.size = megabytes << 20
    return _repeated(info.tobuf(), b"\0", megabytes)


def long_name_bomb(megabytes: int = 1000) -> bytes:
    """A tar.gz whose one header claims, and has, a name of more bytes than a child may hold."""
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, megabytes << 20
    return _repeated(info.tobuf(), b"n", megabytes)


def claims_many_members() -> bytes:
    """A zip64 whose end record claims ten million members."""
    data = zip_of({"a": b"x"})
    at = data.rindex(b"PK\x05\x06")
    directory = data.index(b"PK\x01\x02")
    many = 10_000_000
    large = struct.pack(
        "<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, many, many, at - directory, directory
    )
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, at, 1)
    end = bytearray(data[at:])
    end[8:12] = b"\xff" * 4
    return data[:at] + large + locator + bytes(end)
