"""Where files are after a job: followed through the journal, whatever it did."""

from hypothesis import given, settings
from hypothesis import strategies as st

from models.domain.categories import CategoryRow
from models.domain.duplicates import DuplicateRow
from models.domain.fingerprint import Fingerprint
from models.domain.operations import Operation, OperationState
from tasks.publish.files import Known, files_after, index_of, with_categories
from tasks.publish.groups import FOLLOWED, groups_after, relocated
from tasks.publish.whereabouts import follow
from warehouse.schemas.arrow import arrow_schema, to_table

ROOTS = {"file:///in": "in", "file:///out": "out"}
NO_FILES = arrow_schema(Fingerprint).empty_table()
START = {("in", f"{n}"): f"{n:064x}" for n in range(5)}


def operation(seq, action, source, target, sha256, *, state=OperationState.DONE):
    return Operation(
        job_id="job",
        seq=seq,
        unit_id=str(seq),
        action=action,
        source_url=f"file:///{source[0]}",
        source_key=source[1],
        destination_url=f"file:///{target[0]}",
        destination_key=target[1],
        size_bytes=1,
        modified_ns=5,
        sha256=sha256,
        version="v",
        state=state,
        destination_version=f"{100 + seq}-5-{seq}",
    )


def fingerprint(key, sha256, **more):
    return Fingerprint(
        key=key,
        size_bytes=1,
        modified_ns=5,
        version=f"7-5-{key}",
        device=1,
        inode=7,
        sha256=sha256,
        title=f"title of {sha256}",
        **more,
    )


def known(places=None):
    places = START if places is None else places
    rows = [fingerprint(key, sha256) for (_, key), sha256 in sorted(places.items())]
    return Known(bases={"in": to_table(rows, Fingerprint)}, contents=NO_FILES)


def contents(where, knowledge):
    return {
        (root, row["key"]): row["sha256"]
        for root in ("in", "out")
        for row in files_after(root, knowledge, where).to_pylist()
    }


STEP = st.tuples(
    st.sampled_from(["move", "copy", "trash", "displace", "remove", "move failed"]),
    st.integers(0, 9),
    st.sampled_from(["in", "out"]),
    st.integers(0, 7),
)


@settings(deadline=None, max_examples=60)  # the first example imports Polars
@given(st.lists(STEP, max_size=12))
def test_any_journal_is_followed(steps):
    there = dict(START)
    journal = []
    for action, at, root, name in steps:
        if not there:
            break
        source = sorted(there)[at % len(there)]
        target = (root, f"n{name}")
        if action == "trash":
            target = (source[0], f".fileorganizer/trash/job/{source[1]}")
        if target in there:
            continue  # nothing is ever overwritten
        state = OperationState.FAILED if action == "move failed" else OperationState.DONE
        name_of_action = action.removesuffix(" failed")
        journal.append(
            operation(len(journal), name_of_action, source, target, there[source], state=state)
        )
        if state is OperationState.FAILED:
            continue
        content = there[source]
        if action != "copy":
            del there[source]
        if action not in {"trash", "remove"}:
            there[target] = content
    where = follow(journal, ROOTS)
    assert contents(where, known()) == there
    for root in ("in", "out"):
        gone = set(where.gone(root))
        assert gone.isdisjoint(key for at, key in there if at == root)
        assert {key for at, key in START if at == root} - {
            k for at, k in there if at == root
        } <= gone


def test_arrivals_carry_their_facts_and_what_the_storage_now_knows_them_by():
    where = follow(
        [
            operation(0, "move", ("in", "0"), ("in", "moved"), START["in", "0"]),
            operation(1, "move", ("in", "1"), ("out", "away"), START["in", "1"]),
            operation(2, "copy", ("in", "2"), ("in", "twin"), START["in", "2"]),
        ],
        ROOTS,
    )
    files = {row["key"]: row for row in files_after("in", known(), where).to_pylist()}
    moved, twin = files["moved"], files["twin"]
    assert (moved["version"], moved["inode"], moved["device"]) == ("100-5-0", 100, 1)
    assert moved["title"] == f"title of {START['in', '0']}"
    assert (moved["origin_key"], moved["is_arrived"], moved["is_copy"]) == ("0", True, False)
    assert (twin["is_copy"], twin["device"], twin["link_count"]) == (True, None, 1)
    away = files_after("out", known(), where).to_pylist()
    assert [(row["key"], row["device"], row["origin_root_id"]) for row in away] == [
        ("away", None, "in")
    ]


