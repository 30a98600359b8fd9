"""Answers of the API as the specification has them; a test holds them to the OpenAPI document."""

from typing import Any, TypedDict


class User(TypedDict):
    """An account, in short."""

    id: str
    email: str
    username: str
    subscription_tier: str


class SignedIn(TypedDict):
    """An account and its tokens."""

    user: User
    access_token: str
    refresh_token: str


class UploadedFile(TypedDict):
    """A file that was just uploaded."""

    id: str
    filename: str
    size_bytes: int
    category: str | None
    storage_path: str
    thumbnail_url: str | None
    md5_hash: str | None
    created_at: str


class ListedFile(UploadedFile):
    """A file in a list."""

    tags: list[str]


class Pagination(TypedDict):
    """Where in a list a part is."""

    page: int | None
    per_page: int
    total: int | None
    pages: int | None
    next_cursor: str | None


class FilePage(TypedDict):
    """A page of files."""

    files: list[ListedFile]
    pagination: Pagination


class JobCreated(TypedDict):
    """A job that was accepted."""

    id: str
    status: str
    created_at: str


class Job(TypedDict):
    """A job and how far it is, in percent."""

    id: str
    status: str
    progress: float
    files_processed: int
    files_moved: int
    duplicates_found: int
    errors_count: int
    started_at: str | None
    estimated_completion: str | None


class SimilarFile(TypedDict):
    """A member of a group of duplicates beside its original."""

    file: ListedFile
    similarity: float


class DuplicateGroup(TypedDict):
    """Files of equal bytes, or nearly so."""

    hash: str
    original_file: ListedFile
    duplicates: list[SimilarFile]
    space_wasted_bytes: int


class DuplicatePage(TypedDict):
    """A page of groups, and the totals of all pages."""

    duplicate_groups: list[DuplicateGroup]
    total_duplicates: int
    total_space_wasted_gb: float
    pagination: Pagination


class DeletedDuplicates(TypedDict):
    """What went to the trash."""

    deleted_count: int
    space_freed_bytes: int
    skipped: list[dict[str, str]]
    jobs: list[dict[str, str]]


class SearchPage(TypedDict):
    """What was found."""

    results: list[dict[str, Any]]
    mode: str
    note: str | None
    pagination: Pagination


class Dashboard(TypedDict):
    """An account at a glance."""

    storage: dict[str, float | None]
    files: dict[str, Any]
    duplicates: dict[str, float]
    recent_activity: list[dict[str, Any]]
