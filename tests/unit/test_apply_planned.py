"""From an approved plan to the journal's first rows."""

from datetime import UTC, datetime

import pytest
from apply_world import make_tree

from models.domain.decisions import holding, keep, not_duplicate
from models.domain.errors import InvalidError
from models.domain.jobs import OrganizeOptions
from models.domain.operations import FolderRow, OperationState
from models.domain.plans import Action, ApprovedPlan, Move, Plan, PlanTotals
from models.domain.table_refs import TableRef
from storage.local import LocalStore
from tasks.apply.planned import (
    DECIDED,
    KEEPER_AT,
    KEEPER_URL,
    folder_rows,
    operations_from,
    parents,
)
from warehouse.schemas.arrow import to_table


def approved():
    return ApprovedPlan(
        plan=Plan(
            id="p",
            job_id="j",
            source_url="file:///in",
            destination_url="file:///out",
            options=OrganizeOptions(),
            totals=PlanTotals(**dict.fromkeys(PlanTotals.__dataclass_fields__, 0)),
            moves=TableRef(uri="", table="moves", rows=0, sha256=""),
            plan_hash="",
            created_at=datetime(2024, 1, 1, tzinfo=UTC),
        ),
        approved_by="somebody",
        approved_at=datetime(2024, 1, 1, tzinfo=UTC),
    )


def move(seq, action, key, to=None, **more):
    plain = {
        "unit_id": f"u{seq}",
        "size_bytes": 1,
        "modified_ns": 2,
        "sha256": "ab",
        "version": "v",
        "reason": "test",
    }
    return Move(seq=seq, action=action, source_key=key, destination_key=to, **(plain | more))


def planned(*moves, decisions=None):
    return operations_from(approved(), to_table(moves, Move), decisions)


def test_only_what_writes_is_journaled_in_order_without_gaps():
    rows = planned(
        move(4, Action.ASSIGN, "e", "V/e"),
        move(0, Action.SKIP, "a"),
        move(1, Action.MOVE, "b", "B/b"),
        move(2, Action.REFUSE, "c"),
        move(3, Action.COPY, "d", "D/d"),
    )
    assert [(each.seq, each.action, each.source_key) for each in rows] == [
        (0, "move", "b"),
        (1, "copy", "d"),
        (2, "assign", "e"),
    ]
    assert {(each.source_url, each.destination_url) for each in rows} == {
        ("file:///in", "file:///out")
    }
    assert rows[0].reason == "test"


def test_what_gives_way_and_what_is_removed_stays_in_its_root():
    trashed, displaced, renamed = planned(
        move(0, Action.TRASH, "in/dup", keeper_key="in/keep"),
        move(1, Action.DISPLACE, "Work/x", None),
        move(2, Action.DISPLACE, "Work/y", "Work/y (1)"),
    )
    assert trashed.source_url == trashed.destination_url == "file:///in"
    assert trashed.destination_key == ".fileorganizer/trash/j/in/dup"
    assert displaced.source_url == displaced.destination_url == "file:///out"
    assert displaced.destination_key == ".fileorganizer/trash/j/Work/x"
    assert renamed.destination_key == "Work/y (1)"


def test_a_removal_knows_where_the_plan_puts_its_keeper():
    first, _ = planned(
        move(0, Action.TRASH, "dup", keeper_key="keep"), move(1, Action.MOVE, "keep", "K/keep")
    )
    assert first.receipt == {KEEPER_URL: "file:///out", KEEPER_AT: "K/keep"}
    (alone,) = planned(move(0, Action.TRASH, "dup", keeper_key="keep"))
    assert alone.receipt is None


def test_unknown_content_is_refused_before_it_is_touched():
    row, companion, other = planned(
        move(0, Action.MOVE, "a", "A/a", sha256=None, unit_id="pair"),
        move(1, Action.MOVE, "b", "A/b", unit_id="pair"),
        move(2, Action.MOVE, "c", "A/c"),
    )
    assert row.state is companion.state is OperationState.REFUSED
    assert "is not known" in row.error
    assert other.state is OperationState.PLANNED


def test_a_scattered_unit_makes_no_journal():
    with pytest.raises(InvalidError, match="scatters unit"):
        planned(
            move(0, Action.MOVE, "a", "A/a", unit_id="x"),
            move(1, Action.MOVE, "b", "A/b", unit_id="y"),
            move(2, Action.MOVE, "c", "A/c", unit_id="x"),
        )


def test_a_move_needs_a_destination():
    with pytest.raises(InvalidError, match="no destination"):
        planned(move(0, Action.MOVE, "a", None))


def test_parents():
    assert parents("a/b/c.txt") == ["a/b", "a", ""]
    assert parents("c.txt") == [""]


def test_folders_are_noted_before_anything_is_written(tmp_path):
    source = make_tree(tmp_path / "in", {"deep/er/a.txt": "a"})
    (source / "deep").chmod(0o750)
    with (
        LocalStore(source, url="file:///in") as one,
        LocalStore(tmp_path, url="file:///out") as two,
    ):
        rows = folder_rows([one, two], planned(move(0, Action.MOVE, "deep/er/a.txt", "X/a.txt")))
    found = {(row.url, row.key): row for row in rows}
    assert found.keys() == {
        ("file:///in", ""),
        ("file:///in", "deep"),
        ("file:///in", "deep/er"),
        ("file:///out", ""),
        ("file:///out", "X"),
    }
    assert found["file:///out", "X"] == FolderRow(key="X", url="file:///out", existed=False)
    assert found["file:///in", "deep"].mode == 0o750
    assert found["file:///in", "deep"].modified_ns == (source / "deep").stat().st_mtime_ns


def test_what_people_decided_since_the_plan_stays():
    alike = {"keeper_key": "k", "keeper_sha256": "aa", "truth_class": "perceptual"}
    rows = (
        move(0, Action.TRASH, "apart", sha256="bb", **alike),
        move(1, Action.TRASH, "kept", sha256="cc", **alike),
        move(2, Action.TRASH, "goes", sha256="dd", **alike),
        move(3, Action.TRASH, "named", sha256="ee", keeper_key="k", truth_class="full_hash"),
        move(4, Action.TRASH, "other", sha256="ee", keeper_key="k", truth_class="full_hash"),
    )
    decided = holding([not_duplicate("bb", "aa"), keep("cc", "kept"), keep("ee", "named")])
    assert {each.error for each in planned(*rows)} == {None}
    refused = {each.source_key: each.error for each in planned(*rows, decisions=decided)}
    assert refused == {
        "apart": DECIDED,
        "kept": DECIDED,
        "goes": None,
        "named": DECIDED,
        "other": None,
    }
