"""What a listing says of a file, before any byte is read."""

from dataclasses import dataclass

from models.domain.columns import column


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestRow:
    """One file of a storage root as listed; no byte was read."""

    key: str = column("Path below the root, `/` between parts, as stored; unique in a manifest.")
    size_bytes: int = column("Size in bytes.")
    modified_ns: int = column("Modification time, nanoseconds since 1970 UTC.")
    version: str = column(
        "What the storage knows a version by: `inode-mtime_ns-ctime_ns` on disk, version id or "
        "ETag on S3. Equal means unchanged; different means read again. Never a content's identity."
    )
    device: int | None = column("Device number on disk.", default=None)
    inode: int | None = column("Inode number on disk.", default=None)
    link_count: int = column("Names of the same inode; more than one is a hardlink.", default=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListingProblem:
    """Something listed that cannot be a manifest row; counted and reported, never touched."""

    key: str = column("Printable form of the name.")
    reason: str = column("Why it was passed over, in words.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentHash:
    """What a full read of one version gave."""

    md5: str = column("MD5, 32 hexadecimal digits.")
    sha256: str = column("SHA-256, 64 hexadecimal digits: the identity of content.")
    size_bytes: int = column("Bytes read.")
    version: str = column("Version that was read, the same before and after.")
