"""From signatures to rows: payloads, contents, groups, people's decisions."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps
from scenes import scene

from models.domain.categories import CategoryRow
from models.domain.decisions import Decisions
from models.domain.duplicates import DuplicateRow, TruthClass
from models.domain.fingerprint import Fingerprint
from models.domain.jobs import OrganizeOptions
from models.domain.near import NearMedia, Signature
from models.domain.near_payload import pack, unpack
from tasks.dedupe.core import exact_groups
from tasks.dedupe.near.groups import near_groups
from tasks.fingerprint.contents import near_contents
from tasks.fingerprint.perceptual.pictures import picture_views
from tasks.fingerprint.perceptual.words import text_print
from warehouse.schemas.arrow import arrow_schema, to_rows, to_table


def digest(name: str) -> str:
    return name.encode().hex().ljust(64, "0")


def story(seed: int) -> str:
    return " ".join(f"w{n}" for n in np.random.default_rng(seed).integers(0, 900, 200))


CONTENT = {
    "a": scene(1),
    "b": ImageOps.mirror(scene(1)),
    "c": scene(1).crop((10, 10, 380, 290)),
    "d": scene(2),
    "framed": ImageOps.expand(scene(1).resize((360, 270)), 40, "white"),
    "blank": Image.new("RGB", (400, 300), "white"),
    "blank2": Image.new("RGB", (500, 300), "white"),
    "t": story(1),
    "u": story(1) + " and a few words more",
    "v": story(2),
}


def payload(name: str) -> bytes:
    content = CONTENT[name]
    if isinstance(content, str):
        made = text_print(content, "")
        return pack([made] if made else [])
    return pack(picture_views(content, ""))


PAYLOADS = {name: payload(name) for name in CONTENT}


def file(key: str, name: str, **facts) -> Fingerprint:
    is_text = isinstance(CONTENT[name], str)
    picture = None if is_text else CONTENT[name]
    values = {
        "key": key,
        "size_bytes": 100,
        "modified_ns": 1,
        "version": f"v-{key}",
        "sha256": digest(name),
        "md5": "0" * 32,
        "content_label": "txt" if is_text else "jpeg",
        "mime": "text/plain" if is_text else "image/jpeg",
        "media": "document" if is_text else "image",
        "width": picture.width if picture else None,
        "height": picture.height if picture else None,
    }
    return Fingerprint(**{**values, **facts})


def rows_of(files, tmp_path: Path, *, decisions=None, options=None, threshold=None, order=1):
    fingerprints = to_table(files[::order], Fingerprint)
    categories = arrow_schema(CategoryRow).empty_table()
    options = options or OrganizeOptions()
    exact = exact_groups(fingerprints, categories, options=options)
    contents = near_contents(fingerprints, exact, frozenset(NearMedia))
    shas = contents["sha256"].to_pylist()
    name_of = {digest(name): name for name in CONTENT}
    signatures = to_table(
        [Signature(sha256=sha, version=1, payload=PAYLOADS[name_of[sha]]) for sha in shas[::order]],
        Signature,
    )
    scratch = tmp_path / f"scratch{len(list(tmp_path.iterdir()))}"
    scratch.mkdir()
    table = near_groups(
        fingerprints,
        categories,
        contents,
        lambda: signatures.to_batches(max_chunksize=2),
        scratch=scratch,
        options=options,
        source_url="file:///x",
        destination_url="file:///x",
        thresholds=dict.fromkeys(NearMedia, threshold) if threshold else None,
        decisions=decisions,
    )
    return to_rows(table, DuplicateRow)


def groups_of(rows):
    found: dict[str, list[str]] = {}
    for row in rows:
        found.setdefault(row.group_id, []).append(row.key)
    return sorted(found.values())


FILES = [
    file("one.jpg", "a"),
    file("sub/mirror.jpg", "b"),
    file("sub/cut.jpg", "c"),
    file("other.jpg", "d"),
    file("t.txt", "t"),
    file("u.txt", "u"),
    file("v.txt", "v"),
]


def test_pictures_and_texts_are_grouped_apart_and_never_removable(tmp_path):
    rows = rows_of(FILES, tmp_path)
    assert groups_of(rows) == [
        ["one.jpg", "sub/cut.jpg", "sub/mirror.jpg"],
        ["t.txt", "u.txt"],
    ]
    assert not any(row.is_removable for row in rows)
    classes = {row.key: row.truth_class for row in rows}
    assert classes["one.jpg"] == TruthClass.PERCEPTUAL
    assert classes["t.txt"] == TruthClass.TEXTUAL
    keepers = [row for row in rows if row.is_keeper]
    assert [row.similarity_ratio for row in keepers] == [1.0, 1.0]
    assert all(0.7 <= row.similarity_ratio <= 1 for row in rows)
    assert sum(row.wasted_bytes for row in rows) == 300


def test_the_order_of_files_and_signatures_does_not_matter(tmp_path):
    assert rows_of(FILES, tmp_path) == rows_of(FILES, tmp_path, order=-1)


def test_the_pixels_of_a_frame_are_no_quality(tmp_path):
    files = [file("framed.jpg", "framed"), file("one.jpg", "a")]
    assert CONTENT["framed"].width > CONTENT["a"].width
    rows = rows_of(files, tmp_path)
    assert [(row.key, row.is_keeper) for row in rows] == [("one.jpg", True), ("framed.jpg", False)]
    assert rows[0].keep_reason == "highest quality"


@pytest.mark.scenario(33)
def test_blank_pictures_are_not_grouped(tmp_path):
    files = [file("x.jpg", "blank"), file("y.jpg", "blank2")]
    assert rows_of(files, tmp_path) == []


@pytest.mark.scenario(34)
def test_a_tie_between_keep_rules_has_the_same_keeper_again(tmp_path):
    files = [file("q/2.jpg", "b"), file("q/1.jpg", "a")]
    keepers = [
        [row.key for row in rows_of(files, tmp_path, order=order) if row.is_keeper]
        for order in (1, -1)
    ]
    assert keepers == [["q/1.jpg"], ["q/1.jpg"]]


def test_keep_rules_choose_the_keeper(tmp_path):
    protected = OrganizeOptions(protected=("sub",))
    rows = rows_of(FILES[:3], tmp_path, options=protected)
    assert next(row for row in rows if row.is_keeper).key == "sub/mirror.jpg"
    larger = [replace(FILES[0], width=200, height=150), *FILES[1:3]]
    rows = rows_of(larger, tmp_path)
    assert next(row for row in rows if row.is_keeper).key == "sub/mirror.jpg"
    assert rows[0].keep_reason == "highest quality"


def test_exact_copies_take_part_once_by_their_keeper(tmp_path):
    files = [*FILES[:3], file("copy/one.jpg", "a")]
    assert groups_of(rows_of(files, tmp_path)) == [["one.jpg", "sub/cut.jpg", "sub/mirror.jpg"]]


def test_companions_are_no_duplicates_of_one_another(tmp_path):
    raw = file("p/img.dng", "b", content_label="jpeg")
    files = [file("p/img.jpg", "a"), raw]
    assert rows_of(files, tmp_path) == []


def test_decisions_hold_by_content_whatever_the_files_are_called(tmp_path):
    apart = Decisions(apart=frozenset({tuple(sorted((digest("a"), digest("b"))))}))
    rows = rows_of(FILES[:2], tmp_path, decisions=apart)
    assert rows == []
    renamed = [replace(row, key=f"moved/{n}.jpg") for n, row in enumerate(FILES[:2])]
    assert rows_of(renamed, tmp_path, decisions=apart) == []
    chosen = Decisions(keepers=frozenset({digest("c")}))
    rows = rows_of(FILES[:3], tmp_path, decisions=chosen)
    assert [row.key for row in rows if row.is_keeper] == ["sub/cut.jpg"]
    assert rows[0].keep_reason == "chosen by a person"


def test_files_that_could_not_be_parsed_are_not_compared(tmp_path):
    broken = replace(FILES[1], problem="corrupt: cannot be parsed")
    assert rows_of([FILES[0], broken], tmp_path) == []


def test_only_the_media_asked_for_are_listed():
    table = to_table(FILES, Fingerprint)
    nothing = arrow_schema(DuplicateRow).empty_table()
    chosen = near_contents(table, nothing, frozenset({"document"}))
    assert set(chosen["key"].to_pylist()) == {"t.txt", "u.txt", "v.txt"}
    assert chosen["sha256"].to_pylist() == sorted(chosen["sha256"].to_pylist())
    assert near_contents(table, nothing, frozenset()).num_rows == 0
    assert isinstance(chosen, pa.Table)


@pytest.mark.parametrize("name", ["a", "b", "t"])
def test_a_payload_comes_back_as_it_was(name):
    rows = unpack(PAYLOADS[name], digest(name))
    assert pack(rows) == PAYLOADS[name]
    assert {row.sha256 for row in rows} == {digest(name)}


@pytest.mark.parametrize("kind", [b"P", b"F", b"S", b"T"])
def test_a_kind_and_nothing_of_it_is_no_payload(kind):
    with pytest.raises(ValueError, match="nothing of it"):
        unpack(kind, digest("a"))


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_hostile_payload_is_refused_or_read_and_never_more(data):
    base = PAYLOADS[data.draw(st.sampled_from(["a", "t"]))]
    cut = data.draw(st.integers(0, len(base)))
    tail = data.draw(st.binary(max_size=20))
    head = data.draw(st.sampled_from([b"", b"P", b"F", b"S", b"T", b"X"]))
    hostile = head + base[1:cut] + tail if head else base[:cut] + tail
    try:
        rows = unpack(hostile, digest("a"))
    except ValueError:
        return
    assert pack(rows) == hostile
