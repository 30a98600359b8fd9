"""Rows from facts: what a child says is checked, unreadable files are rows too."""

from dataclasses import replace
from datetime import datetime
from typing import Any

import pyarrow as pa
import pytest

from models.domain.errors import ForbiddenError, MissingError, StaleError
from models.domain.fingerprint import Fingerprint, Media, Problem
from models.domain.manifest import ManifestRow
from tasks.fingerprint import core
from tasks.fingerprint.content_types import Decision
from tasks.fingerprint.reading import Content
from warehouse.schemas.arrow import to_rows, to_table

LATEST = datetime(2026, 1, 1)  # noqa: DTZ001 - a wall clock's time
ROW = ManifestRow(key="a/b.zip", size_bytes=4, modified_ns=5, version="1-2-3", inode=9)
CONTENT = Content(md5="0" * 32, sha256="ab" + "0" * 62, blob=b"PK\x03\x04")
ZIP = Decision(label="zip", is_settled=True, extension_matches=True, signature="zip")


def made(facts: dict[str, Any], decision: Decision = ZIP, key: str = "a/b.zip") -> Fingerprint:
    return core.fingerprint(
        replace(ROW, key=key), CONTENT, decision, facts, latest=LATEST, thumbnail=None
    )


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (StaleError("x"), Problem.DEFERRED),
        (MissingError("x"), Problem.UNREADABLE),
        (ForbiddenError("x"), Problem.UNREADABLE),
    ],
)
def test_unreadable_files_are_rows_without_hashes(error: Any, kind: Problem):
    row = core.unreadable(ROW, error)
    assert (row.key, row.sha256, row.md5) == ("a/b.zip", None, None)
    assert kind.is_kind_of(row.problem)


def test_a_package_is_what_is_inside():
    row = made({"label": "xlsx"}, key="a/b.docx")
    assert (row.content_label, row.media, row.extension_matches) == (
        "xlsx",
        Media.SPREADSHEET,
        False,
    )
    assert made({"label": "jar"}).content_label == "zip"
    assert made({"label": "jar"}, key="a/b").content_label == "jar"


def test_a_child_is_not_trusted():
    row = made(
        {"width": "9", "height": -1, "title": ["x"], "duration_s": "1", "has_text": 1, "key": "z"}
    )
    assert (row.width, row.height, row.title, row.duration_s, row.has_text) == (None,) * 5
    assert row.key == "a/b.zip"


def test_what_nothing_is_known_of_has_the_kind_of_its_name_and_a_problem():
    decision = Decision(label="unknown", is_settled=True, extension_matches=False, missing="jpeg")
    row = made({}, decision, key="x.jpg")
    assert (row.media, row.content_label, row.extension_matches) == (Media.IMAGE, "unknown", False)
    assert Problem.CORRUPT.is_kind_of(row.problem)


def test_empty_files_keep_the_kind_of_their_name_and_ask_nobody():
    empty = replace(ROW, key="pkg/__init__.py", size_bytes=0)
    content = replace(CONTENT, blob=b"")
    decision = core.type_of(empty, content, lambda _: pytest.fail("the model was asked"))
    row = core.fingerprint(empty, content, decision, {}, latest=LATEST)
    assert (row.content_label, row.media, row.extension_matches) == ("empty", Media.CODE, True)


def test_the_model_sees_both_ends_only_where_name_and_signature_fail():
    seen: list[bytes] = []

    def model(sample: bytes) -> str:
        seen.append(sample)
        return "python"

    text = replace(CONTENT, blob=b"a" * 9000 + b"z" * 9000)
    assert core.type_of(replace(ROW, key="x.txt"), text, model).label == "txt"
    assert not seen
    assert core.type_of(replace(ROW, key="x"), text, model).label == "python"
    assert seen == [b"a" * 4096 + b"z" * 4096]


def test_thumbnails_are_named_by_content_only():
    assert core.thumbnail_uri("ab" + "0" * 62) == f"thumbnails/ab/ab{'0' * 62}.webp"
    with pytest.raises(ValueError, match="SHA"):
        core.thumbnail_uri("../../etc")


def test_merging_sorts_and_loses_nothing():
    rows = [made({}, key=key) for key in ("c", "a", "b", "d")]
    parts = [to_table(rows[:1], Fingerprint), to_table(rows[1:2], Fingerprint)]
    merged = core.merge(parts, to_table(rows[2:], Fingerprint))
    assert isinstance(merged, pa.Table)
    assert [row.key for row in to_rows(merged, Fingerprint)] == ["a", "b", "c", "d"]
