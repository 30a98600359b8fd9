"""Which names below the destination are taken, as the destination compares names."""

from collections.abc import Iterable, Iterator

from models.domain.companions import ACTIVE, PASSIVE, SIDECARS, split_extension
from models.domain.paths import fold
from models.domain.placing import split_number
from models.domain.targets import Target

_TIED = ACTIVE | PASSIVE
_NAMING = SIDECARS | {"json"}
"""Extensions put after the whole name of what they belong to: `I.jpg.xmp`."""


def folders_of(path: str) -> Iterator[str]:
    """Yield the folders above a path, outermost first."""
    at = path.find("/")
    while at >= 0:
        yield path[:at]
        at = path.find("/", at + 1)


def stem_of(base: str) -> str:
    """Return the stem of a path without its extension, as far as ties go: no number, no case."""
    return fold(split_number(base.rpartition("/")[2].partition(".")[0])[0])


def stems_of_interest(keys: Iterable[str]) -> frozenset[str]:
    """Return the stems for which a tie is possible at all: those of sidecars, RAWs and movies.

    Most collections have few; what no such file has for its stem need not be remembered.
    """
    return frozenset(
        stem_of(base)
        for base, extension in map(split_extension, keys)
        if extension in ACTIVE or extension in _NAMING
    )


class Names:
    """Files, folders and claims below the destination.

    Args:
        target: how names are compared.
        stems_of_interest: from `stems_of_interest`; None when names may change beyond a number.

    Attributes:
        files: what lies where now: a row of the source (0 and up), another file (-1 and down).
        claims: what the plan puts where: rows of the source, or files that give way (negative).
    """

    def __init__(self, target: Target, stems_of_interest: frozenset[str] | None = None) -> None:
        self._stems_of_interest = stems_of_interest
        self.key = target.key()
        self._is_exact = target.is_exact
        self._folds_case = target.folds_case
        self.files: dict[str, int] = {}
        self.claims: dict[str, int] = {}
        self._folders: dict[str, str] = {}
        self._clear: set[str] = set()
        self._stems: dict[str, frozenset[str]] = {}
        self._named: set[str] = set()
        self._sets: dict[frozenset[str], frozenset[str]] = {}

    def add(self, address: str, occupant: int) -> None:
        """Note a file that lies there now."""
        self.files[self.key(address)] = occupant
        self._add_folders(address)
        self._add_stem(address)

    def claim(self, address: str, occupant: int) -> None:
        """Note that the plan puts something there."""
        self.claims[self.key(address)] = occupant
        self._add_folders(address)
        self._add_stem(address)

    def leave(self, address: str, occupant: int) -> None:
        """Note that the plan takes a file away from there."""
        key = self.key(address)
        if self.files.get(key) == occupant:
            del self.files[key]

    def _add_folders(self, address: str) -> None:
        folder = address.rpartition("/")[0]
        while folder and self.key(folder) not in self._folders:
            self._folders[self.key(folder)] = folder
            folder = folder.rpartition("/")[0]

    def extension(self, address: str) -> str:
        """Return an extension as this destination tells it from others."""
        base, extension = split_extension(address)
        return extension if self._folds_case else address[len(base) + 1 :]

    def _add_stem(self, address: str) -> None:
        base, extension = split_extension(address)
        if extension not in _TIED and extension not in _NAMING:
            return
        if self._stems_of_interest is not None and stem_of(base) not in self._stems_of_interest:
            return
        if extension in _NAMING:
            self._named.add(self.key(base))
        if extension in _TIED:
            key = self.key(base)
            known = self._stems.get(key, frozenset()) | {self.extension(address)}
            self._stems[key] = self._sets.setdefault(known, known)

    def spelled(self, folder: str) -> str:
        """Return a folder as it is written where it, or a part of it, exists in other letters."""
        if self._is_exact or not folder:
            return folder
        known = self._folders.get(self.key(folder))
        if known is not None:
            return known
        parent, _, name = folder.rpartition("/")
        return f"{self.spelled(parent)}/{name}" if parent else name

    def is_folder(self, address: str) -> bool:
        """Return whether a folder of that name exists or is going to."""
        return self.key(address) in self._folders

    def file_above(self, folder: str) -> str | None:
        """Return the comparison key of a file that stands where a folder is needed, or None."""
        if not folder or folder in self._clear:
            return None
        for path in (*folders_of(folder), folder):
            key = self.key(path)
            if key in self.files or key in self.claims:
                return key
        self._clear.add(folder)
        return None

    def would_tie(self, address: str, own: str | None, extensions: set[str]) -> bool:
        """Return whether a file there would look like a companion of a stranger.

        Two recordings `IMG_1.JPG` and `IMG_1.MOV` from different folders are no Live Photo, and a
        sidecar must not find a second picture of its name.

        Args:
            address: where a file would go.
            own: where it lies now below the destination, if it does.
            extensions: those that come along, from `extension`.
        """
        base, extension = split_extension(address)
        key = self.key(base)
        if own is not None and self.key(split_extension(own)[0]) == key:
            return False
        if extension in PASSIVE and self.key(address) in self._named:
            return True
        names_media = extension in _NAMING and split_extension(base)[1] in PASSIVE
        if names_media and len(extensions) == 1 and (key in self.files or key in self.claims):
            return True
        strangers = self._stems.get(key, frozenset()) - extensions
        if extension not in _TIED or not strangers:
            return False
        return extension in ACTIVE or any(name.lower() in ACTIVE for name in strangers)
