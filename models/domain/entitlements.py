"""What a job may do: the entitlements of its account when it was asked for."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from models.domain.errors import ForbiddenError


class Feature(StrEnum):
    """A feature of the price list; the names are those of `features` in the entitlements."""

    FUZZY_DUPLICATES = "fuzzy_duplicates"
    AI_CATEGORIZATION = "ai_categorization"


def includes(snapshot: Mapping[str, Any] | None, feature: Feature) -> bool:
    """Return whether a job may use a feature.

    Args:
        snapshot: what the account was entitled to: `{"plan": ..., "features": {name: bool}}`, the
            state of its subscription already taken into account by who wrote it. None of a job
            without an account, as of the command line: it may do everything.
        feature: what is asked for; one that a snapshot does not name is not included.
    """
    if snapshot is None:
        return True
    features = snapshot.get("features")
    return isinstance(features, Mapping) and features.get(feature.value) is True


def require(snapshot: Mapping[str, Any] | None, feature: Feature) -> None:
    """Refuse what a job's account is not entitled to.

    Raises:
        ForbiddenError: the plan does not include the feature.
    """
    if not includes(snapshot, feature):
        plan = str((snapshot or {}).get("plan") or "this")
        words = feature.value.replace("_", " ")
        raise ForbiddenError(f"the {plan} plan does not include {words}; exact ones are found")


def require_files(snapshot: Mapping[str, Any] | None, files: int) -> None:
    """Refuse more files than one job of the plan may have.

    Raises:
        ForbiddenError: there are more; the text says what to do.
    """
    limits = (snapshot or {}).get("limits")
    allowed = limits.get("files_per_job") if isinstance(limits, Mapping) else None
    if isinstance(allowed, int) and files > allowed:
        plan = str((snapshot or {}).get("plan") or "this")
        raise ForbiddenError(
            f"the source has {files:,} files and the {plan} plan allows {allowed:,} files a job: "
            "choose a smaller folder, or upgrade"
        )
