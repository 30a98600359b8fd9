"""What is known of the members of archives, and how it is told where else their contents are."""

import json
import zlib
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, cast

from models.domain.columns import column

LISTING_VERSION = 1
"""Raised whenever a listing of the same bytes would differ; part of every cache key."""

LARGEST_PAYLOAD = 256 * 1024 * 1024
"""Bytes of an unpacked payload: a listing of the most members that are looked at has 60 MB."""


class MemberProblem(StrEnum):
    """Why a member has no content to compare, or is odd; what is said follows after a colon."""

    ENCRYPTED = "encrypted"
    LINK = "link"
    SPECIAL = "special"
    UNREADABLE = "unreadable"
    OVERLAPPING = "overlapping"
    UNSAFE_NAME = "unsafe name"
    """It would leave the folder it is unpacked to; its content is compared all the same."""

    def because(self, reason: str) -> str:
        """Return the problem with its reason."""
        return f"{self.value}: {reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One member of an archive; folders are none.

    Attributes:
        path: its name as the archive has it, printable; "" for what a single compressed file holds.
        size_bytes: its unpacked size; the one claimed when it could not be read.
        sha256: its content; None when it was not read.
        problem: a `MemberProblem`, with its reason in words; None when none.
    """

    path: str
    size_bytes: int
    sha256: str | None = None
    problem: str | None = None

    @property
    def is_compared(self) -> bool:
        """Whether it has a content that may lie elsewhere; empty ones have none."""
        return self.sha256 is not None and self.size_bytes > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What an archive holds.

    Attributes:
        members: in order of path.
        problem: why it could not be read, or not to its end; None when it was.
        cpu_s: CPU seconds that were allowed; a listing cut short is made again when more are.
    """

    members: tuple[Member, ...] = ()
    problem: str | None = None
    cpu_s: int = 0


def pack_listing(listing: Listing) -> bytes:
    """Return a listing as bytes; equal listings give equal bytes."""
    rows = [[each.path, each.size_bytes, each.sha256, each.problem] for each in listing.members]
    document = {"problem": listing.problem, "cpu_s": listing.cpu_s, "members": rows}
    return zlib.compress(json.dumps(document, separators=(",", ":")).encode(), 6)


def unpack_listing(payload: bytes) -> Listing:
    """Return the listing of some bytes, which come from a process that read hostile ones.

    Raises:
        ValueError: they are none.
    """
    inflater = zlib.decompressobj()
    try:
        text = inflater.decompress(payload, LARGEST_PAYLOAD)
        document = json.loads(text) if inflater.eof else None
    except (zlib.error, RecursionError) as error:
        raise ValueError("not a listing") from error
    if not isinstance(document, dict):
        raise ValueError("not a listing")  # noqa: TRY004 - what is read decides, not a type of ours
    found = cast("dict[str, Any]", document)
    members = tuple(_member(row) for row in found.get("members") or ())
    problem, cpu_s = found.get("problem"), found.get("cpu_s")
    if not (problem is None or isinstance(problem, str)) or not isinstance(cpu_s, int):
        raise ValueError("not a listing")
    return Listing(members=members, problem=problem, cpu_s=cpu_s)


def _member(row: Any) -> Member:
    path, size_bytes, sha256, problem = row
    is_sound = (
        isinstance(path, str)
        and isinstance(size_bytes, int)
        and 0 <= size_bytes < 1 << 62
        and (sha256 is None or (isinstance(sha256, str) and len(bytes.fromhex(sha256)) == 32))  # noqa: PLR2004 - SHA-256
        and (problem is None or isinstance(problem, str))
    )
    if not is_sound:
        raise ValueError("not a member")
    path.encode()  # a lone surrogate is no text
    return Member(path=path, size_bytes=size_bytes, sha256=sha256, problem=problem)


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveContent:
    """One content that is an archive, and a file that holds it."""

    sha256: str = column("SHA-256 of the archive itself, 64 hexadecimal digits.")
    key: str = column("The first file of this content, by key.")
    label: str = column("Content type by signature.")
    size_bytes: int = column("Size in bytes.")
    version: str = column("Version of the file that was read.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveListing:
    """The listing of one archive as bytes (`pack_listing`)."""

    sha256: str = column("SHA-256 of the archive, 64 hexadecimal digits.")
    version: int = column("`LISTING_VERSION` it was made with.")
    payload: bytes = column("What `unpack_listing` reads.")


class Unpacked(StrEnum):
    """How much of an archive lies elsewhere in the root."""

    WHOLLY = "wholly"
    """Every member was read, and its content lies elsewhere."""
    MOSTLY = "mostly"
    PARTLY = "partly"
    NOT = "not"
    UNKNOWN = "unknown"
    """Nothing of it could be compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveOverlap:
    """How much of an archive lies elsewhere in the root, byte for byte."""

    key: str = column("Path of the archive below the root.")
    sha256: str = column("Its content, 64 hexadecimal digits.")
    size_bytes: int = column("Its size in bytes.")
    copies: int = column("Further files of the same content.")
    unpacked: str = column("How much of it lies elsewhere, an `Unpacked`.")
    files: int = column("Members with a content, which were read and compared.")
    found_files: int = column("Of those, whose content lies elsewhere in the root.")
    only_files: int = column("Of those, whose content is only in archives.")
    only_bytes: int = column("Unpacked bytes of those.")
    folder: str = column("The smallest folder that has the most of it; empty for the root.")
    folder_files: int = column("Members whose content lies in that folder.")
    unread_files: int = column("Members that could not be read; not compared.")
    encrypted_files: int = column("Of those, the encrypted ones.")
    other_members: int = column("Links, devices and empty files: nothing to compare.")
    problem: str | None = column("Why it was not read, or not to its end; null when it was.")

    def in_words(self) -> str:
        """Return it in one sentence."""
        name = self.key.rpartition("/")[2]
        if self.unpacked == Unpacked.UNKNOWN:
            return f"{name}: {self.problem or self._unread() or 'no files to compare'}"
        where = f"are in {self.folder}" if self.folder_files == self.found_files else ""
        if not where or not self.folder:
            where = "are elsewhere"
            if self.folder and self.folder_files:
                where += f" ({self.folder_files:,} in {self.folder})"
        parts = [f"{self.found_files:,} of {self.files:,} files, byte for byte, {where}"]
        if self.only_files:
            parts.append(f"{self.only_files:,} only in the archive")
        parts += [text for text in (self._unread(), self.problem) if text]
        return f"{name}: " + "; ".join(parts)

    def _unread(self) -> str:
        if not self.unread_files:
            return ""
        kind = "encrypted" if self.encrypted_files == self.unread_files else "not readable"
        return f"{self.unread_files:,} {kind}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveMember:
    """One member of an archive and where its content lies elsewhere."""

    archive_sha256: str = column("The archive's content, 64 hexadecimal digits.")
    path: str = column("Name in the archive; empty for what a single compressed file holds.")
    size_bytes: int = column("Unpacked size in bytes.")
    sha256: str | None = column("Content, 64 hexadecimal digits; null when it was not read.")
    problem: str | None = column("Why it was not read, or what is odd; null when nothing.")
    found_key: str | None = column("A file elsewhere in the root that has its content; null: none.")
