"""What metadata say in words, one guess of several, and which pictures look written."""

import io

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFilter

from models.domain.categories import NEEDS_REVIEW
from models.domain.embeddings import ContentGuess, TextContent, TextSource
from models.domain.evidence import evidence_of
from models.domain.fingerprint import Fingerprint, Media
from models.domain.search import SCAN_VERSION, ContentText
from models.domain.spoken_facts import spoken_facts
from models.settings import Settings
from tasks.categorize.core import best_guesses
from tasks.fingerprint.keyframes import FRAMES, checked_frames
from tasks.fingerprint.scans import looks_written, ocr_problem
from warehouse.schemas.arrow import to_rows, to_table


def file(**facts: object) -> Fingerprint:
    return Fingerprint(key="a", size_bytes=1, modified_ns=0, version="1", **facts)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({}, ""),
        ({"media": Media.IMAGE}, ""),
        (
            {
                "media": Media.AUDIO,
                "title": "Lemonworld",
                "artist": "The National",
                "genre": "Rock",
            },
            "A recording titled Lemonworld, by The National, genre Rock.",
        ),
        (
            {"media": Media.AUDIO, "duration_s": 41.2, "channels": 1},
            "A recording 41 seconds long, one channel, like a voice.",
        ),
        (
            {"media": Media.AUDIO, "duration_s": 240.0, "channels": 1, "album": "Mono"},
            "A recording from the album Mono, 4 minutes long.",
        ),
        (
            {"media": Media.IMAGE, "camera_make": "Canon", "camera_model": "EOS"},
            "A picture taken with a Canon EOS.",
        ),
        ({"media": Media.EMAIL, "sender": "a@b.c"}, "A mail sent by a@b.c."),
        ({"media": Media.DOCUMENT, "artist": "Jo", "duration_s": 3.0}, "A document by Jo."),
    ],
)
def test_metadata_are_told_in_words_and_missing_ones_are_fine(facts: dict, said: str):
    assert spoken_facts(file(**facts)) == said


def guess(sha256: str, category: str, decided_by: str) -> ContentGuess:
    return ContentGuess(
        sha256=sha256,
        category=category,
        subcategory=None,
        confidence_ratio=0.5,
        reason="",
        alternatives="",
        decided_by=decided_by,
    )


@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from([NEEDS_REVIEW, "Finance", "Photos"])),
        max_size=12,
    )
)
def test_each_content_has_one_guess_and_who_decides_counts_before_who_abstains(pairs):
    rows = [guess(sha, category, str(n)) for n, (sha, category) in enumerate(pairs)]
    best = to_rows(best_guesses(to_table(rows, ContentGuess)), ContentGuess)
    assert [row.sha256 for row in best] == sorted({sha for sha, _ in pairs})
    for row in best:
        mine = [each for each in rows if each.sha256 == row.sha256]
        decided = [each for each in mine if each.category != NEEDS_REVIEW]
        assert row == (decided or mine)[0]


def test_guesses_of_many_parts_are_chosen_from_as_one_table():
    parts = [
        to_table([guess("a", NEEDS_REVIEW, "looks")], ContentGuess),
        to_table([guess("a", "Finance", "text"), guess("b", "Legal", "text")], ContentGuess),
    ]
    best = to_rows(best_guesses(pa.concat_tables(parts)), ContentGuess)
    assert [(row.sha256, row.category) for row in best] == [("a", "Finance"), ("b", "Legal")]


def encoded(picture: Image.Image) -> bytes:
    sink = io.BytesIO()
    picture.save(sink, "WEBP", quality=75)
    return sink.getvalue()


def page(paper: tuple[int, int, int] = (250, 249, 245)) -> Image.Image:
    made = Image.new("RGB", (181, 256), paper)
    draw = ImageDraw.Draw(made)
    for line in range(20, 236, 9):
        for word in range(14, 165, 6):
            draw.line((word, line, word + 3, line), fill=(40, 40, 45), width=2)
    return made


def test_pages_look_written_and_photos_do_not():
    assert looks_written(encoded(page()))
    assert looks_written(encoded(page((176, 172, 163))))  # in the shade
    rng = np.random.default_rng(0)
    meadow = Image.fromarray(rng.integers(0, 256, (12, 16, 3)).astype(np.uint8)).resize((256, 192))
    assert not looks_written(encoded(meadow))
    assert not looks_written(encoded(Image.new("RGB", (256, 256), "white")))
    sky = Image.linear_gradient("L").convert("RGB").filter(ImageFilter.GaussianBlur(3))
    assert not looks_written(encoded(sky))
    assert not looks_written(b"no picture")


def test_reading_scans_can_be_turned_off_and_says_so():
    assert "off" in (ocr_problem(Settings(ocr=False)) or "")


@given(st.lists(st.integers(1, 40), max_size=FRAMES), st.binary(max_size=8))
def test_frames_of_a_child_are_taken_whole_or_not_at_all(lengths: list[int], more: bytes):
    frames = [(b"RIFF" + bytes(length))[:length] for length in lengths]
    found = checked_frames(lengths, b"".join(frames) + more)
    is_whole = not more and all(length >= 4 for length in lengths)
    assert found == (frames if is_whole else [])
    assert checked_frames([1 << 40], b"RIFF") == checked_frames("x", b"") == []
    assert checked_frames([4] * (FRAMES + 1), b"RIFF" * (FRAMES + 1)) == []


def test_one_text_gives_evidence_and_says_where_it_was_read():
    content = TextContent(sha256="0" * 64, key="a", label="pdf", size_bytes=1, version="1")
    read = ContentText(sha256="0" * 64, sample="amount  due " * 1000)
    assert evidence_of(content, read).source == TextSource.TEXT
    assert len(evidence_of(content, read).text) <= 2003
    seen = ContentText(sha256="0" * 64, version=SCAN_VERSION, sample="amount due")
    assert evidence_of(content, seen).source == TextSource.OCR
    assert evidence_of(content, None).source == TextSource.NONE
