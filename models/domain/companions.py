"""Files of one folder that belong together: RAW+JPEG, Live Photos, sidecars, subtitles."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

PHOTOS = frozenset({"jpg", "jpeg", "heic", "heif"})
"""What a camera writes beside a RAW, and the still of a Live Photo."""

RAWS = frozenset(
    {
        *("3fr", "arw", "cr2", "cr3", "crw", "dcr", "dng", "erf", "iiq", "kdc", "mef", "mos"),
        *("mrw", "nef", "nrw", "orf", "pef", "raf", "raw", "rw2", "rwl", "sr2", "srf", "srw"),
        "x3f",
    }
)
"""Extensions of RAW files (the list of LibRaw's supported formats)."""

IMAGES = PHOTOS | RAWS | frozenset({"png", "tif", "tiff", "psd", "gif", "webp"})
VIDEOS = frozenset({"mov", "mp4", "m4v", "mkv", "avi", "webm", "mpg", "mpeg", "mts", "wmv"})
LIVE = frozenset({"mov"})
"""The moving part of a Live Photo."""

SUBTITLES = frozenset({"srt", "vtt", "ass", "ssa", "sub", "idx"})
SIDECARS = frozenset({"xmp", "aae", "thm"})

ACTIVE = RAWS | LIVE | SIDECARS | SUBTITLES
"""Extensions that tie a file to others of its stem."""

PASSIVE = IMAGES | VIDEOS
"""Extensions that others may be tied to."""

_LANGUAGE = re.compile(r"(?:\.(?:[a-z]{2,3}(?:-[A-Za-z]{2,4})?|forced|sdh|cc))+\Z")
_TAKEOUT = re.compile(r"(?P<name>.+?)(?:\.(?P<word>s[a-z-]*))?(?P<number>\(\d+\))?\Z", re.DOTALL)
_TAKEOUT_WORD = "supplemental-metadata"
"""What a Takeout puts before `.json`, cut wherever the name grew too long."""

_RANK = ("jpg", "jpeg", "heic", "heif")


@dataclass(frozen=True, slots=True)
class Cluster:
    """Files that go together.

    Attributes:
        anchor: path that they share: folder and stem of the leader.
        members: positions in the keys given; the leader first, then by key.
    """

    anchor: str
    members: tuple[int, ...]


def split_extension(key: str) -> tuple[str, str]:
    """Return the path without its last extension, and that extension in small letters."""
    base, dot, extension = key.rpartition(".")
    if not dot or "/" in extension or not base or base.endswith("/"):
        return key, ""
    return base, extension.lower()


def _owner_keys(base: str, extension: str) -> Iterable[str]:
    """Yield whole keys that a sidecar may belong to: `a.cr2` of `a.cr2.xmp`."""
    yield base
    if extension != "json":
        return
    match = _TAKEOUT.match(base)
    if match is None:
        return
    name, word, number = match["name"], match["word"], match["number"] or ""
    if word and not _TAKEOUT_WORD.startswith(word):
        name = f"{name}.{word}"
    yield name
    if number:
        stem, own = split_extension(name)
        yield f"{stem}{number}{name[len(stem) :]}" if own else name


class _Folder:
    """What pass one found: sidecars by what they may belong to, and stems worth a look."""

    def __init__(self, keys: Sequence[str]) -> None:
        self.keys = keys
        self.wanted: set[str] = set()
        self.sidecars: list[tuple[int, str, str]] = []
        self.media: dict[str, list[tuple[int, str]]] = defaultdict(list)
        self.by_key: dict[str, int] = {}

    def collect(self, rows: Iterable[int]) -> None:
        """Find sidecars, RAWs and movies; then the media that share their stems."""
        rows = list(rows)
        for row in rows:
            base, extension = split_extension(self.keys[row])
            if extension in RAWS or extension in LIVE:
                self.wanted.add(base)
            elif extension in SIDECARS or extension in SUBTITLES or extension == "json":
                self.sidecars.append((row, base, extension))
                self.wanted.update(_owner_keys(base, extension))
                if extension in SUBTITLES:
                    self.wanted.add(_LANGUAGE.sub("", base))
        if not self.wanted:
            return
        for row in rows:
            key = self.keys[row]
            base, extension = split_extension(key)
            if (extension in IMAGES or extension in VIDEOS) and (
                base in self.wanted or key in self.wanted
            ):
                self.media[base].append((row, extension))
                self.by_key[key] = row


def _cores(media: Sequence[tuple[int, str]]) -> list[list[int]]:
    """Return the media of one stem that belong together without any sidecar, and those alone."""
    photos = [row for row, extension in media if extension in PHOTOS]
    raws = [row for row, extension in media if extension in RAWS]
    live = [row for row, extension in media if extension in LIVE] if photos else []
    together = photos + raws + live if raws or live else []
    rest = [row for row, _ in media if row not in together]
    return ([together] if together else []) + [[row] for row in rest]


def _belongs_to(
    cores: Sequence[list[int]], extensions: dict[int, str], kinds: frozenset[str]
) -> int | None:
    """Return which core a sidecar of that stem belongs to: photos first, then by key."""
    fitting = [n for n, core in enumerate(cores) if any(extensions[row] in kinds for row in core)]
    photos = [n for n in fitting if any(extensions[row] in PHOTOS for row in cores[n])]
    return next(iter(photos or fitting), None)


def find_clusters(keys: Sequence[str], rows: Iterable[int]) -> list[Cluster]:
    """Return the files that belong together, by their names alone.

    A name is matched to the letter (`IMG_1` is not `img_1`); of two files that differ only in the
    case of their extension, the first by key belongs and the other is on its own.

    Args:
        keys: (n,) paths.
        rows: positions to look at, ascending.

    Returns:
        Clusters of two or more, by their leader's position; no file is in two.
    """
    found = _Folder(keys)
    found.collect(rows)
    extensions = {row: ext for media in found.media.values() for row, ext in media}
    cores = {base: _cores(media) for base, media in found.media.items()}
    home = {row: core for groups in cores.values() for core in groups for row in core}
    attached: dict[int, list[int]] = defaultdict(list)
    for sidecar in found.sidecars:
        core = _core_of(found, cores, extensions, home, sidecar)
        if core is not None:
            attached[core[0]].append(sidecar[0])
    clusters: list[Cluster] = []
    for groups in cores.values():
        for core in groups:
            members = _distinct(keys, [*core, *attached.get(core[0], [])])
            if len(members) > 1:
                leader = min(core, key=lambda row: (_rank(extensions[row]), row))
                rest = sorted(row for row in members if row != leader)
                clusters.append(Cluster(split_extension(keys[leader])[0], (leader, *rest)))
    return sorted(clusters, key=lambda cluster: cluster.members[0])


def _core_of(
    found: _Folder,
    cores: dict[str, list[list[int]]],
    extensions: dict[int, str],
    home: dict[int, list[int]],
    sidecar: tuple[int, str, str],
) -> list[int] | None:
    """Return the media that a sidecar belongs to."""
    _, base, extension = sidecar
    for key in _owner_keys(base, extension):
        if key in found.by_key:
            return home[found.by_key[key]]
    if extension == "json":
        return None
    stem = base
    if extension in SUBTITLES and stem not in cores:
        stem = _LANGUAGE.sub("", base)
    groups = cores.get(stem, [])
    kinds = VIDEOS if extension in SUBTITLES else IMAGES | VIDEOS
    chosen = _belongs_to(groups, extensions, kinds)
    return None if chosen is None else groups[chosen]


def _rank(extension: str) -> int:
    """Photos lead (their facts are read best), then RAWs, then videos."""
    if extension in PHOTOS:
        return _RANK.index(extension)
    return len(_RANK) + (0 if extension in RAWS else 1)


def _distinct(keys: Sequence[str], rows: Sequence[int]) -> list[int]:
    """Drop files whose name is another member's in other letters."""
    seen: dict[str, int] = {}
    for row in sorted(rows):
        seen.setdefault(keys[row].casefold(), row)
    return sorted(seen.values())
