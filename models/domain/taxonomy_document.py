"""The taxonomy as a document of plain values (what YAML or JSON hold): read, checked, written."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from models.domain.errors import InvalidError
from models.domain.paths import fold, safe_component
from models.domain.taxonomy import COARSE_NAMES, REVIEW, Category, Taxonomy, Topic

DOCUMENT_VERSION = 1
"""Raised when documents of before can no longer be read as they are."""
NAME_CHARACTERS = 100
"""Width of `files.category` and `files.subcategory`."""
PROMPT_CHARACTERS = 300
"""More than sentence models of our size read of one prompt (256 tokens, `all-MiniLM-L6-v2`)."""
FORBIDDEN = '/\\:*?"<>|{}'
"""Not in a folder's name: what Windows refuses, and the braces of templates."""

_TOP = ("version", "budget", "categories")
_TOPIC = ("name", "id", "prompts", "image_prompts")
_CATEGORY = (*_TOPIC, "coarse", "aliases", "subcategories")


def taxonomy_from(document: Any) -> Taxonomy:
    """Return the taxonomy of a document.

    Raises:
        InvalidError: it is none; the text has one line for everything that is wrong.
    """
    reader = _Reader()
    taxonomy = reader.taxonomy(document)
    if reader.wrong:
        raise InvalidError("the taxonomy cannot be used:\n" + "\n".join(reader.wrong))
    return taxonomy


def document_of(taxonomy: Taxonomy) -> dict[str, Any]:
    """Return the document of a taxonomy; what has its default is left out."""
    return {
        "version": DOCUMENT_VERSION,
        "budget": taxonomy.budget,
        "categories": [_category_document(category) for category in taxonomy.all_categories],
    }


def _category_document(category: Category) -> dict[str, Any]:
    sentences = _topic_document(category.topic)
    found = {"name": sentences.pop("name"), "coarse": category.coarse, **sentences}
    if category.aliases:
        found["aliases"] = [*category.aliases]
    return {**found, "subcategories": [_topic_document(each) for each in category.subcategories]}


def _topic_document(topic: Topic) -> dict[str, Any]:
    found: dict[str, Any] = {"name": topic.name}
    if topic.identity != topic.name:
        found["id"] = topic.identity
    if topic.prompts:
        found["prompts"] = [*topic.prompts]
    if topic.image_prompts:
        found["image_prompts"] = [*topic.image_prompts]
    return found


