"""What one read of a file gave."""

from dataclasses import dataclass
from enum import StrEnum

from models.domain.columns import column
from models.domain.manifest import ManifestRow

ALGORITHM_VERSION = 3
"""Raised whenever a fingerprint of the same bytes would differ; part of every cache key."""


class Media(StrEnum):
    """Coarse kind of a content, by its bytes."""

    IMAGE = "image"
    VIDEO = "video"
    AUDIO = "audio"
    DOCUMENT = "document"
    SPREADSHEET = "spreadsheet"
    PRESENTATION = "presentation"
    EMAIL = "email"
    CODE = "code"
    DATA = "data"
    ARCHIVE = "archive"
    FONT = "font"
    EXECUTABLE = "executable"
    MODEL = "model"
    OTHER = "other"


class DateSource(StrEnum):
    """Where the date of a file came from, in the order in which sources are believed."""

    EXIF = "exif"
    XMP = "xmp"
    CONTAINER = "container"
    NAME = "name"
    MODIFIED = "modified"


class DateFlag(StrEnum):
    """What is odd about the date."""

    NONE = ""
    ZEROED = "zeroed"
    FUTURE = "future"
    MALFORMED = "malformed"
    CONFLICTING = "conflicting"


class Problem(StrEnum):
    """How a `problem` begins: `<kind>: <reason in words>`."""

    UNREADABLE = "unreadable"
    """No byte could be had; no hashes."""
    DEFERRED = "deferred"
    """It changed while it was read, or is in use; a later run takes it. No hashes."""
    CORRUPT = "corrupt"
    """Read and hashed, but damaged: it is not what it claims to be."""
    LIMITED = "limited"
    """Read and hashed; parsing it takes more time, memory or pixels than a file may."""
    ENCRYPTED = "encrypted"
    """Read and hashed; its facts need a password."""
    UNSUPPORTED = "unsupported"
    """Read and hashed; a variant that no parser here knows."""

    def because(self, reason: str) -> str:
        """Return the text of a `problem`."""
        return f"{self}: {reason}"

    def is_kind_of(self, problem: str | None) -> bool:
        """Return whether a `problem` is of this kind."""
        return problem is not None and problem.startswith(f"{self}: ")


def index_profile(*, read_gps: bool) -> str:
    """Return what a fingerprint depends on besides the bytes, as a folder's name.

    Fingerprints made under another profile are not carried over; the name is part of where they
    are kept.
    """
    return f"v{ALGORITHM_VERSION}-gps" if read_gps else f"v{ALGORITHM_VERSION}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint(ManifestRow):
    """One file with its content's identity and facts.

    A file that could not be read has `sha256` None and stays where it is. One that could be read
    but not parsed has its hashes and a `problem`: it is moved like any other and never removed.
    Either is a counted row.
    """

    md5: str | None = column("MD5, 32 hexadecimal digits.", default=None)
    sha256: str | None = column("SHA-256, 64 hexadecimal digits.", default=None)
    mime: str = column("Media type by content.", default="application/octet-stream")
    content_label: str = column("Content type by signature or Magika.", default="unknown")
    media: str = column("Coarse kind, a `Media`.", default=Media.OTHER)
    extension_matches: bool = column("Whether the name's extension fits the content.", default=True)
    width: int | None = column("Pixels across, orientation applied.", default=None)
    height: int | None = column("Pixels down, orientation applied.", default=None)
    duration_s: float | None = column("Playing time in seconds.", default=None)
    has_text: bool | None = column("PDF: whether any page has a text layer.", default=None)
    captured_at: str | None = column(
        "Local wall-clock time of capture, `YYYY-MM-DDTHH:MM:SS`; never converted.", default=None
    )
    captured_offset_min: int | None = column(
        "Offset of that clock from UTC in minutes, where the file says.", default=None
    )
    captured_source: str = column("Where the date came from, a `DateSource`.", default="modified")
    captured_flag: str = column("What is odd about it, a `DateFlag`.", default="")
    camera_make: str | None = column("Maker of the camera.", default=None)
    camera_model: str | None = column("Model of the camera.", default=None)
    latitude: float | None = column("Degrees north; only where opted in.", default=None)
    longitude: float | None = column("Degrees east; only where opted in.", default=None)
    title: str | None = column("Title in the file.", default=None)
    artist: str | None = column("Artist or author in the file.", default=None)
    album: str | None = column("Album in the file.", default=None)
    track: int | None = column("Track number in the file.", default=None)
    genre: str | None = column("Genre in the file.", default=None)
    channels: int | None = column("Channels of sound: 1 mono, 2 stereo.", default=None)
    sender: str | None = column("Mail: address of the sender.", default=None)
    thumbnail: str | None = column("Key of the thumbnail in the lake.", default=None)
    problem: str | None = column(
        "Why facts are missing, a `Problem` and words; null when none.", default=None
    )
