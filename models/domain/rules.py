"""An account's own organizing rules: what a file must be, and what then becomes of it.

A rule is asked before the job's mode: the first one, by priority, that fits a file decides where it
goes. Rules only ever choose categories and templates, so whatever they say, a path stays below its
root, and conflicts, duplicates and companions are dealt with as for any other file.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from fnmatch import fnmatchcase
from typing import Any

from models.domain.errors import InvalidError
from models.domain.facts import date_used

MAX_RULES = 200
"""Rules of one account; each file is held against all of them."""

MAX_VALUES = 100
"""Values one condition may list."""

MAX_TEXT = 500
"""Characters of one value, a pattern or a template."""

_LISTS = ("extensions", "name_matches", "path_matches", "categories", "mime", "media", "sender")
_NUMBERS = ("min_size_bytes", "max_size_bytes")
_DATES = ("dated_from", "dated_before")
_DATE_LENGTH = len("2024-01-19")


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleCondition:
    """What a file must be; every condition given must hold, and one value of a list is enough.

    Attributes:
        extensions: with or without their dot, in any case.
        name_matches, path_matches: patterns with `*` and `?`, in any case.
        categories: names of the first level.
        mime: media types, also as `image/*`.
        media: kinds of content, such as `image`.
        sender: mail addresses, also as patterns.
        min_size_bytes, max_size_bytes: both included.
        dated_from, dated_before: `YYYY-MM-DD`; the first included, the second not.
    """

    extensions: tuple[str, ...] = ()
    name_matches: tuple[str, ...] = ()
    path_matches: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    mime: tuple[str, ...] = ()
    media: tuple[str, ...] = ()
    sender: tuple[str, ...] = ()
    min_size_bytes: int | None = None
    max_size_bytes: int | None = None
    dated_from: str | None = None
    dated_before: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleAction:
    """What becomes of a file: exactly one of the three, a sub-category aside.

    Attributes:
        category: it is filed by the job's mode as if it had this category.
        subcategory: with `category` only.
        template: it goes where this template says instead.
        stay: it stays where it is.
    """

    category: str | None = None
    subcategory: str | None = None
    template: str | None = None
    stay: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule; smaller priorities are asked first, equal ones by their ids."""

    id: str
    priority: int
    when: RuleCondition
    then: RuleAction

    def document(self) -> dict[str, Any]:
        """Return the rule as it is stored and answered: only what was said."""
        return {
            "id": self.id,
            "priority": self.priority,
            "when": said(self.when),
            "then": said(self.then),
        }


def said(part: RuleCondition | RuleAction) -> dict[str, Any]:
    """Return what was said of a condition or an action, as JSON has it."""
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in asdict(part).items()
        if value is not None and value is not False and value != ()
    }


def rule_from(document: Mapping[str, Any]) -> Rule:
    """Return the rule of a stored or given document.

    Raises:
        InvalidError: something in it makes no sense; the text says what.
    """
    return Rule(
        id=str(document.get("id", "")),
        priority=int(document.get("priority", 0)),
        when=condition_from(_mapping(document.get("when"), "when")),
        then=action_from(_mapping(document.get("then"), "then")),
    )


def condition_from(document: Mapping[str, Any]) -> RuleCondition:
    """Return a condition.

    Raises:
        InvalidError: it has no or unknown conditions, or a value of the wrong kind.
    """
    _known(document, {*_LISTS, *_NUMBERS, *_DATES}, "when")
    values: dict[str, Any] = {}
    for name, value in document.items():
        if value is None or value == []:
            continue
        if name in _LISTS:
            values[name] = _texts(value, name)
        elif name in _NUMBERS:
            values[name] = _size(value, name)
        else:
            values[name] = _date(value, name)
    if not values:
        raise InvalidError("`when` needs one condition at least, or the rule would fit every file")
    return RuleCondition(**values)


