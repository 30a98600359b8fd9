"""A file as its owner sees it: what is shown, how a list is filtered and sorted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from models.domain.taxonomy import COARSE_NAMES

GPS_FACTS = ("latitude", "longitude")
"""Facts that say where somebody was; shown only to who asks for them by name."""

THUMBNAIL_FACT = "thumbnail"
"""Fact that names the thumbnail in the lake once it was made."""


class FileSort(StrEnum):
    """What a list of files is sorted by."""

    CREATED_AT = "created_at"
    SIZE = "size"
    FILENAME = "filename"


class SortOrder(StrEnum):
    """Which way."""

    ASC = "asc"
    DESC = "desc"


class TagMatch(StrEnum):
    """How several tags are meant."""

    ALL = "all"
    ANY = "any"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFilter:
    """Which files a list has.

    Attributes:
        category: a category, or one of the coarse names, which takes all below it; None: any.
        tags: names of tags; none: any files.
        match: whether a file must have all the tags or one of them.
    """

    category: str | None = None
    tags: tuple[str, ...] = ()
    match: TagMatch = TagMatch.ALL

    def takes(self, file: "StoredFile") -> bool:
        """Return whether a file belongs to the list; what the database does with an index."""
        if self.category is not None:
            own = file.coarse_category if is_coarse(self.category) else file.category
            if own != self.category:
                return False
        if not self.tags:
            return True
        has = [tag in file.tags for tag in self.tags]
        return all(has) if self.match is TagMatch.ALL else any(has)


def is_coarse(category: str) -> bool:
    """Return whether a name stands for all categories below it."""
    return category in COARSE_NAMES


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """One file of the catalog.

    Attributes:
        category: first level; the one that somebody chose goes before what rules and models say.
        chosen_category: what somebody chose; None leaves it to rules and models.
        found_category: what these said.
        details: media facts (`tasks.publish.catalog_rows.DETAILS`).
        version: raised with every change; the entity tag of conditional requests.
        root_url: storage it lies in; told to nobody.
        storage_key: path below it.
        storage_version: what the storage knows its bytes by.
        is_managed: whether it was uploaded; otherwise it lies in a connected folder.
        is_published: whether the flow that follows an upload is done with it.
        purge_after: when the trash lets go of it; None outside of the trash.
    """

    id: str
    account_id: str
    filename: str
    size_bytes: int
    category: str | None
    coarse_category: str
    tags: tuple[str, ...]
    mime: str | None
    md5: str | None
    sha256: str | None
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None
    purge_after: datetime | None
    version: int
    root_id: str
    root_url: str
    storage_key: str
    storage_version: str
    is_managed: bool
    is_published: bool
    details: Mapping[str, Any] = field(default_factory=dict[str, Any])
    chosen_category: str | None = None
    found_category: str | None = None

    @property
    def thumbnail_key(self) -> str | None:
        """Key of its thumbnail in the lake; None until it is made, or when it has none."""
        found = self.details.get(THUMBNAIL_FACT)
        return str(found) if found else None

    @property
    def shown_path(self) -> str:
        """Opaque address of its bytes: stable, and silent about where they are."""
        return f"fileorganizer://files/{self.id}"


def camera_of(details: Mapping[str, Any]) -> str | None:
    """Return the camera in words: `Canon EOS R5`, not `Canon Canon EOS R5`."""
    make = str(details.get("camera_make") or "").strip()
    model = str(details.get("camera_model") or "").strip()
    if not make or not model:
        return make or model or None
    return model if model.casefold().startswith(make.split()[0].casefold()) else f"{make} {model}"


def shown_metadata(details: Mapping[str, Any], *, with_gps: bool = False) -> dict[str, Any]:
    """Return what is shown of a file's facts; where it was taken only when asked for by name."""
    shown: dict[str, Any] = {
        "width": details.get("width"),
        "height": details.get("height"),
        "camera": camera_of(details),
    }
    if with_gps:
        shown |= {name: details.get(name) for name in GPS_FACTS}
    return shown


def sort_key(file: StoredFile, sort: FileSort) -> tuple[Any, str]:
    """Return what a list is sorted by; the id makes the order total."""
    values = {
        FileSort.CREATED_AT: file.created_at,
        FileSort.SIZE: file.size_bytes,
        FileSort.FILENAME: file.filename,
    }
    return values[sort], file.id


def chosen(files: Sequence[StoredFile], ids: Sequence[str]) -> dict[str, StoredFile | None]:
    """Return the files of ids, each once, in the order asked for; None where there is none."""
    found = {file.id: file for file in files}
    return {each: found.get(each) for each in dict.fromkeys(ids)}
