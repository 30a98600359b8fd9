"""The plan's half of the numbered scenarios; carrying out is shown with the movers."""

import pytest
from plan_trees import NOON, OUT, SOURCE, Item, apply, items, outcome, plan, rows, tables, writing

from models.domain.duplicates import DuplicateRow
from models.domain.errors import InvalidError
from models.domain.jobs import OrganizeOptions
from models.domain.organizing import OnDuplicate
from models.domain.targets import Target
from tasks.dedupe.core import exact_groups
from tasks.plan.core import make_moves
from warehouse.schemas.arrow import to_rows, to_table

FOLDING = Target(folds_case=True)
NORMALIZING = Target(normalizes_unicode=True)
HOSTILE = [
    "../../x", "..", ".", "/etc/passwd", "a/../../b", "..\\..\\x", "C:\\x", "\x00", "a\nb", "", " ",
    ".fileorganizer", "CON", "nul.txt", "trailing. ", "x" * 300, "é" * 200, "$(rm -rf)", "-rf",
    "~root", "a:b|c?*", "\u202egnp.exe", "....", "/", "//", "\\", "..\u2215..", ". .",
]  # fmt: skip


@pytest.mark.scenario(1)
@pytest.mark.parametrize("policy", ["rename_new", "rename_existing", "replace_to_trash", "skip"])
def test_scenario_01_three_of_one_name_survive(policy):
    tree = {f"{folder}/IMG_1.jpg": Item(folder) for folder in "abc"}
    after, trash, left = outcome(tree, mode="category", destination=OUT, conflict=policy)
    assert sorted([*after.values(), *trash, *left.values()]) == ["a", "b", "c"]
    assert trash == []


@pytest.mark.scenario(2)
def test_scenario_02_the_preview_resolves_the_batch():
    tree = {f"{folder}/IMG_1.jpg": Item(folder) for folder in "abc"}
    moves = plan(tree, mode="category")
    shown = {row.source_key: row.destination_key for row in rows(moves).values()}
    assert shown == {
        "a/IMG_1.jpg": "Photos/IMG_1.jpg",
        "b/IMG_1.jpg": "Photos/IMG_1 (2).jpg",
        "c/IMG_1.jpg": "Photos/IMG_1 (3).jpg",
    }
    source = items(tree)
    apply(moves, source, source)
    assert {key: source[key].content for key in source} == {
        shown[f"{folder}/IMG_1.jpg"]: folder for folder in "abc"
    }


@pytest.mark.scenario(3)
def test_scenario_03_what_is_replaced_is_in_the_trash():
    after, trash, _ = outcome(
        {"in/a.jpg": "new"},
        existing={"Photos/a.jpg": "old"},
        mode="category",
        destination=OUT,
        conflict="replace_to_trash",
    )
    assert (after, trash) == ({"Photos/a.jpg": "new"}, ["old"])


@pytest.mark.scenario(4)
def test_scenario_04_names_that_differ_in_case_both_survive():
    tree = {"a/Photo.JPG": "1", "b/photo.jpg": "2"}
    after, _, _ = outcome(tree, mode="category", destination=OUT, target=FOLDING)
    assert after == {"Photos/Photo.JPG": "1", "Photos/photo (2).jpg": "2"}
    exact, _, _ = outcome(tree, mode="category", destination=OUT)
    assert exact == {"Photos/Photo.JPG": "1", "Photos/photo.jpg": "2"}


@pytest.mark.scenario(4)
def test_scenario_04_folders_that_differ_in_case_are_one():
    there = {"photos/x.txt": "there"}
    found = rows(
        plan({"a.jpg": "1"}, existing=there, mode="category", destination=OUT, target=FOLDING)
    )
    assert found["a.jpg"].destination_key == "photos/a.jpg"


@pytest.mark.scenario(5)
def test_scenario_05_a_change_of_letters_is_one_rename():
    song = Item("s", title="Song", facts={"artist": "A", "album": "B", "track": 1})
    tree = {"a/b/01 song.mp3": song}
    found = rows(plan(tree, mode="music", target=FOLDING))["a/b/01 song.mp3"]
    assert (found.action, found.destination_key, found.conflict) == (
        "move",
        "a/b/01 Song.mp3",
        None,
    )
    assert writing(plan({"a/b/01 Song.mp3": song}, mode="music", target=FOLDING)) == []