def test_what_comes_back_from_the_trash_is_known_by_its_content():
    source = ("in", ".fileorganizer/trash/job/x")
    back = follow([operation(0, "move", source, ("in", "x"), "ab" * 32)], ROOTS)
    contents_known = to_table([fingerprint("elsewhere", "ab" * 32)], Fingerprint)
    row = files_after("in", Known(bases={}, contents=contents_known), back).to_pylist()[0]
    assert (row["title"], row["is_known"]) == (f"title of {'ab' * 32}", True)
    unknown = files_after("in", Known(bases={}, contents=NO_FILES), back)
    assert unknown.to_pylist()[0]["is_known"] is False
    assert index_of(unknown).num_rows == 0, "what was never read is read at the next index"


def test_categories_are_believed_in_order():
    where = follow([operation(0, "move", ("in", "0"), ("in", "new"), START["in", "0"])], ROOTS)
    files = files_after("in", known(), where)

    def told(category, keys, **more):
        rows = [
            CategoryRow(
                key=key,
                category=category,
                subcategory=None,
                coarse_category="Others",
                confidence_ratio=1.0,
                reason="r",
                decided_by="d",
            )
            for key in keys
        ]
        table = to_table(rows, CategoryRow)
        for name, values in {"root_id": ["in"] * len(keys), **more}.items():
            table = table.append_column(name, [values])
        return table

    sources = [
        ("origin", told("first", ["0", "1"])),
        ("key", told("second", ["1", "2"])),
        ("content", told("third", ["any"], sha256=[START["in", "3"]])),
    ]
    found = with_categories(files, sources).to_pylist()
    assert {row["key"]: row["category"] for row in found} == {
        "new": "first",
        "1": "first",
        "2": "second",
        "3": "third",
        "4": None,
    }


def member(key, *, keeper=False, group="g"):
    return DuplicateRow(
        group_id=group,
        key=key,
        is_keeper=keeper,
        truth_class="full_hash",
        similarity_ratio=1.0,
        size_bytes=10,
        is_hardlink=False,
        wasted_bytes=0 if keeper else 10,
        keep_reason="oldest",
        is_removable=not keeper,
    )


def test_groups_keep_one_keeper_and_lose_what_is_alone():
    gone = groups_after([member("b"), member("a")])
    assert [(row.key, row.is_keeper, row.wasted_bytes) for row in gone] == [
        ("a", True, 0),
        ("b", False, 10),
    ]
    assert (gone[0].keep_reason, gone[0].is_removable) == (FOLLOWED, False)
    two = groups_after([member("b", keeper=True), member("a", keeper=True)])
    assert [(row.key, row.is_keeper, row.wasted_bytes) for row in two] == [
        ("a", False, 10),
        ("b", True, 0),
    ]
    assert two[0].is_removable is False, "a keeper elsewhere was never judged for removal"
    assert groups_after([member("a", keeper=True), member("x", group="h")]) == []


def test_members_are_where_they_went():
    journal = [
        operation(0, "move", ("in", "a"), ("out", "A"), ""),
        operation(1, "copy", ("in", "b"), ("in", "B"), ""),
        operation(2, "trash", ("in", "c"), ("in", ".fileorganizer/trash/job/c"), ""),
    ]
    where = follow(journal, ROOTS)
    members = [member("a", keeper=True), member("b"), member("c"), member("d")]

    def keys(root):
        return [m.key for m in relocated(members, where, origin_root_id="in", root_id=root)]

    assert keys("in") == ["b", "B", "d"]
    assert keys("out") == ["A"]
