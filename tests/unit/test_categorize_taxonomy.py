"""The taxonomy as a classifier reads it."""

from dataclasses import replace

from models.domain.categories import COARSE, NEEDS_REVIEW, TAXONOMY
from models.domain.taxonomy import Taxonomy, Topic
from tasks.categorize.taxonomy import shipped_taxonomy


def test_the_default_has_the_two_levels_of_the_specification():
    found = {
        category.name: tuple(topic.name for topic in category.subcategories)
        for category in shipped_taxonomy().categories
    }
    assert found == {name: subs for name, subs in TAXONOMY.items() if name != NEEDS_REVIEW}
    assert all(
        category.coarse == COARSE.get(category.name, "Others")
        for category in shipped_taxonomy().categories
    )


def test_every_document_s_sub_category_says_what_its_texts_are_like():
    for category in shipped_taxonomy().categories:
        if category.name in {"Finance", "Legal", "Work", "Education", "Health", "Personal"}:
            assert all(topic.prompts for topic in category.subcategories)
        if category.name in {"Photos", "Screens and graphics", "Scans", "Videos"}:
            assert all(topic.image_prompts for topic in category.subcategories)


def test_the_digest_tells_any_sentence():
    taxonomy = shipped_taxonomy()
    first = taxonomy.categories[0]
    other = Taxonomy(
        categories=(
            replace(first, topic=Topic(name=first.name, prompts=("other",))),
            *taxonomy.categories[1:],
        )
    )
    assert taxonomy.digest == shipped_taxonomy().digest
    assert taxonomy.digest != other.digest
    assert len(list(other.topics())) == len(list(taxonomy.topics())) + 1
