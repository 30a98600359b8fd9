"""Uploads as a tree: where each is shown below `/uploads`, and what planning knows of it.

Uploaded bytes lie under generated names and never move (DESIGN D1). What a person sees is a path of
their own: the file's name until a job organizes it, then the place the job gave it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from models.domain.categories import NEEDS_REVIEW, CategoryRow, coarse_category
from models.domain.fingerprint import Fingerprint
from models.domain.paths import split_name

_FACTS = frozenset(each.name for each in fields(Fingerprint)) - {
    *("key", "size_bytes", "modified_ns", "version", "md5", "sha256", "mime"),
    *("device", "inode", "link_count"),
}
"""Facts of a fingerprint that `files.metadata` keeps under the same names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadedFile:
    """One live upload as the catalog knows it.

    Attributes:
        path: where it is shown below `/uploads`; several may be shown at one path.
        mark: digest of what a plan relies on: where it is shown, and its content.
        modified_ns: when it was uploaded or last modified, nanoseconds since 1970 UTC.
        details: the facts that reading it told.
    """

    id: str
    path: str
    mark: str
    size_bytes: int
    modified_ns: int
    mime: str | None = None
    md5: str | None = None
    sha256: str | None = None
    category: str | None = None
    subcategory: str | None = None
    confidence_ratio: float | None = None
    details: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def version(self) -> str:
        """What a plan and its journal know this state of the file by: `<id>:<mark>`."""
        return f"{self.id}:{self.mark}"


def below(path: str, folder: str) -> str | None:
    """Return a path as seen from a folder; None when it is not below it.

    Args:
        path: below `/uploads`.
        folder: likewise; empty for all uploads.
    """
    if not folder:
        return path
    return path[len(folder) + 1 :] if path.startswith(f"{folder}/") else None


def keyed(files: Iterable[UploadedFile], folder: str) -> dict[str, UploadedFile]:
    """Return uploads below a folder by unique keys: the second of one path gets a number.

    Args:
        files: in a fixed order; the first of a path keeps it.
        folder: see `below`.
    """
    found: dict[str, UploadedFile] = {}
    for file in files:
        key = below(file.path, folder)
        if key:
            found[_free(key, found)] = file
    return found


def _free(key: str, taken: Mapping[str, UploadedFile]) -> str:
    if key not in taken:
        return key
    folder, stem, extension = split_name(key)
    number = 2
    prefix = f"{folder}/" if folder else ""
    while (candidate := f"{prefix}{stem} ({number}){extension}") in taken:
        number += 1
    return candidate


def fingerprint_of(key: str, file: UploadedFile) -> Fingerprint:
    """Return what planning knows of an upload, from the catalog alone."""
    known = {name: value for name, value in file.details.items() if name in _FACTS}
    return Fingerprint(
        key=key,
        size_bytes=file.size_bytes,
        modified_ns=file.modified_ns,
        version=file.version,
        md5=file.md5,
        sha256=file.sha256,
        mime=file.mime or "application/octet-stream",
        **known,
    )


def category_of(key: str, file: UploadedFile) -> CategoryRow:
    """Return the category the catalog has for an upload; `Needs review` before it has one."""
    category = file.category or NEEDS_REVIEW
    return CategoryRow(
        key=key,
        category=category,
        subcategory=file.subcategory,
        coarse_category=coarse_category(category),
        confidence_ratio=file.confidence_ratio if file.confidence_ratio is not None else 0.0,
        reason="as the catalog has it",
        decided_by="catalog",
    )
