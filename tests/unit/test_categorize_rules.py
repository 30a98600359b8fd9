"""Categories: certain where the content says so, review where nothing does."""

import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.domain.categories import TAXONOMY, CategoryRow, coarse_category
from models.domain.errors import BrokenError
from models.domain.fingerprint import Fingerprint, Media, Problem
from tasks.categorize.by_label import BY_LABEL
from tasks.categorize.core import categorize
from tasks.categorize.rules import CertainRules
from tasks.fingerprint.content_types import content_types
from warehouse.schemas.arrow import to_rows, to_table


def file(key: str = "x/a.bin", **columns: Any) -> Fingerprint:
    base = Fingerprint(key=key, size_bytes=1, modified_ns=0, version="v", sha256="0" * 64)
    label = columns.get("content_label", "")
    if label in content_types() and "media" not in columns:
        columns["media"] = content_types()[label].media
    return replace(base, **columns)


def decided(key: str, **columns: Any) -> tuple[str, str | None]:
    row = CertainRules.decide(file(key, **columns))
    assert row.reason
    assert row.coarse_category == coarse_category(row.category)
    assert 0 <= row.confidence_ratio <= 1
    return row.category, row.subcategory


@pytest.mark.parametrize(
    ("key", "columns", "expected"),
    [
        ("a.jpg", {"content_label": "jpeg", "camera_make": "Canon"}, ("Photos", None)),
        ("a.nef", {"content_label": "nef"}, ("Photos", None)),
        ("a.jpg", {"content_label": "jpeg", "captured_source": "exif"}, ("Photos", None)),
        (
            "Screenshot 2024-01-31 at 10.11.12.png",
            {"content_label": "png"},
            ("Screens and graphics", "Screenshots"),
        ),
        (
            "a.png",
            {"content_label": "png", "width": 1170, "height": 2532},
            ("Screens and graphics", "Screenshots"),
        ),
        (
            "a.png",
            {"content_label": "png", "width": 64, "height": 64},
            ("Screens and graphics", "Icons"),
        ),
        ("a.svg", {"content_label": "svg"}, ("Screens and graphics", "Design")),
        ("a.pdf", {"content_label": "pdf", "has_text": False}, ("Scans", None)),
        (
            "a.pdf",
            {"content_label": "pdf", "has_text": True},
            ("Needs review", "Low confidence"),
        ),
        (
            "Invoice_2024-001.pdf",
            {"content_label": "pdf", "has_text": True},
            ("Finance", "Invoices"),
        ),
        ("Jane Doe CV.docx", {"content_label": "docx"}, ("Personal", "CV")),
        ("MyResume.docx", {"content_label": "docx"}, ("Personal", "CV")),
        ("notes.txt", {"content_label": "txt"}, ("Needs review", "Low confidence")),
        ("a.eml", {"content_label": "eml"}, ("Mail and chat", "Messages")),
        ("a.mbox", {"content_label": "mbox"}, ("Mail and chat", "Exports")),
        ("a.xls", {"content_label": "xls"}, ("Work", "Spreadsheets")),
        ("a.pptx", {"content_label": "pptx"}, ("Work", "Presentations")),
        ("a.csv", {"content_label": "csv"}, ("Data", "Tables")),
        ("a.epub", {"content_label": "epub"}, ("Books", "E-books")),
        ("a.mp3", {"content_label": "mp3", "artist": "X"}, ("Audio", "Music")),
        ("a.mp3", {"content_label": "mp3"}, ("Audio", None)),
        ("PTT-20240131.opus", {"content_label": "opus"}, ("Audio", "Voice")),
        ("kick.wav", {"content_label": "wav", "duration_s": 0.4}, ("Audio", "Samples")),
        ("a.mov", {"content_label": "qt", "camera_model": "iPhone"}, ("Videos", "Personal")),
        ("a.mkv", {"content_label": "mkv", "duration_s": 5400.0}, ("Videos", "Movies")),
        ("a.py", {"content_label": "python"}, ("Code", None)),
        ("a.ipynb", {"content_label": "ipynb"}, ("Code", "Notebooks")),
        ("a.ttf", {"content_label": "ttf"}, ("3D and CAD, Fonts", "Fonts")),
        ("a.zip", {"content_label": "zip"}, ("Archives and backups", "Archives")),
        ("backup-2023.zip", {"content_label": "zip"}, ("Archives and backups", "Backups")),
        ("a.iso", {"content_label": "iso"}, ("Archives and backups", "Disk images")),
        ("a.msi", {"content_label": "msi"}, ("Software", "Installers")),
        ("Thumbs.db", {"content_label": "ole"}, ("System clutter", "Caches")),
        ("b.crdownload", {"content_label": "zip"}, ("System clutter", "Partial downloads")),
        ("~$plan.docx", {"content_label": "docx"}, ("System clutter", "Temporary")),
        ("x", {"content_label": "unknown"}, ("Needs review", "Unknown")),
    ],
)
def test_rules(key: str, columns: dict[str, Any], expected: tuple[str, str | None]):
    assert decided(f"folder/{key}", **columns) == expected


