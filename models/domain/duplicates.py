"""Groups of files that have one content."""

from dataclasses import dataclass
from enum import StrEnum

from models.domain.columns import column


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
