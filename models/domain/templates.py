"""Templates: `{field}` and `{field|fallback}` between slashes, from text to a safe path.

Whatever a file says of itself, a rendered path stays below its folder: every value is one path
component, never empty, never `..`, never our own reserved folder.
"""

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from models.domain.errors import InvalidError, UnsafePathError
from models.domain.jobs import OrganizeOptions
from models.domain.organizing import DEFAULT_FALLBACK, FIELDS, RESERVED_PREFIX, TEMPLATES
from models.domain.paths import MAX_NAME_BYTES, fold, safe_component, split_name

_FIELD = re.compile(r"\{([^{}]*)\}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_DRIVE = re.compile(r"[A-Za-z]:|~(?:/|\Z)")
_SEPARATORS = re.compile(r"\s*[/\\]\s*|[\x00-\x1f\x7f]")
_SPACES = re.compile(r"\s+")
_PLAIN = re.compile(r"[A-Za-z0-9_(-][A-Za-z0-9 ._()+,&@=#'-]{0,200}[A-Za-z0-9_)]\Z")
_DEVICES = frozenset({"con", "prn", "aux", "nul", "clo", "com", "lpt"})
"""How the names begin that `safe_component` changes though every character is plain."""

_AS_IS = frozenset({"stem", "ext", "folder"})
"""Fields that come from the file's own path: kept to the letter."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Literal text, or a field with its fallback."""

    literal: str = ""
    field: str = ""
    fallback: str = DEFAULT_FALLBACK

    def render(self, values: Mapping[str, str | None]) -> str:
        """Return the text, the field's value or its fallback; only `ext` may be empty."""
        if not self.field:
            return self.literal
        value = values.get(self.field)
        if self.field == "ext":
            return value or ""
        if self.field in _AS_IS:
            return value or self.fallback
        cleaned = clean_value(value) if value else ""
        return cleaned or self.fallback


@dataclass(frozen=True, slots=True)
class Place:
    """Where a file belongs: `folder/name` and the tail (its extension) that a number precedes."""

    folder: str
    name: str
    tail: str

    def anchor(self, number: int = 1, *, reserve: int | None = None) -> str:
        """Return the path up to the tail, as `folder/name` or `folder/name (2)`.

        Args:
            number: 1 for the plain name.
            reserve: bytes that may follow; those of the tail by default.
        """
        suffix = "" if number == 1 else f" ({number})"
        room = len(self.tail.encode()) if reserve is None else reserve
        name = cut(self.name, MAX_NAME_BYTES - room - len(suffix)) + suffix
        return f"{self.folder}/{name}" if self.folder else name

    def path(self, number: int = 1) -> str:
        """Return the whole path, numbered from 2 on: `folder/name (2).ext`."""
        return self.anchor(number) + self.tail


@dataclass(frozen=True, slots=True)
class Template:
    """A parsed template.

    Attributes:
        text: as written.
        folders: pieces of each folder, outermost first.
        name: pieces of the file's name up to its tail.
        tail: `{ext}` or `{extension}`; `dot` tells whether a literal `.` stands before it.
        fields: every field named.
        is_ambiguous: whether a path can be read back in several ways, as with `{year}-{stem}`.
    """

    text: str
    folders: tuple[tuple[Piece, ...], ...]
    name: tuple[Piece, ...]
    tail: Piece
    dot: str
    fields: frozenset[str]
    is_ambiguous: bool

    def folder(self, values: Mapping[str, str | None]) -> str:
        """Return the folder below the root, empty for the root itself."""
        parts: list[str] = []
        for pieces in self.folders:
            if pieces[0].field == "folder":
                parts.extend(
                    _safe(part) for part in (values.get("folder") or "").split("/") if part
                )
            elif not _is_folded(pieces, values):
                parts.append(_safe("".join(piece.render(values) for piece in pieces)))
        return "/".join(parts)

    def place(self, values: Mapping[str, str | None]) -> Place:
        """Return where a file with these values belongs.

        Args:
            values: by field; what is missing or None takes the fallback.
        """
        name = "".join(piece.render(values) for piece in self.name)
        tail = values.get(self.tail.field) or ""
        tail = f"{self.dot}{tail}" if tail else ""
        whole = _safe_name(name + tail)
        if whole != name + tail:
            tail = tail if whole.endswith(tail) and len(whole) > len(tail) else ""
            name = whole.removesuffix(tail) if tail else whole
        return Place(self.folder(values), _without_extension(name, tail), tail)


def _is_folded(pieces: tuple[Piece, ...], values: Mapping[str, str | None]) -> bool:
    """Return whether a folder is a sub-category's that a budget folds into its parent: `""`."""
    return len(pieces) == 1 and pieces[0].field == "subcategory" and values["subcategory"] == ""


def _without_extension(name: str, tail: str) -> str:
    """Return a name that, with its tail, shows the tail for its extension and nothing more.

    A title `Vol.2` on a file without extension would give it one, and another on the next run.
    """
    while "." in name and split_name(name + tail)[2] != tail:
        before, _, after = name.rpartition(".")
        name = f"{before}_{after}"
    return name


def cut(name: str, room: int) -> str:
    """Return the name cut to at most `room` bytes of UTF-8, at a character, never to nothing."""
    if len(name) * 4 <= room:
        return name
    encoded = name.encode()
    if len(encoded) <= room:
        return name
    return encoded[: max(room, 4)].decode(errors="ignore").rstrip(" .") or "_"


@lru_cache(maxsize=65_536)
def clean_value(value: str) -> str:
    """Return metadata as text for one component: no separators, no control characters."""
    return _SPACES.sub(" ", _SEPARATORS.sub("-", value)).strip()


_safe = lru_cache(maxsize=65_536)(safe_component)


def _safe_name(name: str) -> str:
    """Return `safe_component(name)`; most names are seen to be safe at a tenth of its price."""
    if _PLAIN.match(name) and name[:3].lower() not in _DEVICES:
        return name
    return safe_component(name)


def parse_template(text: str) -> Template:
    """Return the parsed template.

    Raises:
        UnsafePathError: it is absolute or has `.` or `..` for a folder.
        InvalidError: it cannot be read; the text says what to write instead.
    """
    _check_text(text)
    components = [_pieces(component, text) for component in _split(text)]
    for pieces in components[:-1]:
        if any(piece.field == "folder" for piece in pieces) and len(pieces) > 1:
            raise InvalidError(
                f"{text!r}: {{folder}} keeps a whole path, so it stands alone between slashes"
            )
    *folders, last = components
    name, dot = _name_and_dot(last, text)
    fields = frozenset(piece.field for pieces in components for piece in pieces if piece.field)
    stems = sum(piece.field == "stem" for pieces in components for piece in pieces)
    return Template(
        text=text,
        folders=tuple(tuple(pieces) for pieces in folders),
        name=tuple(name),
        tail=last[-1],
        dot=dot,
        fields=fields,
        is_ambiguous=bool(fields & {"counter", "folder"})
        or (stems > 0 and (stems > 1 or len(name) > 1 or name[0].field != "stem")),
    )


def _check_text(text: str) -> None:
    if not text.strip():
        raise InvalidError("an empty template; for example {category}/{year}/{stem}{ext}")
    if text.startswith("/") or _DRIVE.match(text):
        raise UnsafePathError(f"{text!r} is absolute; a template is a path below the destination")
    if _CONTROL.search(text) or "\\" in text:
        raise InvalidError(f"{text!r}: no control characters or backslashes; folders end in /")


def _split(text: str) -> list[str]:
    """Split at slashes outside braces and refuse what climbs or is empty."""
    inside = _FIELD.search(text)
    while inside is not None:
        if "/" in inside.group():
            raise InvalidError(f"{text!r}: a fallback names one folder, so no / in {inside[0]!r}")
        inside = _FIELD.search(text, inside.end())
    components = text.split("/")
    for component in components:
        if component.strip() in {".", ".."}:
            raise UnsafePathError(f"{text!r} climbs out of its folder with {component.strip()!r}")
        if not component.strip():
            raise InvalidError(f"{text!r} has an empty folder or no file name")
        if fold(component.strip()) == RESERVED_PREFIX:
            raise InvalidError(f"{RESERVED_PREFIX!r} is Fileorganizer's own folder")
    return components


def _pieces(component: str, text: str) -> list[Piece]:
    pieces: list[Piece] = []
    end = 0
    for match in _FIELD.finditer(component):
        pieces.extend(_literal(component[end : match.start()], text))
        pieces.append(_field(match.group(1), text))
        end = match.end()
    pieces.extend(_literal(component[end:], text))
    return pieces


def _literal(literal: str, text: str) -> list[Piece]:
    if "{" in literal or "}" in literal:
        raise InvalidError(f"{text!r}: a brace without its partner near {literal!r}")
    return [Piece(literal=literal)] if literal else []


def _field(inner: str, text: str) -> Piece:
    field, bar, fallback = inner.partition("|")
    field = field.strip()
    if field not in FIELDS:
        near = difflib.get_close_matches(field, FIELDS, n=1)
        hint = f"did you mean {{{near[0]}}}?" if near else f"fields: {', '.join(sorted(FIELDS))}"
        raise InvalidError(f"{text!r}: no field {{{field}}}; {hint}")
    if not bar:
        return Piece(field=field)
    if not fallback.strip() or fallback.strip() in {".", ".."}:
        raise InvalidError(
            f"{text!r}: the fallback of {{{field}}} must name something, as in {{{field}|Unknown}}"
        )
    return Piece(field=field, fallback=fallback.strip())


def _name_and_dot(last: list[Piece], text: str) -> tuple[list[Piece], str]:
    """Return the pieces before the tail, and the dot that belongs to the tail."""
    if last[-1].field not in {"ext", "extension"} or len(last) == 1:
        raise InvalidError(
            f"{text!r}: a file's name ends in {{ext}} so that it keeps its type, "
            "for example {category}/{stem}{ext}"
        )
    if any(piece.field == "folder" for piece in last):
        raise InvalidError(f"{text!r}: {{folder}} stands alone between slashes, before the name")
    name = last[:-1]
    before = name[-1].literal
    if last[-1].field == "ext" or not before.endswith("."):
        return name, ""
    if before == ".":
        name = name[:-1]
        if not name:
            raise InvalidError(
                f"{text!r}: nothing stands before the extension; begin with {{stem}}"
            )
        return name, "."
    return [*name[:-1], Piece(literal=before[:-1])], "."


def template_of(options: OrganizeOptions) -> Template:
    """Return the template that the options' mode names, or their own for `custom`.

    Raises:
        InvalidError: no such mode; `custom` without a template, or a template without `custom`.
    """
    if options.mode == "custom":
        if options.template is None:
            raise InvalidError("mode custom needs a template, as {category}/{year}/{stem}{ext}")
        return parse_template(options.template)
    if options.mode not in TEMPLATES:
        near = difflib.get_close_matches(options.mode, [*TEMPLATES, "custom"], n=1)
        hint = f"did you mean {near[0]}?" if near else f"modes: {', '.join([*TEMPLATES, 'custom'])}"
        raise InvalidError(f"no mode {options.mode!r}; {hint}")
    if options.template is not None:
        raise InvalidError(f"mode {options.mode} has a template of its own; use mode custom")
    return parse_template(TEMPLATES[options.mode])