def test_damaged_files_are_for_review_and_locked_ones_are_not_damaged():
    corrupt = Problem.CORRUPT.because("cut off")
    assert decided("a.jpg", content_label="jpeg", problem=corrupt) == ("Needs review", "Corrupt")
    locked = Problem.ENCRYPTED.because("needs a password")
    assert decided("a.xlsx", content_label="xlsx", problem=locked) == ("Work", "Spreadsheets")


def test_unread_files_are_unknown_whatever_their_name():
    problem = Problem.DEFERRED.because("in use")
    row = CertainRules.decide(file("Invoice.pdf", sha256=None, problem=problem))
    assert (row.category, row.subcategory, row.confidence_ratio) == ("Needs review", "Unknown", 0)
    assert problem in row.reason


def test_every_label_s_verdict_stands_in_the_taxonomy_and_names_a_known_type():
    for label, verdict in BY_LABEL.items():
        assert label in content_types()
        assert verdict.subcategory is None or verdict.subcategory in TAXONOMY[verdict.category]


FILES = st.builds(
    Fingerprint,
    key=st.text(min_size=1, max_size=20),
    size_bytes=st.integers(0, 9),
    modified_ns=st.just(0),
    version=st.just("v"),
    sha256=st.sampled_from([None, "0" * 64]),
    content_label=st.sampled_from(sorted(content_types())),
    media=st.sampled_from(list(Media)),
    width=st.none() | st.integers(0, 9000),
    height=st.none() | st.integers(0, 9000),
    duration_s=st.none() | st.floats(0, 1e6),
    artist=st.none() | st.text(max_size=5),
    captured_source=st.sampled_from(["exif", "modified"]),
    problem=st.sampled_from([None, "corrupt: x", "unreadable: x"]),
)


@settings(deadline=None)  # the machine is shared
@given(st.lists(FILES, unique_by=lambda item: item.key, max_size=8), st.randoms())
def test_every_file_gets_one_row_of_the_taxonomy_and_order_never_matters(
    files: list[Fingerprint], rng: random.Random
):
    table = categorize(to_table(files, Fingerprint), [CertainRules()])
    rows = to_rows(table, CategoryRow)
    assert [row.key for row in rows] == sorted(item.key for item in files)
    for row in rows:
        assert row.subcategory is None or row.subcategory in TAXONOMY[row.category]
    rng.shuffle(files)
    assert categorize(to_table(files, Fingerprint), [CertainRules()]).equals(table)


class _OnlyMusic:
    """A categorizer that knows one thing."""

    def categorize(self, files: Any) -> list[CategoryRow | None]:
        return [
            replace(CertainRules.decide(item), decided_by="music")
            if item.content_label == "mp3"
            else None
            for item in files
        ]


def test_categorizers_are_asked_in_turn_and_one_must_answer():
    table = to_table(
        [file("a.mp3", content_label="mp3"), file("b.txt", content_label="txt")], Fingerprint
    )
    rows = to_rows(categorize(table, [_OnlyMusic(), CertainRules()]), CategoryRow)
    assert [row.decided_by == "music" for row in rows] == [True, False]
    with pytest.raises(BrokenError):
        categorize(table, [_OnlyMusic()])
