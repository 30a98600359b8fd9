"""A taxonomy as a classifier reads it: categories, what each is like in words, and corrections."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field

from models.domain.columns import column


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """What files of one category or sub-category are like, as sentences to compare with.

    Attributes:
        name: identity of the category or sub-category, English, as shown.
        prompts: sentences such as stand in, or describe, texts of it; none where text never says.
        image_prompts: descriptions of pictures of it; none where pictures never show it.
    """

    name: str
    prompts: tuple[str, ...] = ()
    image_prompts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Category:
    """One first level with its second.

    Attributes:
        topic: its name, and what is true of all its sub-categories.
        coarse: Images, Videos, Documents, Audio or Others.
        subcategories: none is fine.
    """

    topic: Topic
    coarse: str = "Others"
    subcategories: tuple[Topic, ...] = ()

    @property
    def name(self) -> str:
        """Its name."""
        return self.topic.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Taxonomy:
    """A closed list of categories; whoever decides by it names no other."""

    categories: tuple[Category, ...] = field(default=())

    def topics(self) -> Iterator[tuple[Category, Topic]]:
        """Yield each sub-category with its category.

        A category with sentences of its own stands for itself too, before them.
        """
        for category in self.categories:
            if category.topic.prompts or category.topic.image_prompts:
                yield category, category.topic
            for topic in category.subcategories:
                yield category, topic

    @property
    def digest(self) -> str:
        """16 hexadecimal digits that differ whenever any name or sentence does."""
        text = json.dumps(asdict(self), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """What a person said a content is; the newest of a content counts."""

    sha256: str = column("Content, 64 hexadecimal digits.")
    category: str = column("First level, as the person's taxonomy names it.")
    subcategory: str | None = column("Second level; null when the person named none.", default=None)
