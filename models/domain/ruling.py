"""Rules applied to files: which one fits, and what it makes of the file's place."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from models.domain.categories import coarse_category
from models.domain.errors import InvalidError
from models.domain.facts import columns_of
from models.domain.rules import COLUMNS, Rule, first_match, in_order
from models.domain.templates import Template, parse_template


@dataclass(frozen=True, slots=True)
class Ruled:
    """What the rules make of one file.

    Attributes:
        row: the file, with the category that a rule gives it.
        template: where a rule says that it goes; None: as the mode says.
        why: which rule decided, in words; None when none fits.
        stays: whether the rule lets it stay where it is.
    """

    row: Mapping[str, Any]
    template: Template | None = None
    why: str | None = None
    stays: bool = False


class Ruling:
    """The rules of one job, ready to be asked.

    Attributes:
        columns: columns of fingerprints and categories that `of` reads; empty without rules.
        is_empty: whether there is no rule.

    Raises:
        InvalidError: a template cannot be used.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = in_order(rules)
        self._templates = {
            rule: _template(rule.then.template)
            for rule in self._rules
            if rule.then.template is not None
        }
        self.is_empty = not self._rules
        fields = frozenset[str]().union(*(each.fields for each in self._templates.values()))
        self.columns = () if self.is_empty else (*COLUMNS, *columns_of(fields))

    def of(self, row: Mapping[str, Any]) -> Ruled:
        """Return what the first rule that fits makes of a file."""
        rule = first_match(self._rules, row)
        if rule is None:
            return Ruled(row)
        why = f"by a rule of priority {rule.priority}"
        if rule.then.stay:
            return Ruled(row, why=f"stays {why}", stays=True)
        if rule.then.category is None:
            return Ruled(row, self._templates[rule], why=f"filed {why}")
        category = {
            "category": rule.then.category,
            "subcategory": rule.then.subcategory,
            "coarse_category": coarse_category(rule.then.category),
        }
        return Ruled({**row, **category}, why=f"filed {why}")


def check_rule(rule: Rule) -> Rule:
    """Return a rule whose template can be used.

    Raises:
        InvalidError: it cannot.
    """
    Ruling([rule])
    return rule


def _template(text: str) -> Template:
    """A rule's template: without a counter, which counts over all files of a mode."""
    template = parse_template(text)
    if "counter" in template.fields:
        raise InvalidError("a rule's template cannot count; leave {counter} to the mode")
    return template
