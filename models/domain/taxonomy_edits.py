"""Changes of a taxonomy: each gives another one, and ids stay what they are."""

from collections.abc import Callable
from dataclasses import replace

from models.domain.errors import ConflictError, InvalidError
from models.domain.taxonomy import Category, Taxonomy, Topic


def renamed(taxonomy: Taxonomy, path: str, name: str) -> Taxonomy:
    """Return the taxonomy with another name for `Category` or `Category/Sub-category`.

    Ids stay, so that corrections and rules go on to mean it.

    Raises:
        MissingError: there is no such category.
    """
    return _changed(taxonomy, path, lambda topic: replace(topic, name=name, id=topic.identity))


def reprompted(
    taxonomy: Taxonomy, path: str, prompts: tuple[str, ...], image_prompts: tuple[str, ...]
) -> Taxonomy:
    """Return the taxonomy with other sentences for `Category` or `Category/Sub-category`.

    Raises:
        MissingError: there is no such category.
    """
    return _changed(
        taxonomy,
        path,
        lambda topic: replace(topic, prompts=prompts, image_prompts=image_prompts),
    )


def added(taxonomy: Taxonomy, path: str, coarse: str, topic: Topic) -> Taxonomy:
    """Return the taxonomy with one more `Category` or `Category/Sub-category`, at the end.

    Args:
        taxonomy: to add to.
        path: where; its last part is the new name.
        coarse: of a new category.
        topic: its sentences.

    Raises:
        ConflictError: it is there already.
        MissingError: the category of a new sub-category is not there.
    """
    name, slash, sub = path.partition("/")
    if not slash:
        if taxonomy.category(name):
            raise ConflictError(f"there is a category {name!r} already")
        new = Category(topic=replace(topic, name=name, id=""), coarse=coarse)
        return replace(taxonomy, categories=(*taxonomy.categories, new))
    category = taxonomy.require(name)
    if category.subcategory(sub):
        raise ConflictError(f"{category.name} has a sub-category {sub!r} already")
    below = (*category.subcategories, replace(topic, name=sub, id=""))
    return _with(taxonomy, category, replace(category, subcategories=below))


def removed(taxonomy: Taxonomy, path: str, into: str | None = None) -> Taxonomy:
    """Return the taxonomy without `Category` or `Category/Sub-category`.

    Files of a category that is no more go to `into`, or to review; those of a sub-category stay in
    its category.

    Raises:
        InvalidError: the category cannot be removed.
        MissingError: there is no such category.
    """
    name, slash, sub = path.partition("/")
    category = taxonomy.require(name)
    if category is taxonomy.review:
        raise InvalidError(f"{category.name} is where undecided files wait; it can be renamed only")
    if slash:
        _, identity = taxonomy.pair(name, sub)
        kept = tuple(each for each in category.subcategories if each.identity != identity)
        return _with(taxonomy, category, replace(category, subcategories=kept))
    rest = tuple(each for each in taxonomy.categories if each is not category)
    without = replace(taxonomy, categories=rest)
    if into is None:
        return without
    heir = without.require(into)
    taken = (*heir.aliases, category.identity, *category.aliases)
    return _with(without, heir, replace(heir, aliases=taken))


def _changed(taxonomy: Taxonomy, path: str, change: Callable[[Topic], Topic]) -> Taxonomy:
    name, slash, sub = path.partition("/")
    category = taxonomy.require(name)
    if not slash:
        return _with(taxonomy, category, replace(category, topic=change(category.topic)))
    _, identity = taxonomy.pair(name, sub)
    below = tuple(
        change(each) if each.identity == identity else each for each in category.subcategories
    )
    return _with(taxonomy, category, replace(category, subcategories=below))


def _with(taxonomy: Taxonomy, old: Category, new: Category) -> Taxonomy:
    if old is taxonomy.review:
        return replace(taxonomy, review=new)
    changed = tuple(new if each is old else each for each in taxonomy.categories)
    return replace(taxonomy, categories=changed)
