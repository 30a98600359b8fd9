"""Inside a child: the members of an archive, each hashed as it streams by; nothing is unpacked.

Formats: zip; tar, plain or in gzip, bzip2, xz or Zstandard; one file in such a compression; 7z.
Zstandard and 7z are read by libarchive where it is installed. An archive in an archive is a member
like any other: it is not opened.
"""

import hashlib
import resource
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from models.domain.archives import Listing, Member, MemberProblem, pack_listing
from models.domain.fingerprint import Problem
from tasks.fingerprint import archive_formats, archive_libarchive
from tasks.fingerprint.archive_members import PIECE_BYTES, EndOfArchiveError, Found, Gauge
from tasks.fingerprint.parsing import Facts, Request, describe, problem_of
from tasks.fingerprint.sources import FetchedFile, TooMuchError

MAX_NAME = 1024
"""Characters kept of a member's name: what disks and S3 can have."""
CPU_SHARE = 0.85
"""Of the CPU seconds that are left: then the listing is told as far as it came."""


@dataclass(slots=True)
class Reader:
    """Hashes members as they come and keeps what is known of each."""

    gauge: Gauge
    members: list[Member] = field(default_factory=list)
    _known: dict[str, Member] = field(default_factory=dict)

    def take(self, found: Iterator[Found]) -> None:
        """Go through all members.

        Raises:
            TooMuchError, MemoryError, Exception: the archive ends here; `members` has what came
                before.
        """
        for each in found:
            self.gauge.count_member()
            try:
                member = self._read(each)
            except EndOfArchiveError as error:
                self._add_lost(each, str(error))
                raise
            self.members.append(member)
            self._known[each.name] = member

    def _add_lost(self, found: Found, reason: str) -> None:
        path, _ = shown_name(found.name)
        problem = MemberProblem.UNREADABLE.because(reason)
        self.members.append(Member(path=path, size_bytes=max(found.size_bytes, 0), problem=problem))

    def _read(self, found: Found) -> Member:
        path, is_unsafe = shown_name(found.name)
        problem = found.problem
        size_bytes, sha256 = found.size_bytes, None
        if found.same_as is not None:
            target = self._known.get(found.same_as)
            if target is None or target.sha256 is None:
                problem = MemberProblem.LINK.because("to a member that is not there")
            else:
                size_bytes, sha256 = target.size_bytes, target.sha256
        elif found.open is not None:
            try:
                size_bytes, sha256 = self._hash(found.open)
            except (TooMuchError, MemoryError, EndOfArchiveError):
                raise
            except Exception as error:  # noqa: BLE001 - the edge to foreign unpackers; the reason is kept
                problem = _problem_of_member(error)
        if is_unsafe and problem is None:
            problem = MemberProblem.UNSAFE_NAME.because("it leads out of the folder")
        return Member(path=path, size_bytes=max(size_bytes, 0), sha256=sha256, problem=problem)

    def _hash(self, opened: Callable[[], BinaryIO]) -> tuple[int, str]:
        digest, size_bytes = hashlib.sha256(), 0
        with opened() as stream:
            while piece := stream.read(PIECE_BYTES):
                self.gauge.count_bytes(len(piece))
                digest.update(piece)
                size_bytes += len(piece)
        return size_bytes, digest.hexdigest()


def _problem_of_member(error: Exception) -> str:
    reason = describe(error)
    is_encrypted = "encrypt" in reason.lower() or "passphrase" in reason.lower()
    return (MemberProblem.ENCRYPTED if is_encrypted else MemberProblem.UNREADABLE).because(reason)


def shown_name(name: str) -> tuple[str, bool]:
    """Return a member's name fit for a table, and whether it would leave where it is unpacked."""
    plain = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    plain = plain.encode("utf-8", "replace").decode()
    shown = "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in plain)
    parts = plain.replace("\\", "/").split("/")
    is_drive = len(parts[0]) == 2 and parts[0].endswith(":")  # noqa: PLR2004 - `C:`
    is_unsafe = plain.startswith(("/", "\\")) or ".." in parts or is_drive
    return shown[:MAX_NAME], is_unsafe


def prepare() -> None:
    """Load libarchive before children are forked."""
    archive_libarchive.prepare()


def read_archive(request: Request, file: FetchedFile) -> Facts:
    """Return how many members an archive has; their listing travels as `thumbnail_bytes`.

    A hostile or damaged archive gives the members up to where it was left, and the reason.
    """
    soft, _ = resource.getrlimit(resource.RLIMIT_CPU)
    left_s = soft - time.process_time() if soft != resource.RLIM_INFINITY else float("inf")
    listing = listing_of(request, file, cpu_s=CPU_SHARE * left_s)
    return {"members": len(listing.members), "thumbnail_bytes": pack_listing(listing)}


def listing_of(request: Request, file: FetchedFile, *, cpu_s: float) -> Listing:
    """Return what an archive holds, as far as it can be looked through.

    Args:
        request: what the archive is.
        file: its bytes.
        cpu_s: CPU seconds after which the listing ends.
    """
    gauge = Gauge(max(request.size_bytes, 1), time.process_time() + cpu_s)
    reader = Reader(gauge)
    problem: str | None = None
    try:
        stream = file.streamed(2 * request.size_bytes + 64 * PIECE_BYTES)
        reader.take(archive_formats.members(request.label, stream, request.size_bytes))
    except MemoryError:
        problem = Problem.LIMITED.because("reading it takes too much memory")
    except TooMuchError as error:
        problem = Problem.LIMITED.because(describe(error))
    except EndOfArchiveError as error:
        problem = Problem.CORRUPT.because(describe(error))
    except Exception as error:  # noqa: BLE001 - the edge to foreign unpackers; the reason is kept
        problem = problem_of(error, request.label)
    members = sorted(reader.members, key=lambda member: (member.path, member.sha256 or ""))
    return Listing(members=tuple(members), problem=problem)
