"""A taxonomy as a classifier reads it: categories, what each is like in words, and corrections.

A category has an *id*, which rules, corrections and models know it by, and a *name*, which is its
folder's and the user's to change. In the taxonomy that comes along they are equal.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace

from models.domain.columns import column
from models.domain.errors import MissingError
from models.domain.paths import fold

COARSE_NAMES = ("Images", "Videos", "Documents", "Audio", "Others")
"""What every category rolls up to (the dashboard's five names)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """What files of one category or sub-category are like, as sentences to compare with.

    Attributes:
        name: of the folder, as shown.
        id: what rules, corrections and models call it; empty where it is the name.
        prompts: sentences such as stand in, or describe, texts of it; none where text never says.
        image_prompts: descriptions of pictures of it; none where pictures never show it.
    """

    name: str
    id: str = ""
    prompts: tuple[str, ...] = ()
    image_prompts: tuple[str, ...] = ()

    @property
    def identity(self) -> str:
        """What rules, corrections and models call it."""
        return self.id or self.name

    def as_id(self) -> "Topic":
        """Return the topic by the name of its id."""
        return replace(self, name=self.identity, id="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Category:
    """One first level with its second.

    Attributes:
        topic: its name, and what is true of all its sub-categories.
        coarse: Images, Videos, Documents, Audio or Others.
        subcategories: none is fine.
        aliases: ids of categories that are no more and whose files come here.
    """

    topic: Topic
    coarse: str = "Others"
    subcategories: tuple[Topic, ...] = ()
    aliases: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Its name."""
        return self.topic.name

    @property
    def identity(self) -> str:
        """What rules, corrections and models call it."""
        return self.topic.identity

    def subcategory(self, text: str) -> Topic | None:
        """Return the sub-category of an id, else of a name in any letters; None when none."""
        return _named(self.subcategories, text)


REVIEW = Category(
    topic=Topic(name="Needs review"),
    subcategories=(Topic(name="Unknown"), Topic(name="Low confidence"), Topic(name="Corrupt")),
)
"""Where files wait that nobody can say anything certain of; no taxonomy is without it."""


def _named(topics: Iterable[Topic], text: str) -> Topic | None:
    topics = list(topics)
    by_id = next((each for each in topics if each.identity == text), None)
    return by_id or next((each for each in topics if fold(each.name) == fold(text.strip())), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Taxonomy:
    """A closed list of categories; whoever decides by it names no other.

    Attributes:
        categories: what a file can be; `review` is none of them.
        review: where a classifier that abstains leaves a file.
        budget: sub-folders that one category may have at most; None: as many as there are.
    """

    categories: tuple[Category, ...] = field(default=())
    review: Category = REVIEW
    budget: int | None = None

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
    def all_categories(self) -> tuple[Category, ...]:
        """All categories, review the last."""
        return (*self.categories, self.review)

    def category(self, text: str) -> Category | None:
        """Return the category of an id, an alias, else of a name in any letters; None when none."""
        each = self.all_categories
        topic = _named((category.topic for category in each), text)
        return next(
            (c for c in each if c.topic is topic or (topic is None and text in c.aliases)), None
        )

    def require(self, text: str) -> Category:
        """Return a category.

        Raises:
            MissingError: there is none of that name; the text says which there are.
        """
        found = self.category(text)
        if found is None:
            names = ", ".join(each.name for each in self.all_categories)
            raise MissingError(f"there is no category {text!r}; there are: {names}")
        return found

    def pair(self, category: str, subcategory: str | None) -> tuple[str, str | None]:
        """Return the ids of a category and a sub-category given by ids or names.

        Raises:
            MissingError: one of them is not there.
        """
        found = self.require(category)
        if not subcategory:
            return found.identity, None
        below = found.subcategory(subcategory)
        if below is None:
            names = ", ".join(each.name for each in found.subcategories) or "none"
            raise MissingError(f"{found.name} has no {subcategory!r}; it has: {names}")
        return found.identity, below.identity

    def names(self, category: str, subcategory: str | None) -> tuple[str, str | None, str] | None:
        """Return the names and the coarse name of ids; None when the category is no more.

        A sub-category that is no more leaves its files to their category.
        """
        found = self.category(category)
        if found is None:
            return None
        below = found.subcategory(subcategory) if subcategory else None
        return found.name, below.name if below else None, found.coarse

    def by_ids(self) -> "Taxonomy":
        """Return the taxonomy with every name replaced by its id, as classifiers are to see it."""
        return replace(
            self,
            categories=tuple(
                replace(
                    each,
                    topic=each.topic.as_id(),
                    subcategories=tuple(topic.as_id() for topic in each.subcategories),
                )
                for each in self.categories
            ),
        )

    @property
    def digest(self) -> str:
        """16 hexadecimal digits that differ whenever any name or sentence does."""
        text = json.dumps(asdict(self), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """What a person said a content is; the newest of a content counts."""

    sha256: str = column("Content, 64 hexadecimal digits.")
    category: str = column("Id of the first level.")
    subcategory: str | None = column(
        "Id of the second level; null when the person named none.", default=None
    )


def folded_subcategories(
    counts: Mapping[tuple[str, str], int], budget: int
) -> dict[tuple[str, str], int]:
    """Return the sub-folders that fold into their parent so that none has more than `budget`.

    Those with the most files stay; of equal ones, the first by name.

    Args:
        counts: files by (category, sub-category); those without one, by "", are a folder too.
        budget: sub-folders of one category at most.

    Returns:
        Files by (category, sub-category) of those that fold.
    """
    by_category: dict[str, list[tuple[int, str]]] = {}
    for (category, subcategory), files in counts.items():
        by_category.setdefault(category, []).append((-files, subcategory))
    return {
        (category, subcategory): -files
        for category, found in sorted(by_category.items())
        for files, subcategory in sorted(found)[budget:]
    }