@pytest.mark.scenario(6)
def test_scenario_06_composed_and_decomposed_names_both_survive():
    tree = {"a/\u00e9.jpg": "1", "b/e\u0301.jpg": "2"}
    after, _, _ = outcome(tree, mode="category", destination=OUT, target=NORMALIZING)
    assert sorted(after.values()) == ["1", "2"]
    assert "Photos/e\u0301 (2).jpg" in after


@pytest.mark.scenario(7)
@pytest.mark.parametrize("name", ["it's.txt", '"q".txt', "$(x).txt", "-rf.txt", "`a`;b.txt", "[2]"])
def test_scenario_07_strange_names_are_kept(name):
    found = rows(plan({f"in/{name}": "x", "in/other": "y"}, mode="flatten"))
    assert found[f"in/{name}"].source_key == f"in/{name}"
    assert found[f"in/{name}"].destination_key == name


@pytest.mark.scenario(7)
def test_scenario_07_a_newline_is_changed_visibly_and_only_there():
    found = rows(plan({"in/a\nb.txt": "x"}, mode="flatten"))["in/a\nb.txt"]
    assert found.source_key == "in/a\nb.txt"
    assert found.destination_key == "a_b.txt"


@pytest.mark.scenario(8)
@pytest.mark.parametrize(
    ("name", "expected"),
    [("CON.txt", "CON_.txt"), ("trailing.", "trailing_"), ("aux", "aux_")],
)
def test_scenario_08_reserved_names_are_changed_visibly(name, expected):
    after, _, _ = outcome({f"in/{name}": "x"}, mode="flatten")
    assert after == {expected: "x"}
    assert writing(plan({expected: "x"}, mode="flatten")) == []


@pytest.mark.scenario(8)
def test_scenario_08_overlong_names_fit_even_with_a_number():
    name = "n" * 250 + ".jpeg"
    after, _, _ = outcome({f"a/{name}": "1", f"b/{name}": "2"}, mode="flatten")
    assert sorted(after.values()) == ["1", "2"]
    assert all(len(key.encode()) <= 255 and key.endswith(".jpeg") for key in after)


@pytest.mark.scenario(9)
@pytest.mark.parametrize("template", ["{camera}/{stem}{ext}", "{camera|None such}/{stem}{ext}"])
def test_scenario_09_a_missing_field_takes_its_fallback(template):
    fallback = "None such" if "|" in template else "Unknown"
    after, _, _ = outcome({"in/a.txt": "x"}, mode="custom", template=template)
    assert after == {f"{fallback}/a.txt": "x"}


@pytest.mark.scenario(9)
def test_scenario_09_no_date_at_all_is_unknown():
    found = rows(plan({"a.txt": Item("x", modified_ns=0)}, mode="date_taken"))["a.txt"]
    assert found.destination_key == "Unknown/Unknown-Unknown-Unknown/a.txt"
    assert found.date_used is None
    assert "no usable date" in found.reason


@pytest.mark.scenario(10)
@pytest.mark.parametrize("template", ["../{stem}{ext}", "/x/{stem}{ext}", "a/../{stem}{ext}"])
def test_scenario_10_a_template_that_climbs_is_refused(template):
    with pytest.raises(InvalidError):
        plan({"a.txt": "x"}, mode="custom", template=template)


@pytest.mark.scenario(10)
@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("field", ["camera_model", "artist", "album", "title", "sender", "mime"])
def test_scenario_10_hostile_metadata_stays_below_its_folder(value, field):
    template = "base/{camera}-{artist}/{album}/{title}/{sender}/{mime}/{stem}{ext}"
    tree = {"a.txt": Item("x", facts={field: value})}
    after, _, _ = outcome(tree, mode="custom", template=template)
    (key,) = after
    parts = key.split("/")
    assert parts[0] == "base"
    assert len(parts) == 7
    for part in parts:
        assert part.strip(". ")
        assert part != ".fileorganizer"
        assert len(part.encode()) <= 255
        assert not any(ord(letter) < 32 or letter == "\\" for letter in part)


@pytest.mark.scenario(18)
def test_scenario_18_a_destination_inside_the_source_is_not_walked_again():
    tree = {"in/a.jpg": "a", "sorted/Photos/2020/b.jpg": "b"}
    source = items(tree)
    moves = plan(source, destination=f"{SOURCE}/sorted")
    found = rows(moves)
    assert found["sorted/Photos/2020/b.jpg"].action == "skip"
    assert found["sorted/Photos/2020/b.jpg"].reason == "already below the destination"
    assert found["in/a.jpg"].destination_key == "Photos/2020/a.jpg"
    moved = {"sorted/Photos/2020/a.jpg": "a", "sorted/Photos/2020/b.jpg": "b"}
    assert writing(plan(moved, destination=f"{SOURCE}/sorted")) == []


