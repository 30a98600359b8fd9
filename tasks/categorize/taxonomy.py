"""The taxonomy at rest: the one that comes along, and the user's own, in YAML."""

from collections.abc import Hashable, Iterator
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, cast

import yaml

from models.domain.errors import InvalidError, MissingError
from models.domain.taxonomy import Taxonomy
from models.domain.taxonomy_document import document_of, taxonomy_from
from models.settings import Settings

FILE_NAME = "taxonomy.yaml"
LARGEST_CHARACTERS = 1_000_000
"""A taxonomy has some ten thousand; what is larger is another file."""
WIDTH = 100
"""Columns of a line that is written, as wide as our own files."""


def shipped_text() -> str:
    """Return the YAML that comes along."""
    return (files("tasks.categorize") / FILE_NAME).read_text(encoding="utf-8")


@cache
def shipped_taxonomy() -> Taxonomy:
    """Return the taxonomy that comes along."""
    return parse_taxonomy(shipped_text())


def parse_taxonomy(text: str) -> Taxonomy:
    """Return the taxonomy of a YAML text.

    Raises:
        InvalidError: it is none; the text says where, and all that is wrong.
    """
    if len(text) > LARGEST_CHARACTERS:
        raise InvalidError("it is larger than any taxonomy")
    try:
        document = yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader that refuses doubles
    except yaml.YAMLError as error:
        raise InvalidError(f"the taxonomy is no YAML: {error}") from error
    return taxonomy_from(document)


def taxonomy_text(taxonomy: Taxonomy) -> str:
    """Return the YAML of a taxonomy, under the comment that explains its keys."""
    comment = "".join(_leading_comment(shipped_text()))
    body = yaml.safe_dump(
        document_of(taxonomy), sort_keys=False, allow_unicode=True, width=WIDTH, indent=2
    )
    return comment + body


def _leading_comment(text: str) -> Iterator[str]:
    for line in text.splitlines(keepends=True):
        if not line.startswith("#"):
            return
        yield line


def taxonomy_path(settings: Settings) -> Path:
    """Return where the user's taxonomy is, or would be."""
    return settings.taxonomy_file or settings.home_path / FILE_NAME


def load_taxonomy(settings: Settings) -> Taxonomy:
    """Return the user's taxonomy; without one, that which comes along.

    Raises:
        InvalidError: it cannot be used; nothing is guessed instead.
        MissingError: the settings name a file that is not there.
    """
    path = taxonomy_path(settings)
    try:
        return read_taxonomy(path)
    except MissingError:
        if settings.taxonomy_file is not None:
            raise
        return shipped_taxonomy()


def read_taxonomy(path: Path) -> Taxonomy:
    """Return the taxonomy of a file.

    Raises:
        MissingError: there is no such file.
        InvalidError: it cannot be read or used; the text names it.
    """
    try:
        with path.open("rb") as file:
            data = file.read(4 * LARGEST_CHARACTERS + 4)
        return parse_taxonomy(data.decode("utf-8"))
    except FileNotFoundError as error:
        raise MissingError(f"there is no taxonomy at {path}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidError(f"{path} cannot be read: {error}") from error
    except InvalidError as error:
        raise InvalidError(f"{path}: {error}") from error


def save_taxonomy(taxonomy: Taxonomy, settings: Settings) -> Path:
    """Write the user's taxonomy, whole or not at all, and return where.

    Raises:
        InvalidError: the result would not be one, or it cannot be written.
    """
    path = taxonomy_path(settings)
    text = taxonomy_text(taxonomy)
    parse_taxonomy(text)
    _write(path, text)
    return path


def own_copy(settings: Settings) -> Path:
    """Return the user's taxonomy file, made from the one that comes along where there is none."""
    path = taxonomy_path(settings)
    if not path.exists():
        _write(path, shipped_text())
    return path


def _write(path: Path, text: str) -> None:
    temporary = path.with_name(f"{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        raise InvalidError(f"{path} cannot be written: {error}") from error


class _Loader(yaml.SafeLoader):
    """YAML without surprises: a key given twice is an error, not a loss."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Return a mapping whose keys are told once each."""
        seen: set[Hashable] = set()
        for key_node, _ in node.value:
            key = cast("Hashable", self.construct_object(key_node, deep=True))
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} is given twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)
