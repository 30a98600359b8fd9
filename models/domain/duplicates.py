"""Groups of files that have one content."""

from dataclasses import dataclass
from enum import StrEnum

from models.domain.columns import column
from models.domain.errors import InvalidError


class TruthClass(StrEnum):
    """How certain a group is. Only `full_hash` members may ever be removed automatically."""

    FULL_HASH = "full_hash"
    PERCEPTUAL = "perceptual"
    TEXTUAL = "textual"


class KeepRule(StrEnum):
    """What makes one member the keeper; rules apply in order, ties go to the smallest path."""

    PROTECTED = "protected"
    PREFERRED = "preferred"
    HIGHEST_QUALITY = "highest_quality"
    OLDEST = "oldest"
    NEWEST = "newest"
    SHORTEST_PATH = "shortest_path"


DEFAULT_KEEP_RULES: tuple[KeepRule, ...] = (
    KeepRule.PROTECTED,
    KeepRule.PREFERRED,
    KeepRule.HIGHEST_QUALITY,
    KeepRule.OLDEST,
    KeepRule.SHORTEST_PATH,
)


def keep_rules_from(text: str) -> tuple[KeepRule, ...]:
    """Return the rules of a list such as `newest,shortest_path`.

    Protected and preferred folders come first, unless the list says where: whoever named such a
    folder meant it.

    Raises:
        InvalidError: there is no such rule.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    try:
        rules = tuple(dict.fromkeys(KeepRule(name) for name in names))
    except ValueError as error:
        known = ", ".join(KeepRule)
        raise InvalidError(f"keep rules are a list of: {known}; not {text!r}") from error
    first = [rule for rule in (KeepRule.PROTECTED, KeepRule.PREFERRED) if rule not in rules]
    return (*first, *rules)


@dataclass(frozen=True, slots=True, kw_only=True)
class DuplicateRow:
    """One member of a group, the keeper among them."""

    group_id: str = column("Identity of the group; the SHA-256 for full-hash groups.")
    key: str = column("Path below the root.")
    is_keeper: bool = column("Whether this is the member that stays; one a group.")
    truth_class: str = column("How certain, a `TruthClass`.")
    similarity_ratio: float = column("1.0 for equal bytes.")
    size_bytes: int = column("Size in bytes.")
    is_hardlink: bool = column("Whether it shares its bytes with an earlier member.")
    wasted_bytes: int = column("Bytes a removal would free: 0 for the keeper and for hardlinks.")
    keep_reason: str = column("Which rule chose the keeper, in words.")
    is_removable: bool = column(
        "Whether a rule may remove it: never the keeper, a hardlink, a protected file, one whose "
        "content could not be read as what it claims to be, or one that goes with others.",
        default=False,
    )