@pytest.mark.scenario(18)
def test_scenario_18_a_copy_below_the_destination_is_the_keeper():
    tree = {"a.jpg": "same", "sorted/deep/inside/the/tree/a.jpg": "same"}
    found = rows(plan(tree, destination=f"{SOURCE}/sorted"))
    assert {row.action for row in found.values()} == {"skip"}
    assert found["a.jpg"].reason == "duplicate of sorted/deep/inside/the/tree/a.jpg"


@pytest.mark.scenario(18)
def test_scenario_18_a_source_inside_the_destination_never_meets_itself():
    destination = SOURCE.rpartition("/")[0] + "/"
    there = {"tree/a.jpg": "a", "tree/Photos/x": "b", "Photos/2020/z.jpg": "z"}
    found = rows(plan({"a.jpg": "a", "Photos/x": "b"}, existing=there, destination=destination))
    assert found["a.jpg"].destination_key == "Photos/2020/a.jpg"
    already = rows(plan({"a.jpg": "a"}, mode="custom", template="tree/{stem}{ext}",
                        existing={"tree/a.jpg": "a"}, destination=destination))  # fmt: skip
    assert already["a.jpg"].reason == "already in place"


def linked(inode, links=2, content="same"):
    return Item(content, facts={"device": 1, "inode": inode, "link_count": links})


@pytest.mark.scenario(19)
@pytest.mark.parametrize("on_duplicate", list(OnDuplicate))
@pytest.mark.parametrize("conflict", ["rename_new", "replace_to_trash", "keep_newer", "skip"])
def test_scenario_19_a_hardlink_of_its_destination_keeps_the_content(on_duplicate, conflict):
    tree = {"in/a.jpg": linked(7), "Photos/2020/a.jpg": linked(7)}
    after, trash, _ = outcome(tree, on_duplicate=on_duplicate, conflict=conflict)
    assert "Photos/2020/a.jpg" in after
    assert trash == []


@pytest.mark.scenario(27)
def test_scenario_27_hardlinks_waste_nothing_and_are_never_removed():
    tree = {"a.jpg": linked(7), "b.jpg": linked(7), "c.jpg": linked(8, 1)}
    files, categories = tables(tree)
    groups = to_rows(exact_groups(files, categories), DuplicateRow)
    assert sum(row.wasted_bytes for row in groups) == len("same")
    names = [row for row in groups if row.key in {"a.jpg", "b.jpg"}]
    assert not any(row.is_removable for row in names)
    assert [row.is_hardlink for row in groups] == [False, True, False]
    only = tables({"a.jpg": linked(7), "b.jpg": linked(7)})
    assert sum(row.wasted_bytes for row in to_rows(exact_groups(*only), DuplicateRow)) == 0
    trashed = [row.source_key for row in writing(plan(tree, on_duplicate="trash"))
               if row.action == "trash"]  # fmt: skip
    assert trashed == ["c.jpg"]


@pytest.mark.scenario(28)
def test_scenario_28_one_file_under_two_paths_is_counted_once():
    files, categories = tables({"a.jpg": "x", "b.jpg": "y"})
    import pyarrow as pa

    twice = pa.concat_tables([files, files])
    moves = make_moves(
        twice,
        categories,
        exact_groups(twice),
        options=OrganizeOptions(on_duplicate=OnDuplicate.TRASH),
        source_url=SOURCE,
        destination_url=SOURCE,
    )
    assert sorted(rows(moves)) == ["a.jpg", "b.jpg"]
    assert exact_groups(twice).num_rows == 0
    assert moves.num_rows == 2
    assert all(row.action == "move" for row in rows(moves).values())


@pytest.mark.scenario(28)
def test_scenario_28_a_bind_mount_moves_one_of_its_paths():
    tree = {"mount/a.jpg": linked(7, 1), "real/a.jpg": linked(7, 1)}
    found = rows(plan(tree, on_duplicate="keep"))
    assert found["mount/a.jpg"].action == "move"
    assert found["real/a.jpg"].action == "skip"
    assert "another path" in found["real/a.jpg"].reason


def groups_of(files, categories, **changes):
    """The duplicates table, with some columns changed in every row."""
    from dataclasses import replace

    found = to_rows(exact_groups(files, categories), DuplicateRow)
    return to_table([replace(row, **changes) for row in found], DuplicateRow)


