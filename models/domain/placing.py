"""Where a file belongs, and whether it is there already."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from models.domain.categories import coarse_category
from models.domain.paths import safe_component, split_name
from models.domain.templates import Place, Template

FIRST_COUNTER = 1
COUNTER_DIGITS = 4
"""`0001` sorts with `9999`; what is larger simply has more digits."""

_NUMBERED = re.compile(r"(?P<name>.+) \((?P<number>[2-9]|[1-9]\d{1,8})\)\Z", re.DOTALL)
COUNTERS = re.compile(rf"\d{{{COUNTER_DIGITS},9}}")


@dataclass(frozen=True, slots=True)
class Namespace:
    """How keys of the source and paths below the destination name the same files.

    Attributes:
        is_same: both roots are one.
        below: source keys below this folder lie in the destination ("dest inside source").
        prefix: the source is this folder of the destination ("source inside dest").
    """

    is_same: bool = False
    below: str | None = None
    prefix: str | None = None

    def address(self, key: str) -> str | None:
        """Return where a file of the source lies below the destination; None when outside."""
        if self.is_same:
            return key
        if self.prefix is not None:
            return f"{self.prefix}/{key}"
        if self.below is not None and key.startswith(f"{self.below}/"):
            return key[len(self.below) + 1 :]
        return None

    def addresses(self, keys: Iterable[str]) -> list[str]:
        """Return where those of some keys lie that lie below the destination."""
        found = (self.address(key) for key in keys)
        return [address for address in found if address is not None]

    def is_settled(self, key: str) -> bool:
        """Return whether a file of the source lies in a destination inside it: never re-walked."""
        return self.below is not None and key.startswith(f"{self.below}/")


def namespace_of(source_url: str, destination_url: str) -> Namespace:
    """Return how two roots lie to each other, by their canonical URLs."""
    source, destination = _comparable(source_url), _comparable(destination_url)
    if source == destination:
        return Namespace(is_same=True)
    if destination.startswith(f"{source}/"):
        return Namespace(below=destination[len(source) + 1 :])
    if source.startswith(f"{destination}/"):
        return Namespace(prefix=source[len(destination) + 1 :])
    return Namespace()


def _comparable(url: str) -> str:
    """Return a canonical URL with its path as it is in keys: unquoted, without options."""
    scheme, mark, path = url.partition("://")
    path = path.partition("?")[0] if scheme == "memory" else path
    path = unquote(path) if scheme == "file" else path
    return f"{scheme}{mark}{path.rstrip('/')}"


def root_name(url: str) -> str:
    """Return what a root is called: the last part of its path."""
    return _comparable(url).rpartition("/")[2] or "source"


def counter_text(number: int) -> str:
    """Return a counter as it is written: `0001`."""
    return f"{number:0{COUNTER_DIGITS}d}"


def place_at(template: Template, values: Mapping[str, str | None], number: int) -> Place:
    """Return the place with a number in its `{counter}`."""
    return template.place({**values, "counter": counter_text(number)})


def place_of(template: Template, values: Mapping[str, str | None]) -> Place:
    """Return the first place of a file; counters begin at 1."""
    if "counter" in template.fields:
        return place_at(template, values, FIRST_COUNTER)
    return template.place(values)


def split_number(anchor: str) -> tuple[str, int]:
    """Return a path without its extension as name and number: `a (2)` is (`a`, 2), `a` (`a`, 1)."""
    match = _NUMBERED.match(anchor)
    return (match["name"], int(match["number"])) if match else (anchor, 1)


def is_in_place(
    template: Template,
    values: Mapping[str, str | None],
    address: str,
    place: Place,
    folder_key: Callable[[str], str] = str,
) -> bool:
    """Return whether a file lies where the template wants it, perhaps with a number.

    The template is read backwards: `{year}-{stem}{ext}` wants `2020-party.jpg` to stay what it is,
    not to become `2020-2020-party.jpg`. So a second run over an organized tree changes nothing.

    Args:
        template: what is asked for.
        values: of the file as it is now.
        address: where it lies below the destination.
        place: `place_of(template, values)`.
        folder_key: maps folders that the destination takes for one to equal texts; a *name* in
            other letters is worth a rename, a folder that exists keeps the letters it has.
    """
    if _is_at(place, address, folder_key):
        return True
    return template.is_ambiguous and any(
        _is_at(template.place(variant), address, folder_key)
        for variant in _variants(template, values, address)
    )


def _is_at(place: Place, address: str, folder_key: Callable[[str], str]) -> bool:
    folder, _, name = address.rpartition("/")
    if folder != place.folder and folder_key(folder) != folder_key(place.folder):
        return False
    wanted = Place("", place.name, place.tail)
    if name == wanted.path():
        return True
    if not name.endswith(")" + place.tail):
        return False
    number = split_number(name[: len(name) - len(place.tail)])[1]
    return number > 1 and wanted.path(number) == name


def _variants(
    template: Template, values: Mapping[str, str | None], address: str
) -> Iterator[dict[str, str | None]]:
    """Yield values that, put into the template, could have given the address."""
    fields = template.fields
    counters = set(COUNTERS.findall(address)) if "counter" in fields else set[str]()
    folders = list(_suffixes(values.get("folder") or "")) if "folder" in fields else []
    in_folder = any(piece.field == "stem" for pieces in template.folders for piece in pieces)
    affixed = "stem" in fields and (in_folder or len(template.name) > 1)
    if not counters and not folders and not affixed:
        return
    for counter in sorted(counters) or [None]:
        for folder in folders or [values.get("folder")]:
            variant = {**values, "folder": folder}
            if counter is not None:
                variant["counter"] = counter
            yield variant
            if affixed:
                for stem in _stems(template, variant, address):
                    yield {**variant, "stem": stem}


def _suffixes(folder: str) -> Iterator[str]:
    """Yield every folder at the end of a path, the whole first, the root last."""
    while folder:
        yield folder
        folder = folder.partition("/")[2]
    yield ""


def _stems(template: Template, values: Mapping[str, str | None], address: str) -> Iterator[str]:
    """Yield stems that the name at the address could have been made from."""
    at = [n for n, piece in enumerate(template.name) if piece.field == "stem"]
    if len(at) != 1:
        return
    before = "".join(piece.render(values) for piece in template.name[: at[0]])
    after = "".join(piece.render(values) for piece in template.name[at[0] + 1 :])
    _, stem, _ = split_name(address)
    for name in dict.fromkeys((stem, split_number(stem)[0])):
        end = len(name) - len(after)
        if len(before) < end and name.startswith(before) and name.endswith(after):
            yield name[len(before) : end]


def project_values(
    root: str, name: str, category: tuple[str, str], oldest: str | None
) -> dict[str, str | None]:
    """Return the template's values for a whole project.

    Args:
        root: the project's folder, as a key.
        name: what it is called (a root that is the source itself goes by the source's name).
        category: category and sub-category, from what marks it as a project.
        oldest: date of its oldest file, `YYYY-MM-DD`: the one that later work does not change.
    """
    values: dict[str, str | None] = {
        "stem": name,
        "project": name,
        "folder": root.rpartition("/")[0],
        "category": category[0],
        "subcategory": category[1],
        "coarse_category": coarse_category(category[0]),
        "extension": "project",
        "mime": "project",
        "media": "project",
        "size_band": "project",
    }
    if oldest is not None:
        values.update(year=oldest[:4], month=oldest[5:7], day=oldest[8:10], date=oldest)
    return values


def project_place(template: Template, values: Mapping[str, str | None]) -> Place:
    """Return where a project belongs: a folder of its name below the template's folder.

    Where the template has a `{project}` folder, the innermost folder is the project itself.
    """
    counted = {**values, "counter": counter_text(FIRST_COUNTER)}
    folder = template.folder(counted)
    if any(piece.field == "project" for pieces in template.folders for piece in pieces):
        parent, _, name = folder.rpartition("/")
        return Place(parent, name, "")
    return Place(folder, safe_component(values.get("stem") or ""), "")


def is_project_in_place(
    template: Template,
    values: Mapping[str, str | None],
    address: str,
    place: Place,
    folder_key: Callable[[str], str] = str,
) -> bool:
    """Return whether a project's folder lies where the template wants it; see `is_in_place`."""
    if _is_at(place, address, folder_key):
        return True
    if "folder" not in template.fields:
        return False
    return any(
        _is_at(project_place(template, {**values, "folder": folder}), address, folder_key)
        for folder in _suffixes(values.get("folder") or "")
    )
