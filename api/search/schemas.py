"""What the room of search gives."""

from pydantic import BaseModel, Field

from api.search.service import Found, Mode
from api.shell.file_shapes import ListedFile, listed_file
from api.shell.pagination import Pagination
from api.shell.signed_links import LinkSigner


class HighlightView(BaseModel):
    """A passage as it is, without markup, and where the words are in it."""

    field: str = Field(description="`filename` or `text`.")
    fragment: str
    matches: list[tuple[int, int]] = Field(description="Begin and end of each, in characters.")


class SearchResult(BaseModel):
    """One file that was found; equal contents are one."""

    file: ListedFile
    score: float = Field(description="Only its order counts.")
    highlights: list[HighlightView]


class SearchResults(BaseModel):
    """What was found, the best first."""

    results: list[SearchResult]
    mode: Mode = Field(description="What was asked in the end.")
    note: str | None = Field(description="Why that is less than what was wanted; null: it is not.")
    pagination: Pagination


def result_view(found: Found, links: LinkSigner) -> SearchResult:
    """Return a find as answers show it."""
    return SearchResult(
        file=listed_file(found.file, links),
        score=found.score,
        highlights=[
            HighlightView(field=each.field, fragment=each.fragment, matches=list(each.matches))
            for each in found.highlights
        ],
    )
