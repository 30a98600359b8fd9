"""Which archives are already unpacked elsewhere in a root, member for member, by content. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from models.domain.archives import (
    ArchiveContent,
    ArchiveMember,
    ArchiveOverlap,
    Listing,
    Member,
    MemberProblem,
    Unpacked,
)
from warehouse.schemas.files import texts

compute: Any = pc  # the stubs know too few of its overloads

MOSTLY = 0.5
"""Share of an archive's files from which it counts as mostly unpacked."""
_VOTES = 64
"""Files of one content that vote for their folders: past it (licenses, icons) it says little."""

KeysByContent = Mapping[str, Sequence[str]]
"""Keys of the root's files, ascending, by SHA-256."""


def keys_by_content(fingerprints: pa.Table, contents: Iterable[str]) -> dict[str, list[str]]:
    """Return the files that have some contents.

    Args:
        fingerprints: (n,) rows of `Fingerprint`.
        contents: SHA-256 of what is looked for.
    """
    wanted = pa.array(sorted(set(contents)), pa.string())
    chosen = fingerprints.filter(compute.is_in(fingerprints["sha256"], value_set=wanted))
    chosen = chosen.select(["key", "sha256"]).sort_by("key")
    found: dict[str, list[str]] = {}
    pairs = zip(texts(chosen, "key"), texts(chosen, "sha256"), strict=True)
    for key, sha256 in pairs:
        found.setdefault(sha256, []).append(key)
    return found


def compared_contents(listing: Listing) -> set[str]:
    """Return the contents of an archive that may lie elsewhere."""
    return {each.sha256 for each in listing.members if each.is_compared and each.sha256 is not None}


def archive_overlap(
    archive: ArchiveContent, listing: Listing, keys: KeysByContent
) -> ArchiveOverlap:
    """Return how much of one archive lies elsewhere in its root.

    A member is found when a file has its content, whatever that file's name; the archive itself,
    under any of its names, is none. `wholly` is only said when every member was read.

    Args:
        archive: the archive.
        listing: its members.
        keys: files by content; at least those of its members and its own.
    """
    own = keys.get(archive.sha256, ())
    compared = [each for each in listing.members if each.is_compared]
    found = [each for each in compared if _elsewhere(each, archive, keys)]
    missing = [each for each in compared if not _elsewhere(each, archive, keys)]
    unread = [each for each in listing.members if _is_unread(each)]
    folder, folder_files = _best_folder(found, keys)
    encrypted = sum(_is(each, MemberProblem.ENCRYPTED) for each in unread)
    return ArchiveOverlap(
        key=archive.key,
        sha256=archive.sha256,
        size_bytes=archive.size_bytes,
        copies=max(len(own) - 1, 0),
        unpacked=_unpacked(len(compared), len(found), is_all=not unread and not listing.problem),
        files=len(compared),
        found_files=len(found),
        only_files=len(missing),
        only_bytes=sum(each.size_bytes for each in missing),
        folder=folder,
        folder_files=folder_files,
        unread_files=len(unread),
        encrypted_files=encrypted,
        other_members=len(listing.members) - len(compared) - len(unread),
        problem=listing.problem,
    )


def archive_members(
    archive: ArchiveContent, listing: Listing, keys: KeysByContent, folder: str
) -> Iterator[ArchiveMember]:
    """Yield the members of an archive, each with a file elsewhere that has its content.

    Args:
        archive: the archive.
        listing: its members.
        keys: files by content.
        folder: files in it are named first.
    """
    for each in listing.members:
        elsewhere = _elsewhere(each, archive, keys) if each.is_compared else ()
        inside = (key for key in elsewhere if key.startswith(f"{folder}/"))
        yield ArchiveMember(
            archive_sha256=archive.sha256,
            path=each.path,
            size_bytes=each.size_bytes,
            sha256=each.sha256,
            problem=each.problem,
            found_key=next(inside, elsewhere[0] if elsewhere else None),
        )


def _elsewhere(member: Member, archive: ArchiveContent, keys: KeysByContent) -> Sequence[str]:
    """Return the files that have a member's content; an archive that holds itself has not."""
    if member.sha256 is None or member.sha256 == archive.sha256:
        return ()
    return keys.get(member.sha256, ())


def _is(member: Member, kind: MemberProblem) -> bool:
    return member.problem is not None and member.problem.startswith(kind)


def _is_unread(member: Member) -> bool:
    """Return whether a member has a content nobody saw; a link or a device has none."""
    is_file = not (_is(member, MemberProblem.LINK) or _is(member, MemberProblem.SPECIAL))
    return member.sha256 is None and is_file


def _unpacked(files: int, found: int, *, is_all: bool) -> Unpacked:
    if not files:
        return Unpacked.UNKNOWN
    if found == files and is_all:
        return Unpacked.WHOLLY
    if found >= MOSTLY * files:
        return Unpacked.MOSTLY
    return Unpacked.PARTLY if found else Unpacked.NOT


def _folders_of(key: str) -> Iterator[str]:
    while "/" in key:
        key = key.rpartition("/")[0]
        yield key


def _best_folder(found: Sequence[Member], keys: KeysByContent) -> tuple[str, int]:
    """Return the smallest folder with the most of some members, and how many it has."""
    votes: Counter[str] = Counter()
    for each in found:
        holders = keys.get(each.sha256 or "", ())
        votes.update({folder for key in holders[:_VOTES] for folder in _folders_of(key)})
    most = max(votes.values(), default=0)
    if not most:
        return "", len(found)
    best = {name for name, count in votes.items() if count == most}
    around = {above for name in best for above in _folders_of(name)}
    folder = min(best - around, key=lambda name: (name.count("/"), name))
    has = sum(
        any(key.startswith(f"{folder}/") for key in keys.get(each.sha256 or "", ()))
        for each in found
    )
    return folder, has


_ORDER = (Unpacked.WHOLLY, Unpacked.MOSTLY, Unpacked.PARTLY, Unpacked.NOT, Unpacked.UNKNOWN)


def in_order(overlaps: Iterable[ArchiveOverlap]) -> list[ArchiveOverlap]:
    """Return overlaps, the archives that are most unpacked first, then the largest."""
    return sorted(
        overlaps,
        key=lambda row: (_ORDER.index(Unpacked(row.unpacked)), -row.size_bytes, row.key),
    )