@pytest.mark.scenario(29)
@pytest.mark.parametrize(
    "changes",
    [
        {"is_keeper": False, "is_removable": True},
        {"is_removable": True},
        {"truth_class": "perceptual", "is_removable": True},
    ],
)
def test_scenario_29_the_last_copy_never_goes_whatever_the_group_says(changes):
    files, categories = tables({"a.jpg": "same", "b.jpg": "same", "c.jpg": "same"})
    moves = make_moves(
        files,
        categories,
        groups_of(files, categories, **changes),
        options=OrganizeOptions(on_duplicate=OnDuplicate.TRASH),
        source_url=SOURCE,
        destination_url=SOURCE,
    )
    trashed = [row for row in rows(moves).values() if row.action == "trash"]
    kept = {row.source_key for row in rows(moves).values()} - {row.source_key for row in trashed}
    assert kept
    for row in trashed:
        assert row.keeper_key in kept
    if changes.get("truth_class") or changes.get("is_keeper") is False:
        assert trashed == []


@pytest.mark.scenario(29)
def test_scenario_29_a_group_of_other_contents_removes_nothing():
    files, categories = tables({"a.jpg": "one", "b.jpg": "two"})
    lie = [
        DuplicateRow(
            group_id="g", key=key, is_keeper=key == "a.jpg", truth_class="full_hash",
            similarity_ratio=1.0, size_bytes=3, is_hardlink=False, wasted_bytes=3,
            keep_reason="", is_removable=True,
        )
        for key in ("a.jpg", "b.jpg")
    ]  # fmt: skip
    moves = make_moves(
        files,
        categories,
        to_table(lie, DuplicateRow),
        options=OrganizeOptions(on_duplicate=OnDuplicate.TRASH),
        source_url=SOURCE,
        destination_url=SOURCE,
    )
    assert "trash" not in {row.action for row in rows(moves).values()}


@pytest.mark.scenario(30)
def test_scenario_30_one_byte_in_the_middle_makes_two():
    tree = {"a.jpg": "aaaaXaaaa", "b.jpg": "aaaaYaaaa"}
    assert exact_groups(tables(tree)[0]).num_rows == 0


@pytest.mark.scenario(31)
def test_scenario_31_empty_files_are_no_duplicates():
    tree = {
        "repo/pyproject.toml": "[project]",
        "repo/a/__init__.py": "",
        "repo/b/__init__.py": "",
        "loose/__init__.py": "",
        "loose2/__init__.py": "",
    }
    assert exact_groups(tables(tree)[0]).num_rows == 0
    after, trash, _ = outcome(tree, mode="project", on_duplicate="trash")
    assert trash == []
    assert {"repo/a/__init__.py", "repo/b/__init__.py"} <= set(after)
    assert sorted(after.values()) == sorted(tree.values())


@pytest.mark.scenario(34)
def test_scenario_34_a_tie_has_one_keeper_in_any_order():
    import random

    tree = {f"{folder}/a.jpg": Item("same") for folder in "dcba"}
    keepers = set()
    for seed in range(20):
        files, categories = tables(tree, random.Random(seed))
        groups = to_rows(exact_groups(files, categories), DuplicateRow)
        keepers.update(row.key for row in groups if row.is_keeper)
    assert keepers == {"a/a.jpg"}


@pytest.mark.scenario(35)
def test_scenario_35_nothing_leaves_a_protected_folder():
    tree = {"safe/a.jpg": "same", "safe/sub/b.jpg": "same", "c.jpg": "same", "safely/d.jpg": "same"}
    found = rows(plan(tree, on_duplicate="trash", protected=("/safe/",)))
    assert found["safe/a.jpg"].action == "skip"
    assert found["safe/sub/b.jpg"].action == "skip"
    assert {found["safe/a.jpg"].reason, found["safe/sub/b.jpg"].reason} == {"in a protected folder"}
    assert found["c.jpg"].action == found["safely/d.jpg"].action == "trash"
    assert found["c.jpg"].keeper_key.startswith("safe/")
    everything = rows(plan(tree, on_duplicate="trash", protected=(".",)))
    assert {row.action for row in everything.values()} == {"skip"}


