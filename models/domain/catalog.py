"""A row of the catalog as a run publishes it, and what publishing changed."""

from dataclasses import dataclass, field

from models.domain.columns import column


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogRow:
    """One file as it now lies in its root; `key` names it there."""

    key: str = column("Path below the root, where it is now; unique in a table.")
    previous_key: str | None = column(
        "Where it was before this job moved it (in the job's source root): a move keeps a file's "
        "identity and tags. Null when it did not move.",
        default=None,
    )
    size_bytes: int = column("Size in bytes.")
    modified_ns: int = column("Modification time, nanoseconds since 1970 UTC.")
    version: str = column("What the storage knows this version by.")
    mime: str = column("Media type by content.")
    md5: str | None = column("MD5, 32 hexadecimal digits.", default=None)
    sha256: str | None = column("SHA-256, 64 hexadecimal digits.", default=None)
    category: str | None = column("First level of the taxonomy.", default=None)
    subcategory: str | None = column("Second level.", default=None)
    coarse_category: str = column("Images, Videos, Documents, Audio or Others.", default="Others")
    category_confidence: float | None = column("Probability in [0, 1].", default=None)
    duplicate_of_key: str | None = column(
        "Key of the keeper, in the same table or root, when this is a duplicate; null for keepers "
        "and for single files.",
        default=None,
    )
    details: str = column("Media facts as a JSON object.", default="{}")
    is_organized: bool = column("Whether this job put it where it is.", default=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownFile:
    """What the catalog knows of one live file."""

    key: str = column("Path below the root.")
    size_bytes: int = column("Size in bytes.")
    modified_ns: int = column("Modification time, nanoseconds since 1970 UTC.")
    version: str = column("What the storage knows this version by.")
    sha256: str | None = column("SHA-256, 64 hexadecimal digits.")


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogChanges:
    """What publishing changed, in files; all but `unchanged` are 0 when the same comes again."""

    inserted: int
    updated: int
    unchanged: int
    moved: int
    deleted: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogTotals:
    """What the catalog holds of one account or root; the trash does not count."""

    files: int
    bytes: int
    duplicates: int
    space_wasted_bytes: int
    by_category: dict[str, int] = field(default_factory=dict[str, int])
    """Files by coarse category."""
