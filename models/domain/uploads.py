"""What comes with an upload: names, tags, categories. Nothing of it ever becomes part of a key."""

import json
import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

from models.domain.errors import InvalidError

FILENAME_CHARACTERS = 500
"""Width of `files.filename` in the specification."""
TAG_CHARACTERS = 100
"""Width of `file_tags.tag_name` in the specification."""
TAGS_PER_FILE = 100
"""More than anybody reads; a row of the catalog stays small."""
EXTENSION_CHARACTERS = 50
"""Width of `files.file_extension` in the specification."""
UNNAMED = "unnamed"
COLOR = re.compile(r"#[0-9a-fA-F]{6}\Z")

_EXTENSION = re.compile(rf"(?s).+(\.[^.]{{1,{EXTENSION_CHARACTERS - 1}}})\Z")


def clean_text(text: str) -> str:
    """Return a text that Postgres and JSON can hold: no NUL, no half of a surrogate pair."""
    return (
        text.encode("utf-8", "replace").decode("utf-8").replace("\0", "\N{REPLACEMENT CHARACTER}")
    )


def display_name(sent: str) -> str:
    """Return the name to show for a name that was sent: its last part, printable, short enough.

    What somebody calls a file is theirs to say, but it is one name: folders, `..`, control
    characters and invisible reversals of the writing direction are no part of it.
    """
    name = re.split(r"[/\\]", clean_text(sent))[-1]
    name = "".join("_" if _is_hidden(letter) else letter for letter in name).strip()
    if name.strip(".") == "":
        return UNNAMED
    return _shortened(name)


def _is_hidden(letter: str) -> bool:
    return unicodedata.category(letter) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"} and (
        letter not in {"\u200d", "\u200c"}  # joiners belong to words and emoji
    )


def _shortened(name: str) -> str:
    if len(name) <= FILENAME_CHARACTERS:
        return name
    ending = extension_of(name) or ""
    return name[: FILENAME_CHARACTERS - len(ending)] + ending


def extension_of(name: str) -> str | None:
    """Return the extension of a name, lower case with its dot; None where it has none."""
    found = _EXTENSION.match(name)
    return found.group(1).lower() if found else None


def tag_name(sent: Any) -> str:
    """Return a tag as it is kept: composed, trimmed.

    Raises:
        InvalidError: it is no text, is empty, too long, or has control characters.
    """
    if not isinstance(sent, str):
        raise InvalidError("a tag is a text")
    name = unicodedata.normalize("NFC", sent).strip()
    if not name or len(name) > TAG_CHARACTERS:
        raise InvalidError(f"a tag has 1 to {TAG_CHARACTERS} characters")
    if any(unicodedata.category(letter) in {"Cc", "Cs"} for letter in name):
        raise InvalidError("a tag has no control characters")
    return name


def tag_names(sent: Iterable[Any]) -> tuple[str, ...]:
    """Return tags as they are kept, each once, in the order they were sent.

    Raises:
        InvalidError: one is no tag, or there are too many.
    """
    names = tuple(dict.fromkeys(tag_name(each) for each in sent))
    if len(names) > TAGS_PER_FILE:
        raise InvalidError(f"a file has {TAGS_PER_FILE} tags at most")
    return names


def tags_from_fields(fields: Sequence[str]) -> tuple[str, ...]:
    """Return the tags of form fields or query parameters: each is one tag, or a JSON array of them.

    Raises:
        InvalidError: a value begins as a JSON array and is none, or a tag is none.
    """
    found: list[Any] = []
    for text in fields:
        if not text.lstrip().startswith("["):
            found.append(text)
            continue
        try:
            listed = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise InvalidError("tags are texts, or one JSON array of texts") from error
        found += listed if isinstance(listed, list) else [listed]
    return tag_names(found)


def tag_color(sent: str) -> str:
    """Return a color.

    Raises:
        InvalidError: it is not `#rrggbb`.
    """
    if not COLOR.match(sent):
        raise InvalidError("a color is #rrggbb")
    return sent.lower()