def action_from(document: Mapping[str, Any]) -> RuleAction:
    """Return an action; whether its template can be used is `models.domain.ruling`'s to say.

    Raises:
        InvalidError: it says nothing, too much, or something unknown.
    """
    _known(document, {"category", "subcategory", "template", "stay"}, "then")
    texts = {
        name: _text(document[name], name)
        for name in ("category", "subcategory", "template")
        if document.get(name) is not None
    }
    stay = document.get("stay", False)
    if not isinstance(stay, bool):
        raise InvalidError("`then.stay` is true or false")
    if sum(("category" in texts, "template" in texts, stay)) != 1:
        raise InvalidError("`then` says exactly one of category, template and stay")
    if "subcategory" in texts and "category" not in texts:
        raise InvalidError("`then.subcategory` goes with a category")
    return RuleAction(**texts, stay=stay)


def in_order(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    """Return rules in the order in which they are asked."""
    return tuple(sorted(rules, key=lambda rule: (rule.priority, rule.id)))


def first_match(rules: Sequence[Rule], row: Mapping[str, Any]) -> Rule | None:
    """Return the first of some ordered rules that fits a file, or None.

    Args:
        rules: from `in_order`.
        row: the columns of `COLUMNS` of one file.
    """
    return next((rule for rule in rules if matches(rule.when, row)), None)


COLUMNS = (
    "key",
    "size_bytes",
    "mime",
    "media",
    "sender",
    "category",
    "captured_at",
    "captured_source",
    "captured_flag",
    "modified_ns",
)
"""Columns of a file that conditions look at."""


def matches(when: RuleCondition, row: Mapping[str, Any]) -> bool:
    """Return whether a file is what a condition asks for."""
    return _fits_name(when, row["key"]) and _fits_content(when, row) and _fits_date(when, row)


def _fits_name(when: RuleCondition, key: str) -> bool:
    name = key.rpartition("/")[2].casefold()
    if when.extensions:
        endings = (f".{extension.lstrip('.').casefold()}" for extension in when.extensions)
        if not any(name.endswith(ending) for ending in endings):
            return False
    return _fits(when.name_matches, name) and _fits(when.path_matches, key.casefold())


def _fits_content(when: RuleCondition, row: Mapping[str, Any]) -> bool:
    size = row["size_bytes"]
    if when.min_size_bytes is not None and size < when.min_size_bytes:
        return False
    if when.max_size_bytes is not None and size > when.max_size_bytes:
        return False
    if when.categories and row["category"] not in when.categories:
        return False
    if when.media and row["media"] not in when.media:
        return False
    return _fits(when.mime, (row["mime"] or "").casefold()) and _fits(
        when.sender, (row["sender"] or "").casefold()
    )


def _fits_date(when: RuleCondition, row: Mapping[str, Any]) -> bool:
    if when.dated_from is None and when.dated_before is None:
        return True
    used = date_used(row).date
    if used is None:
        return False
    if when.dated_from is not None and used < when.dated_from:
        return False
    return when.dated_before is None or used < when.dated_before


def _fits(patterns: Sequence[str], text: str) -> bool:
    """Whether one of some patterns fits; none at all fit everything."""
    return not patterns or any(fnmatchcase(text, pattern.casefold()) for pattern in patterns)


def _mapping(value: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InvalidError(f"a rule has `{name}`, an object")
    return value


def _known(document: Mapping[str, Any], names: set[str], where: str) -> None:
    unknown = sorted(str(name) for name in document.keys() - names)
    if unknown:
        known = ", ".join(sorted(names))
        raise InvalidError(f"`{where}` does not know {', '.join(unknown)[:100]}; it knows: {known}")


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > MAX_TEXT or "\0" in value:
        raise InvalidError(f"`{name}` is a text of 1 to {MAX_TEXT} characters")
    return value


def _texts(value: Any, name: str) -> tuple[str, ...]:
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, (list, tuple)) or len(values) > MAX_VALUES:
        raise InvalidError(f"`{name}` is a text or a list of at most {MAX_VALUES}")
    return tuple(_text(each, name) for each in values)


def _size(value: Any, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise InvalidError(f"`{name}` is a number of bytes")
    return value


def _date(value: Any, name: str) -> str:
    try:
        if not isinstance(value, str) or len(value) != _DATE_LENGTH:
            raise ValueError  # noqa: TRY301 -- one message for both
        return date.fromisoformat(value).isoformat()
    except ValueError as error:
        raise InvalidError(f"`{name}` is a date as 2024-01-19") from error
