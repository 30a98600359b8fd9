"""What organizing can be asked to do: modes, templates, policies."""

from enum import StrEnum


class OperationType(StrEnum):
    """Whether sources stay."""

    MOVE = "move"
    COPY = "copy"


class OnDuplicate(StrEnum):
    """What happens to members of a full-hash group that are not the keeper."""

    SKIP = "skip"
    KEEP = "keep"
    TRASH = "trash"


class ConflictPolicy(StrEnum):
    """What happens when a destination is taken."""

    SKIP = "skip"
    SKIP_IDENTICAL = "skip_identical"
    RENAME_NEW = "rename_new"
    RENAME_EXISTING = "rename_existing"
    KEEP_NEWER = "keep_newer"
    KEEP_LARGER = "keep_larger"
    REPLACE_TO_TRASH = "replace_to_trash"
    FAIL = "fail"


FIELDS: frozenset[str] = frozenset(
    {
        "category",
        "coarse_category",
        "subcategory",
        "year",
        "month",
        "day",
        "date",
        "stem",
        "ext",
        "extension",
        "mime",
        "media",
        "camera",
        "country",
        "city",
        "place",
        "event",
        "project",
        "tag",
        "hash8",
        "counter",
        "size_band",
        "artist",
        "album",
        "track",
        "title",
        "sender",
        "folder",
    }
)
"""Fields a template may name, as `{field}` or `{field|fallback}`."""

TEMPLATES: dict[str, str] = {
    "category": "{category}/{stem}{ext}",
    "category_year": "{category}/{year}/{stem}{ext}",
    "category_year_month": "{category}/{year}/{month}/{stem}{ext}",
    "category_subcategory": "{category}/{subcategory|Other}/{stem}{ext}",
    "extension": "{extension|no extension}/{stem}{ext}",
    "mime": "{mime}/{stem}{ext}",
    "date_taken": "{year}/{year}-{month}-{day}/{stem}{ext}",
    "camera": "{camera|Unknown camera}/{year}/{stem}{ext}",
    "place": "{country|Unknown}/{city|Unknown}/{stem}{ext}",
    "event": "{year}/{event|Unsorted}/{stem}{ext}",
    "project": "{project|No project}/{stem}{ext}",
    "tag": "{tag|Untagged}/{stem}{ext}",
    "ai_category": "{category}/{subcategory|Other}/{stem}{ext}",
    "sender_year": "{sender|Unknown sender}/{year}/{stem}{ext}",
    "music": "{artist|Unknown artist}/{album|Unknown album}/{track|00} {title|Untitled}{ext}",
    "size_band": "{size_band}/{stem}{ext}",
    "mirror": "{folder}/{stem}{ext}",
    "flatten": "{stem}{ext}",
    "virtual": "{category}/{year}/{stem}{ext}",
}
"""Each mode is a named template; `custom` brings its own; `virtual` writes the catalog only."""

DEFAULT_FALLBACK = "Unknown"
"""What a field without a value and without a declared fallback becomes: never root, never empty."""

RESERVED_PREFIX = ".fileorganizer"
"""Folder of ours below every connected root: temporary keys and the trash. Never listed."""
