"""Which duplicates may go: exactly the members that are no keepers, and never what is needed."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cli.removal import checked
from models.domain.decisions import Decisions, holding, keep, not_duplicate
from models.domain.duplicates import DuplicateRow
from models.domain.errors import InvalidError, MissingError
from models.domain.fingerprint import Fingerprint
from models.domain.jobs import OrganizeOptions, RemovalOptions
from models.domain.plans import Action, Move
from models.tables.mapping import options_document, options_from
from tasks.dedupe.core import exact_groups
from tasks.plan.removal import removal_moves
from warehouse.schemas.arrow import to_rows, to_table

ALL = RemovalOptions()
NEAR = RemovalOptions(near=True, threshold=0.5)


def sha(content: str) -> str:
    return content.encode().hex().ljust(64, "0")


def files_of(tree: dict[str, str], **facts: dict) -> list[Fingerprint]:
    return [
        Fingerprint(
            **{
                "key": key,
                "size_bytes": len(content),
                "modified_ns": 1,
                "version": "v",
                "sha256": sha(content),
                "media": "image",
                **facts.get(key, {}),
            }
        )
        for key, content in tree.items()
    ]


def alike(*groups: tuple[str, ...], media="image", ratio=0.9, files=()) -> list[DuplicateRow]:
    """Groups of lookalikes by key, the keeper first."""
    contents = {file.key: file.sha256 for file in files}
    return [
        DuplicateRow(
            group_id=f"{media}-{contents[group[0]]}",
            key=key,
            is_keeper=key == group[0],
            truth_class="perceptual" if media == "image" else "textual",
            similarity_ratio=1.0 if key == group[0] else ratio,
            size_bytes=1,
            is_hardlink=False,
            wasted_bytes=0,
            keep_reason="oldest",
        )
        for group in groups
        for key in group
    ]


def plan(files, near=(), *, removal=ALL, decisions=None, **options) -> list[Move]:
    table = to_table(list(files), Fingerprint)
    chosen = OrganizeOptions(removal=removal, **options)
    exact = exact_groups(table, options=chosen, decisions=decisions)
    moves = removal_moves(
        table,
        exact,
        to_table(list(near), DuplicateRow),
        options=chosen,
        decisions=decisions,
        thresholds={"image": 0.85},
    )
    return to_rows(moves, Move)


def gone(moves) -> dict[str, str | None]:
    return {row.source_key: row.keeper_key for row in moves if row.action == Action.TRASH}


def refused(moves) -> dict[str, str]:
    return {row.source_key: row.reason for row in moves if row.action == Action.REFUSE}


TWINS = {"a.jpg": "one", "b.jpg": "one", "c.jpg": "two", "d.jpg": "three"}


def test_equal_bytes_go_by_rule_and_lookalikes_only_when_asked_for():
    files = files_of(TWINS)
    near = alike(("a.jpg", "c.jpg"), files=files)
    assert gone(plan(files, near)) == {"b.jpg": "a.jpg"}
    assert gone(plan(files, near, removal=NEAR)) == {"b.jpg": "a.jpg", "c.jpg": "a.jpg"}
    name = f"image-{sha('one')[:10]}"
    moves = plan(files, near, removal=RemovalOptions(groups=(name,)))
    assert gone(moves) == {"c.jpg": "a.jpg"}
    assert gone(plan(files, near, removal=RemovalOptions(groups=(sha("one")[:8],)))) == {
        "b.jpg": "a.jpg"
    }


def test_the_classes_of_truth_stay_apart_in_the_plan():
    files = files_of(TWINS)
    moves = plan(files, alike(("a.jpg", "c.jpg"), files=files), removal=NEAR)
    told = {
        row.source_key: (row.truth_class, row.similarity_ratio, row.threshold_ratio)
        for row in moves
        if row.action == Action.TRASH
    }
    assert told == {"b.jpg": ("full_hash", 1.0, None), "c.jpg": ("perceptual", 0.9, 0.5)}
    assert {row.keeper_sha256 for row in moves if row.source_key == "c.jpg"} == {sha("one")}
    named = RemovalOptions(groups=(f"image-{sha('one')}",))
    moves = plan(files, alike(("a.jpg", "c.jpg"), files=files), removal=named)
    assert [row.threshold_ratio for row in moves if row.action == Action.TRASH] == [0.85]


def test_with_a_content_that_is_alike_go_all_its_files_because_of_the_one_that_stays():
    files = files_of({"k.jpg": "keeper", "m.jpg": "member", "n.jpg": "member"})
    moves = plan(files, alike(("k.jpg", "m.jpg"), files=files), removal=NEAR)
    assert gone(moves) == {"m.jpg": "k.jpg", "n.jpg": "k.jpg"}
    assert {row.truth_class for row in moves if row.action == Action.TRASH} == {"perceptual"}


def test_a_similarity_below_the_threshold_stays():
    files = files_of(TWINS)
    near = alike(("a.jpg", "c.jpg"), files=files, ratio=0.9)
    high = RemovalOptions(near=True, threshold=0.91)
    assert gone(plan(files, near, removal=high)) == {"b.jpg": "a.jpg"}


def test_decisions_win():
    files = files_of({**TWINS, "c2.jpg": "two"})
    near = alike(("a.jpg", "c.jpg"), files=files)
    for decision in (not_duplicate(sha("one"), sha("two")), keep(sha("two"), "c.jpg")):
        moves = plan(files, near, removal=NEAR, decisions=holding([decision]))
        assert gone(moves) == {"b.jpg": "a.jpg", "c2.jpg": "c.jpg"}
        assert "a person decided" in refused(moves)["c.jpg"]


@pytest.mark.scenario(35)
@pytest.mark.parametrize("removal", [ALL, NEAR])
def test_scenario_35_nothing_goes_from_a_protected_folder(removal):
    files = files_of({"a.jpg": "one", "safe/b.jpg": "one", "safe/c.jpg": "two", "d.jpg": "two"})
    near = alike(("a.jpg", "safe/c.jpg"), files=files)
    moves = plan(files, near, removal=removal, protected=("safe",))
    assert not any(key.startswith("safe/") for key in gone(moves))
    only = plan(files_of({"safe/a": "one", "safe/b": "one"}), removal=removal, protected=("safe",))
    assert gone(only) == {}
    assert refused(only) == {"safe/b": "in a protected folder"}


@pytest.mark.scenario(27)
def test_scenario_27_several_names_of_the_same_bytes_all_stay():
    names = {"device": 1, "inode": 7, "link_count": 2}
    files = files_of({"a": "one", "b": "one", "c": "one", "k": "keeper"}, a=names, b=names)
    assert gone(plan(files)) == {"c": "a"}
    assert "several names" in refused(plan(files))["b"]
    near = alike(("k", "a"), files=files)
    assert gone(plan(files, near, removal=NEAR)) == {"c": "k"}


@pytest.mark.scenario(31)
def test_scenario_31_files_of_projects_and_empty_files_stay():
    tree = {f"p/{n}/__init__.py": "" for n in "ab"} | {"p/pyproject.toml": "x", "p/a.py": "same"}
    moves = plan(files_of({**tree, "q.py": "same"}))
    assert gone(moves) == {}
    assert refused(moves) == {"p/a.py": "part of a project"}


def test_companions_go_as_one_or_stay_as_one():
    pair = {"p/x.cr3": "raw", "p/x.jpg": "jpeg", "q/x.cr3": "raw", "q/x.jpg": "jpeg"}
    moves = plan(files_of(pair))
    assert gone(moves) == {"q/x.cr3": "p/x.cr3", "q/x.jpg": "p/x.jpg"}
    assert len({row.unit_id for row in moves if row.action == Action.TRASH}) == 1
    other = files_of({**pair, "q/x.jpg": "edited"})
    assert gone(plan(other)) == {}
    near = alike(("p/x.jpg", "q/x.jpg"), files=other)
    mixed = plan(other, near, removal=NEAR)
    assert gone(mixed) == {"q/x.cr3": "p/x.cr3", "q/x.jpg": "p/x.jpg"}
    classes = {row.source_key: row.truth_class for row in mixed if row.action == Action.TRASH}
    assert classes == {"q/x.cr3": "full_hash", "q/x.jpg": "perceptual"}
    lonely = plan(other, near, removal=RemovalOptions(groups=("image-",)))
    assert gone(lonely) == {}
    assert "goes with a file that stays" in refused(lonely)["q/x.jpg"]


@pytest.mark.scenario(32)
def test_scenario_32_what_only_resembles_a_member_is_not_removable():
    """A~B, B~C, A not ~C, keeper A: the star of A has B alone, and C is in no group."""
    files = files_of({"a.jpg": "A", "b.jpg": "B", "c.jpg": "C"})
    moves = plan(files, alike(("a.jpg", "b.jpg"), files=files), removal=NEAR)
    assert gone(moves) == {"b.jpg": "a.jpg"}
    assert "c.jpg" not in {row.source_key for row in moves}


def test_what_stays_for_another_file_never_goes():
    """Groups that contradict one another, as two runs over different states might give."""
    files = files_of({"a.jpg": "A", "b.jpg": "B", "c.jpg": "C"})
    near = alike(("a.jpg", "b.jpg"), ("b.jpg", "c.jpg"), files=files)
    moves = plan(files, near, removal=NEAR)
    assert gone(moves) == {"b.jpg": "a.jpg"}
    assert refused(moves) == {"c.jpg": "the file to keep is to go, too"}


def test_media_narrows_what_goes():
    files = files_of(
        {"a": "pic", "b": "pic", "t": "text", "u": "text"},
        t={"media": "spreadsheet"},
        u={"media": "spreadsheet"},
    )
    assert gone(plan(files, removal=RemovalOptions(media=("image",)))) == {"b": "a"}
    assert gone(plan(files, removal=RemovalOptions(media=("document",)))) == {"u": "t"}


def test_groups_have_to_be_there_and_to_be_one():
    files = files_of({"a": "one", "b": "one", "c": "oneX", "d": "oneX"})
    with pytest.raises(MissingError, match="no group"):
        plan(files, removal=RemovalOptions(groups=("ffff",)))
    with pytest.raises(InvalidError, match="2 groups"):
        plan(files, removal=RemovalOptions(groups=(sha("one")[:6],)))


@pytest.mark.parametrize(
    ("removal", "yes"),
    [
        (RemovalOptions(near=True), False),
        (RemovalOptions(near=True, threshold=0.9), True),
        (RemovalOptions(threshold=0.9), False),
    ],
)
def test_lookalikes_want_a_threshold_and_a_look(removal, yes):
    with pytest.raises(InvalidError):
        checked(removal, yes=yes)


def test_what_was_asked_for_is_kept_with_the_job():
    options = OrganizeOptions(
        removal=RemovalOptions(near=True, media=("image",), threshold=0.9, groups=("image-ab",))
    )
    assert options_from(options_document(options)) == options
    assert options_from(options_document(OrganizeOptions())).removal is None


CONTENTS = st.sampled_from("ABCDEF")
TREES = st.dictionaries(
    st.tuples(
        st.sampled_from(["p", "q", "safe"]), st.sampled_from(["x.jpg", "y.jpg", "z.txt"])
    ).map("/".join),
    CONTENTS,
    max_size=9,
)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_what_may_go_is_exactly_what_is_no_keeper(data):
    """The union of all members but the keepers; nothing more, and nothing less without a reason."""
    tree = data.draw(TREES)
    files = files_of(tree)
    exact = to_rows(exact_groups(to_table(files, Fingerprint)), DuplicateRow)
    keepers = sorted(
        {row.key for row in exact if row.is_keeper}
        | {key for key, content in tree.items() if list(tree.values()).count(content) == 1}
    )
    order = data.draw(st.permutations(keepers))
    stars = []
    while order:
        size = data.draw(st.integers(1, len(order)))
        star, order = tuple(order[:size]), order[size:]
        stars += [star] if size > 1 else []
    near = alike(*stars, files=files)
    moves = plan(files, near, removal=NEAR)
    members = {row.key for row in exact if not row.is_keeper} | {
        key for star in stars for key in star[1:]
    }
    going = gone(moves)
    assert set(going) | set(refused(moves)) == members
    assert not set(refused(moves))
    assert not set(going.values()) & set(going)
    live = {content for key, content in tree.items() if key not in going}
    alone = {content for content in tree.values() if content not in live}
    assert {sha(content) for content in alone} <= {
        row.sha256 for row in moves if row.truth_class == "perceptual"
    }


@settings(max_examples=60, deadline=None)
@given(TREES, st.randoms(use_true_random=False))
def test_the_order_of_files_does_not_matter_and_rules_agree(tree, random):
    files = files_of(tree)
    shuffled = random.sample(files, len(files))
    assert plan(files) == plan(shuffled)
    options = OrganizeOptions(protected=("safe",))
    exact = to_rows(exact_groups(to_table(files, Fingerprint), options=options), DuplicateRow)
    assert set(gone(plan(files, protected=("safe",)))) == {
        row.key for row in exact if row.is_removable
    }


def test_without_groups_there_is_nothing_to_do():
    assert plan(files_of({"a": "one"}), decisions=Decisions()) == []
    moved = [replace(file, key=f"new/{file.key}") for file in files_of(TWINS)]
    assert gone(plan(moved)) == {"new/b.jpg": "new/a.jpg"}


def test_only_files_that_were_named_go_of_the_groups_that_were_named():
    files = files_of(
        {"a.txt": "one", "b.txt": "one", "c.txt": "one", "d.txt": "two", "e.txt": "two"}
    )
    named = RemovalOptions(groups=(sha("one"),), files=("c.txt", "e.txt"))
    assert options_from(options_document(OrganizeOptions(removal=named))).removal == named
    assert set(gone(plan(files, removal=named))) == {"c.txt"}