@pytest.mark.scenario(36)
def test_scenario_36_companions_go_together():
    tree = {
        "in/IMG_1.CR2": Item("raw", category="Photos"),
        "in/IMG_1.JPG": Item("jpg", captured_at="2019-01-02T00:00:00"),
        "in/IMG_1.CR2.xmp": Item("xmp", category="Data"),
        "in/IMG_2.HEIC": Item("still", captured_at="2018-01-02T00:00:00"),
        "in/IMG_2.MOV": Item("live", category="Videos"),
        "in/IMG_2.AAE": Item("edit", category="Data"),
        "in/film.mkv": Item("film", category="Videos"),
        "in/film.en.srt": Item("words", category="Work"),
        "in/T(1).jpg": Item("takeout", captured_at="2017-01-02T00:00:00"),
        "in/T.jpg(1).json": Item("facts", category="Data"),
    }
    after, _, _ = outcome(tree)
    assert after == {
        "Photos/2019/IMG_1.CR2": "raw",
        "Photos/2019/IMG_1.JPG": "jpg",
        "Photos/2019/IMG_1.CR2.xmp": "xmp",
        "Photos/2018/IMG_2.HEIC": "still",
        "Photos/2018/IMG_2.MOV": "live",
        "Photos/2018/IMG_2.AAE": "edit",
        "Videos/2020/film.mkv": "film",
        "Videos/2020/film.en.srt": "words",
        "Photos/2017/T(1).jpg": "takeout",
        "Photos/2017/T(1).jpg.json": "facts",
    }
    moves = rows(plan(tree))
    assert moves["in/IMG_1.CR2"].unit_id == moves["in/IMG_1.CR2.xmp"].unit_id
    assert moves["in/IMG_1.CR2"].unit_id != moves["in/IMG_2.MOV"].unit_id


@pytest.mark.scenario(36)
def test_scenario_36_a_collision_renames_all_of_them():
    tree = {f"{folder}/I{ext}": folder + ext for folder in "ab" for ext in (".jpg", ".cr2", ".xmp")}
    after, _, _ = outcome(tree, mode="category")
    assert after == {
        "Photos/I.jpg": "a.jpg", "Photos/I.cr2": "a.cr2", "Photos/I.xmp": "a.xmp",
        "Photos/I (2).jpg": "b.jpg", "Photos/I (2).cr2": "b.cr2", "Photos/I (2).xmp": "b.xmp",
    }  # fmt: skip


@pytest.mark.scenario(36)
def test_scenario_36_companions_are_removed_together_or_not_at_all():
    pair = {".jpg": "same jpg", ".cr2": "same raw", ".xmp": "same xmp"}
    whole = {f"{folder}/I{ext}": content for folder in "ab" for ext, content in pair.items()}
    after, trash, _ = outcome(whole, mode="category", on_duplicate="trash")
    assert sorted(trash) == sorted(pair.values())
    assert sorted(after.values()) == sorted(pair.values())
    edited = whole | {"b/I.xmp": "edited"}
    after, trash, _ = outcome(edited, mode="category", on_duplicate="trash")
    assert trash == []
    assert sorted(after.values()) == sorted(edited.values())


@pytest.mark.scenario(38)
def test_scenario_38_the_year_is_the_local_one():
    tokyo = Item(
        "x", captured_at="2021-01-01T08:00:00", facts={"captured_offset_min": 540}
    )  # 2020-12-31T23:00:00Z
    found = rows(plan({"a.jpg": tokyo}))["a.jpg"]
    assert found.destination_key == "Photos/2021/a.jpg"
    assert (found.date_used, found.date_source) == ("2021-01-01", "exif")


@pytest.mark.scenario(39)
@pytest.mark.parametrize("flag", ["zeroed", "future", "conflicting", "malformed"])
def test_scenario_39_an_odd_date_is_flagged_and_its_fallback_named(flag):
    odd = Item(
        "x",
        captured_at="2020-09-13T12:26:40",
        facts={"captured_source": "modified", "captured_flag": flag},
    )
    found = rows(plan({"a.jpg": odd}))["a.jpg"]
    assert found.date_source == "modified"
    assert f"{flag} date in the file; dated by its modification time" in found.reason
    assert found.destination_key == "Photos/2020/a.jpg"


@pytest.mark.scenario(39)
def test_scenario_39_a_date_that_cannot_be_read_falls_back():
    for broken in ("0000-00-00T00:00:00", "yesterday", "2020-13-45T"):
        found = rows(plan({"a.jpg": Item("x", modified_ns=NOON, captured_at=broken)}))["a.jpg"]
        assert (found.date_used, found.date_source) == ("2020-09-13", "modified")
        assert "malformed date in the file" in found.reason
