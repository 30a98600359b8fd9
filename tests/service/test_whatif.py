"""What a policy is said to do is what its plan does, and what is then done."""

from dataclasses import replace

import pytest
from test_plan_steps import _settings as settings_of_steps
from test_plan_steps import make_tree, planned
from typer.testing import CliRunner

from cli.main import app
from models.domain.duplicates import DEFAULT_KEEP_RULES, DuplicateRow, KeepRule, keep_rules_from
from models.domain.errors import InvalidError
from models.domain.jobs import OrganizeOptions
from models.domain.organizing import ConflictPolicy, OnDuplicate
from models.domain.plans import Move
from models.domain.whatif import Policy, policies
from models.settings import Settings
from tasks.apply import task as apply_task
from tasks.ledger.ledger import open_ledger
from tasks.whatif import core
from tasks.whatif.gathering import gather
from warehouse.schemas.arrow import to_rows, to_table
from warehouse.store.parts import open_lake

pytestmark = pytest.mark.service
__all__ = ["settings_of_steps"]

TREE = {
    "in/a.txt": "one",
    "in/b.txt": "one",
    "in/c.md": "two",
    "c.md": "three",
    "keep/a copy.txt": "one",
    "x/long name.md": "three",
}


def world_of(plan, destination_url=None):
    """The world of the job that a plan was made for; the parts are those that it left."""
    from models.domain.table_refs import TableRef

    lake = open_lake(Settings().lake)
    folder = f"runs/{plan.job_id}"
    with open_ledger(Settings()) as ledger:
        fingerprints = lake.find(f"{folder}/f.parquet")
        from tasks.categorize.task import categorize

        index = {
            "fingerprints": fingerprints,
            "categories": categorize.fn(plan.job_id, fingerprints),
        }
        assert all(isinstance(ref, TableRef) for ref in index.values())
        return gather(Settings(), ledger, plan.job_id, index, destination_url=destination_url)


POLICIES = [
    {"on_duplicate": OnDuplicate.TRASH},
    {"on_duplicate": OnDuplicate.KEEP, "mode": "flatten"},
    {"on_duplicate": OnDuplicate.SKIP, "mode": "category"},
    {"on_duplicate": OnDuplicate.TRASH, "keep_rules": keep_rules_from("shortest_path")},
    {"on_duplicate": OnDuplicate.TRASH, "protected": ("in",)},
]


@pytest.mark.parametrize("elsewhere", [False, True])
def test_the_plan_is_the_estimate(tmp_path, elsewhere):
    source = make_tree(tmp_path / "s", TREE)
    (source / "link").symlink_to("/etc")
    into = make_tree(tmp_path / "d", {"md/c.md": "other", "old.txt": "two"}) if elsewhere else None
    for changes in POLICIES:
        changed = {"conflict": ConflictPolicy.REPLACE_TO_TRASH, **changes}
        plan, rows, groups = planned(source, into, **changed)
        world = world_of(plan, plan.destination_url if into else None)
        found = core.estimate(world, Policy(options=plan.options))
        assert found.totals == plan.totals
        moves, _ = core.planned(world, plan.options)
        assert [
            (row.seq, row.action, row.source_key, row.destination_key)
            for row in to_rows(moves, Move)
        ] == [(row.seq, row.action, row.source_key, row.destination_key) for row in rows.values()]
        trashed = {key for key, row in rows.items() if row.action == "trash"}
        assert found.files_trashed == len(trashed)
        assert found.bytes_freed == sum(g.wasted_bytes for g in groups if g.key in trashed)
        assert found.groups_touched == len({g.group_id for g in groups if g.key in trashed})


def test_what_is_done_is_the_estimate(tmp_path):
    source = make_tree(tmp_path / "s", TREE)
    plan, *_ = planned(source, on_duplicate=OnDuplicate.TRASH)
    found = core.estimate(world_of(plan), Policy(options=plan.options))
    before = sum(path.stat().st_size for path in source.rglob("*") if path.is_file())
    with open_ledger(Settings()) as ledger:
        ledger.approve(plan.id, by="test")
        epoch = ledger.acquire_lease(plan.job_id, "worker", 60)
        total = apply_task.begin_apply.fn(plan.job_id)
        apply_task.apply_batch.fn(plan.job_id, epoch, 0, total - 1)
    facts = apply_task.finish_apply.fn(plan.job_id)
    assert facts["errors_count"] == found.risk.refusals == 0
    assert facts["files_moved"] == found.files_moved
    assert facts["bytes_moved"] == found.bytes_moved
    stays = [
        path for path in source.rglob("*") if path.is_file() and ".fileorganizer" not in path.parts
    ]
    assert before - sum(path.stat().st_size for path in stays) == found.bytes_freed
    assert found.bytes_freed > 0
    assert len(TREE) - len(stays) == found.files_trashed


def test_what_is_alike_is_weighed_by_its_similarity_and_never_freed(tmp_path):
    plan, *_ = planned(make_tree(tmp_path / "s", TREE), on_duplicate=OnDuplicate.TRASH)
    member = DuplicateRow(
        group_id="g",
        key="in/a.txt",
        is_keeper=True,
        truth_class="textual",
        similarity_ratio=1.0,
        size_bytes=3,
        is_hardlink=False,
        wasted_bytes=0,
        keep_reason="oldest",
    )
    alike = [
        replace(member, key=key, is_keeper=False, similarity_ratio=ratio, wasted_bytes=3)
        for key, ratio in (("in/c.md", 0.97), ("c.md", 0.9))
    ]
    world = replace(world_of(plan), near=to_table([member, *alike], DuplicateRow))
    found = [
        core.estimate(world, Policy(options=plan.options, similarity=similarity))
        for similarity in (1.0, 0.95, 0.9)
    ]
    assert [each.risk.lookalikes for each in found] == [0, 1, 2]
    assert [each.risk.lookalike_bytes for each in found] == [0, 3, 6]
    assert len({each.bytes_freed for each in found}) == 1


def test_every_combination_is_a_policy():
    found = policies(
        OrganizeOptions(),
        modes=["category", "date_taken"],
        on_duplicate=[OnDuplicate.SKIP, OnDuplicate.TRASH],
        keep_rules=[keep_rules_from("newest"), DEFAULT_KEEP_RULES],
        similarities=[1.0, 0.9],
    )
    assert len({policy.name for policy in found}) == 16
    assert found[0].options.keep_rules == (KeepRule.PROTECTED, KeepRule.PREFERRED, KeepRule.NEWEST)
    assert (
        len(policies(OrganizeOptions(), modes=[], on_duplicate=[], keep_rules=[], similarities=[]))
        == 1
    )
    with pytest.raises(InvalidError, match="too many"):
        policies(
            OrganizeOptions(),
            modes=["category"],
            on_duplicate=[],
            keep_rules=[],
            similarities=[n / 100 for n in range(65)],
        )
    with pytest.raises(InvalidError, match="ratio"):
        policies(OrganizeOptions(), modes=[], on_duplicate=[], keep_rules=[], similarities=[1.1])
    with pytest.raises(InvalidError, match="shortest_path"):
        keep_rules_from("biggest")


def test_the_command_refuses_what_makes_no_sense():
    for wrong in (["--mode", "nonsense"], ["--keep", "biggest"], ["--similarity", "2"]):
        refused = CliRunner().invoke(app, ["whatif", "/nowhere", *wrong, "--json"])
        assert refused.exit_code == 2
        assert '"kind": "invalid"' in refused.stdout
