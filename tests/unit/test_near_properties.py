"""What holds of near groups whatever the files are: order, directness, what may go."""

import itertools
import tempfile
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFont

from models.domain.categories import CategoryRow
from models.domain.duplicates import DuplicateRow
from models.domain.fingerprint import Fingerprint
from models.domain.jobs import OrganizeOptions
from models.domain.near import NearMedia, PictureView, Signature
from models.domain.near_payload import pack
from tasks.dedupe.core import exact_groups
from tasks.dedupe.near.groups import near_groups
from tasks.dedupe.near.pictures import PictureSearch, Views
from tasks.dedupe.near.stars import find_stars
from tasks.dedupe.near.texts import TEXT_THRESHOLD, jaccard
from tasks.fingerprint.contents import near_contents
from tasks.fingerprint.perceptual.pictures import picture_views
from tasks.fingerprint.perceptual.words import shingles_of, text_print, word_hashes
from warehouse.schemas.arrow import arrow_schema, to_rows, to_table

texts = st.lists(
    st.tuples(st.integers(0, 2), st.sets(st.integers(0, 59), max_size=9)), min_size=2, max_size=9
)
"""Copies of one of three stories, each with some words of its own."""


def written(number: int, story: int, own_words: set[int]) -> str:
    words = [f"w{story}x{place}" for place in range(60)]
    for place in own_words:
        words[place] = f"own{number}x{place}"
    return " ".join(words)


def sha256_of(number: int) -> str:
    return f"{number:064x}"


def near_rows(stories: list[str], order: list[int]) -> list[DuplicateRow]:
    files = [
        Fingerprint(
            key=f"{number}.txt",
            size_bytes=100 + number,
            modified_ns=1,
            version="v",
            sha256=sha256_of(number),
            md5="0" * 32,
            content_label="txt",
            mime="text/plain",
            media="document",
        )
        for number in order
    ]
    fingerprints, categories = to_table(files, Fingerprint), arrow_schema(CategoryRow).empty_table()
    exact = exact_groups(fingerprints, categories, options=OrganizeOptions())
    contents = near_contents(fingerprints, exact, frozenset(NearMedia))
    prints = {number: text_print(stories[number], "") for number in order}
    signatures = to_table(
        [
            Signature(sha256=sha256_of(number), version=1, payload=pack([made] if made else []))
            for number, made in prints.items()
        ],
        Signature,
    )
    with tempfile.TemporaryDirectory() as scratch:
        table = near_groups(
            fingerprints,
            categories,
            contents,
            lambda: signatures.to_batches(max_chunksize=3),
            scratch=Path(scratch),
            options=OrganizeOptions(),
            source_url="file:///x",
            destination_url="file:///x",
        )
    return to_rows(table, DuplicateRow)


@settings(max_examples=60, deadline=None)
@given(texts, st.randoms(use_true_random=False))
def test_order_directness_and_what_may_go(drawn, rng):
    stories = [written(number, *each) for number, each in enumerate(drawn)]
    numbers = list(range(len(stories)))
    rows = near_rows(stories, numbers)
    shuffled = rng.sample(numbers, len(numbers))
    assert near_rows(stories, shuffled) == rows, "the order of files matters"

    shingles = [shingles_of(word_hashes(story)) for story in stories]
    number_of = {f"{number}.txt": number for number in numbers}
    keeper = {row.group_id: number_of[row.key] for row in rows if row.is_keeper}
    gone = {number_of[row.key] for row in rows if not row.is_keeper}
    assert len(rows) == len(gone) + len(keeper), "a file is in two groups"
    for row in rows:
        index = jaccard(shingles[keeper[row.group_id]], shingles[number_of[row.key]])
        assert row.similarity_ratio == round(index, 4), "no direct match with its keeper"
        assert index >= TEXT_THRESHOLD
        assert row.wasted_bytes == (0 if row.is_keeper else row.size_bytes)
    for one, two in itertools.combinations(sorted(set(numbers) - gone), 2):
        assert jaccard(shingles[one], shingles[two]) < TEXT_THRESHOLD, "two that stay are alike"


def page(words: list[str]) -> Image.Image:
    """Return a page of text, as a scanner makes it."""
    image = Image.new("L", (620, 877), 255)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(size=12)
    for line in range(36):
        draw.text((55, 60 + 18 * line), " ".join(words[9 * line : 9 * line + 9]), 0, font)
    return image


def form(seed: int) -> Image.Image:
    """Return a form that is the same but for what was filled in."""
    rng = np.random.default_rng(seed)
    image = Image.new("L", (620, 877), 255)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(size=13)
    draw.text((55, 50), "INVOICE", 0, ImageFont.load_default(size=30))
    for line in range(14):
        draw.line((55, 278 + 25 * line, 565, 278 + 25 * line), 0)
        draw.text((60, 283 + 25 * line), "item " * int(rng.integers(1, 6)), 0, font)
        draw.text((450, 283 + 25 * line), f"{rng.integers(1, 200_000) / 100}", 0, font)
    draw.text((55, 800), "Payable within thirty days, thank you for your business.", 0, font)
    return image


def groups_of(images: list[Image.Image]) -> list[set[int]]:
    views = [view for n, image in enumerate(images) for view in picture_views(image, sha256_of(n))]
    with tempfile.TemporaryDirectory() as scratch:
        search = PictureSearch(Views(to_table(views, PictureView).to_batches(), Path(scratch)))
        stars = find_stars(range(len(search.contents)), search)
    return [{star.keeper, *(proof.other for proof in star.members)} for star in stars]


def test_pages_and_forms_of_one_layout_are_no_copies_and_their_copies_are():
    rng = np.random.default_rng(5)
    pages = [page([("x" * int(n)) for n in rng.integers(1, 11, 324)]) for _ in range(6)]
    forms = [form(seed) for seed in range(6)]
    assert groups_of([*pages, *forms]) == []
    smaller = [image.resize((500, 707), Image.Resampling.LANCZOS) for image in (pages[0], forms[0])]
    assert groups_of([*pages, *forms, *smaller]) == [{0, 12}, {6, 13}]
