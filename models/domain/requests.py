"""From what a customer asks for to the options of a job."""

from dataclasses import dataclass

from models.domain.errors import InvalidError
from models.domain.jobs import OrganizeOptions
from models.domain.organizing import ConflictPolicy, OnDuplicate, OperationType
from models.domain.paths import confine
from models.domain.rules import Rule
from models.domain.templates import template_of

UPLOAD_CONFLICTS = frozenset(
    {
        ConflictPolicy.SKIP,
        ConflictPolicy.SKIP_IDENTICAL,
        ConflictPolicy.RENAME_NEW,
        ConflictPolicy.FAIL,
    }
)
"""Policies for uploads: their bytes never move, so nothing there gives way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a customer chose, field by field as in the specification."""

    mode: str
    operation: OperationType
    template: str | None = None
    skip_duplicates: bool = True
    create_backup: bool = False
    apply_icons: bool = False
    conflict: ConflictPolicy = ConflictPolicy.RENAME_NEW
    protected: tuple[str, ...] = ()
    preferred: tuple[str, ...] = ()
    read_gps: bool = False
    verify: bool = False


def options_of(
    wish: Wish, *, rules: tuple[Rule, ...], is_about_uploads: bool, below: str = ""
) -> OrganizeOptions:
    """Return the options of a job.

    Args:
        wish: what was chosen.
        rules: the account's, where they shall count.
        is_about_uploads: whether the source is uploads.
        below: the folder of uploads that is organized.

    Raises:
        InvalidError: the mode or template cannot be used, or uploads cannot do this.
        UnsafePathError: a protected or preferred folder would leave the source.
    """
    if is_about_uploads and wish.operation is OperationType.COPY:
        raise InvalidError(
            "uploads are organized by move: their bytes stay where they are, only the folders "
            "that you see change"
        )
    if is_about_uploads and wish.conflict not in UPLOAD_CONFLICTS:
        known = ", ".join(sorted(UPLOAD_CONFLICTS))
        raise InvalidError(f"the conflict policies of uploads are: {known}")
    options = OrganizeOptions(
        mode=wish.mode,
        template=wish.template,
        operation=wish.operation,
        on_duplicate=OnDuplicate.SKIP if wish.skip_duplicates else OnDuplicate.KEEP,
        conflict=wish.conflict,
        protected=tuple(confine(folder) for folder in wish.protected),
        preferred=tuple(confine(folder) for folder in wish.preferred),
        read_gps=wish.read_gps,
        verify=wish.verify,
        rules=rules,
        below=below,
        create_backup=wish.create_backup,
        apply_icons=wish.apply_icons,
    )
    template_of(options)
    return options