class _Reader:
    """Reads on after what is wrong, so that all of it is told at once."""

    def __init__(self) -> None:
        self.wrong: list[str] = []

    def taxonomy(self, document: Any) -> Taxonomy:
        found = self._mapping(document, "the document", _TOP)
        if found.get("version") != DOCUMENT_VERSION:
            self._say("version", f"must be {DOCUMENT_VERSION}")
        budget = found.get("budget")
        if budget is not None and (type(budget) is not int or budget < 0):
            self._say("budget", "must be a number of folders, 0 or more, or nothing")
            budget = None
        items = self._list(found.get("categories"), "categories")
        categories = tuple(self._category(item, at) for at, item in enumerate(items, start=1))
        self._unique("categories", [each.topic for each in categories])
        aliases = [alias for category in categories for alias in category.aliases]
        self._unique_ids("categories", [*(each.identity for each in categories), *aliases])
        review = next((each for each in categories if each.identity == REVIEW.identity), None)
        if review is None:
            self._say("categories", f"lack {REVIEW.identity!r}, where undecided files wait")
        rest = tuple(each for each in categories if each is not review)
        return Taxonomy(categories=rest, review=review or REVIEW, budget=budget)

    def _category(self, item: Any, at: int) -> Category:
        where = _place(item, f"category {at}")
        found = self._mapping(item, where, _CATEGORY)
        coarse = found.get("coarse")
        if coarse not in COARSE_NAMES:
            names = ", ".join(COARSE_NAMES)
            self._say(where, f"rolls up to {coarse!r}, which is none of {names}", _near(coarse))
        items = self._list(found.get("subcategories") or [], f"{where}: subcategories")
        below = tuple(
            self._subcategory(each, f"{where}/{_place(each, f'sub-category {n}')}")
            for n, each in enumerate(items, start=1)
        )
        self._unique(where, below)
        self._unique_ids(where, (each.identity for each in below))
        return Category(
            topic=self._topic(found, where),
            coarse=str(coarse),
            subcategories=below,
            aliases=self._texts(found.get("aliases"), f"{where}: aliases"),
        )

    def _subcategory(self, item: Any, where: str) -> Topic:
        return self._topic(self._mapping(item, where, _TOPIC), where)

    def _topic(self, found: Mapping[str, Any], where: str) -> Topic:
        return Topic(
            name=self._name(found.get("name"), where),
            id=self._identity(found, where),
            prompts=self._texts(found.get("prompts"), f"{where}: prompts"),
            image_prompts=self._texts(found.get("image_prompts"), f"{where}: image_prompts"),
        )

    def _name(self, name: Any, where: str) -> str:
        if not isinstance(name, str) or not name.strip():
            self._say(where, "has no name")
            return where
        letters = sorted(set(name) & set(FORBIDDEN))
        if letters:
            self._say(where, f"no folder's name can have {' '.join(letters)} in it")
        elif safe_component(name) != name or name != name.strip():
            self._say(where, "no folder can have this name")
        if len(name) > NAME_CHARACTERS:
            self._say(where, f"a name has {NAME_CHARACTERS} characters at most")
        return name

    def _identity(self, found: Mapping[str, Any], where: str) -> str:
        identity = found.get("id", "")
        if not isinstance(identity, str) or len(identity) > NAME_CHARACTERS or "/" in identity:
            self._say(where, "its id must be a text of 100 characters at most without slashes")
            return ""
        return "" if identity == found.get("name") else identity

    def _mapping(self, item: Any, where: str, known: Sequence[str]) -> Mapping[str, Any]:
        if not isinstance(item, Mapping):
            self._say(where, f"must have the keys {', '.join(known)}")
            return {}
        found = cast("Mapping[str, Any]", item)
        for key in found:
            if key not in known:
                self._say(where, f"there is no key {key!r}", _near(key, known))
        return found

    def _list(self, item: Any, where: str) -> list[Any]:
        if isinstance(item, list):
            return cast("list[Any]", item)
        self._say(where, "must be a list")
        return []

    def _texts(self, item: Any, where: str) -> tuple[str, ...]:
        texts = [item] if isinstance(item, str) else self._list(item or [], where)
        for text in texts:
            if not isinstance(text, str) or not text.strip() or len(text) > PROMPT_CHARACTERS:
                self._say(where, f"{text!r} is no text of 1 to {PROMPT_CHARACTERS} characters")
        return tuple(str(text).strip() for text in texts)

    def _unique(self, where: str, topics: Sequence[Topic]) -> None:
        seen: dict[str, str] = {}
        for name in (each.name for each in topics):
            if fold(name) in seen:
                self._say(where, f"{seen[fold(name)]!r} and {name!r} are one folder")
            seen[fold(name)] = name

    def _unique_ids(self, where: str, ids: Iterable[str]) -> None:
        seen: set[str] = set()
        for identity in ids:
            if identity in seen:
                self._say(where, f"the id {identity!r} stands for two of them")
            seen.add(identity)

    def _say(self, where: str, what: str, hint: str = "") -> None:
        self.wrong.append(f"  {where}: {what}{hint}")


def _place(item: Any, otherwise: str) -> str:
    found = cast("Mapping[str, Any]", item) if isinstance(item, Mapping) else {}
    name = found.get("name")
    return name if isinstance(name, str) and name.strip() else otherwise


def _near(text: Any, known: Sequence[str] = COARSE_NAMES) -> str:
    found = difflib.get_close_matches(str(text), known, n=1)
    return f"; is {found[0]!r} meant?" if found else ""
