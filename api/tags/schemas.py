"""Tags as the API takes and gives them."""

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from api.shell.pagination import Pagination
from models.domain.errors import InvalidError
from models.domain.uploads import TAG_CHARACTERS, tag_color, tag_name


def _name(sent: str) -> str:
    """Return a tag as it is kept; what is none is pydantic's error."""
    try:
        return tag_name(sent)
    except InvalidError as error:
        raise ValueError(str(error)) from error


def _color(sent: str) -> str:
    """Return a color as it is kept; what is none is pydantic's error."""
    try:
        return tag_color(sent)
    except InvalidError as error:
        raise ValueError(str(error)) from error


TagName = Annotated[
    str,
    AfterValidator(_name),
    Field(description=f"1 to {TAG_CHARACTERS} characters.", examples=["vacation"]),
]
TagColor = Annotated[
    str, AfterValidator(_color), Field(description="`#rrggbb`.", examples=["#00f7ff"])
]


class NewTag(BaseModel):
    """A tag to make."""

    model_config = ConfigDict(extra="forbid")

    tag_name: TagName
    tag_color: TagColor | None = None


class ChangeTag(BaseModel):
    """What to change of a tag; what is not given stays."""

    model_config = ConfigDict(extra="forbid")

    tag_name: TagName | None = None
    tag_color: TagColor | None = None


class MergeTag(BaseModel):
    """Which tag takes another one in."""

    model_config = ConfigDict(extra="forbid")

    tag_name: TagName = Field(description="The tag that stays.")
    tag_color: TagColor | None = Field(default=None, description="Its new color.")


class TagDocument(BaseModel):
    """A tag."""

    id: str
    tag_name: str
    tag_color: str | None
    usage_count: int = Field(description="Files that carry it, those in the trash included.")
    created_at: datetime


class OneTag(BaseModel):
    """One tag."""

    tag: TagDocument


class Tags(BaseModel):
    """Tags, by name or by use."""

    tags: list[TagDocument]
    pagination: Pagination
