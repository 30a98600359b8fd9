"""P1: the worker dies before every single step of writing, once and twice, and is resumed.

A step is a writing system call or a journal transaction. What a process leaves behind after step
k is what it leaves before step k + 1, since memory dies with it: crashing before every step and
after the last one covers both sides of each. Whatever the crashes, the end must be the end of an
undisturbed run: the same files with the same bytes and times, the same journal, nothing left over.
"""

import itertools
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from apply_world import (
    CopyingStore,
    Crash,
    Steps,
    World,
    contents,
    debris,
    facts,
    hashes,
    operation,
)

from models.domain.operations import REMOVE, Operation
from models.domain.plans import Action
from storage.local import LocalStore
from tasks.apply.planned import KEEPER_AT, KEEPER_URL
from tasks.apply.undo import undo_operations

pytestmark = pytest.mark.crash

TREE = {
    "in/a.txt": "alpha",
    "in/deep/er/b.txt": "beta",
    "in/same-name.txt": "one",
    "other/same-name.txt": "two",
    "keep/original.bin": b"\x00\x01" * 50,
    "in/duplicate.bin": b"\x00\x01" * 50,
    "in/empty.txt": "",
    "in/pair.cr3": "raw",
    "in/pair.jpg": "jpeg",
    "in/pair.xmp": "sidecar",
}
TAKEN = {"out/taken.txt": "somebody else's", "out/equal.txt": "alpha"}

Plan = Callable[[LocalStore, LocalStore], list[Operation]]


def _moves(source: LocalStore, target: LocalStore) -> list[Operation]:
    move = Action.MOVE
    return [
        operation(0, move, source, "in/a.txt", target, "out/2020/a.txt"),
        operation(1, move, source, "in/same-name.txt", target, "out/same-name.txt"),
        operation(2, move, source, "other/same-name.txt", target, "out/same-name.txt"),
        operation(3, move, source, "in/deep/er/b.txt", target, "out/taken.txt"),
        operation(4, move, source, "in/empty.txt", target, "out/empty.txt"),
    ]


def _copies(source: LocalStore, target: LocalStore) -> list[Operation]:
    copy = Action.COPY
    return [
        operation(0, copy, source, "in/a.txt", target, "out/2020/a.txt"),
        operation(1, copy, source, "in/a.txt", target, "out/equal.txt"),
        operation(2, copy, source, "in/same-name.txt", target, "out/same-name.txt"),
        operation(3, copy, source, "other/same-name.txt", target, "out/same-name.txt"),
    ]


def _trashes(source: LocalStore, target: LocalStore) -> list[Operation]:
    kept = {KEEPER_URL: target.url, KEEPER_AT: "out/original.bin"}
    key = "keep/original.bin"
    return [
        operation(0, Action.MOVE, source, key, target, "out/original.bin"),
        operation(1, Action.TRASH, source, "in/duplicate.bin", target, keeper=key, receipt=kept),
        operation(2, Action.TRASH, source, "in/a.txt", target, keeper="in/same-name.txt"),
    ]


def _displacements(source: LocalStore, target: LocalStore) -> list[Operation]:
    return [
        operation(0, Action.DISPLACE, target, "out/taken.txt", target, None),
        operation(1, Action.MOVE, source, "in/a.txt", target, "out/taken.txt"),
        operation(2, Action.DISPLACE, target, "out/equal.txt", target, "out/equal (1).txt"),
        operation(3, Action.MOVE, source, "in/deep/er/b.txt", target, "out/equal.txt"),
    ]


def _units(source: LocalStore, target: LocalStore) -> list[Operation]:
    move = Action.MOVE
    return [
        operation(0, move, source, "in/pair.cr3", target, "out/pair.cr3", unit="pair"),
        operation(1, move, source, "in/pair.jpg", target, "out/pair.jpg", unit="pair"),
        operation(2, move, source, "in/pair.xmp", target, "out/pair.xmp", unit="pair"),
        operation(3, move, source, "in/a.txt", target, "out/a.txt", unit="torn"),
        operation(4, move, source, "in/empty.txt", target, "out/taken.txt", unit="torn"),
    ]


PLANS: dict[str, tuple[Plan, list[str]]] = {
    "move": (_moves, ["done", "done", "refused", "refused", "done"]),
    "copy": (_copies, ["done", "refused", "done", "refused"]),
    "trash": (_trashes, ["done", "done", "refused"]),
    "displace": (_displacements, ["done", "done", "done", "done"]),
    "unit": (_units, ["done", "done", "done", "refused", "refused"]),
}
KINDS = {"renamed": LocalStore, "copied": CopyingStore, "across": LocalStore}
"""Within one root by rename, within one root by copying, and from one root to another."""


class Case:
    """One plan on one kind of storage; every run starts from the same trees."""

    def __init__(self, folder: Path, plan: str, kind: str, *, is_undo: bool) -> None:
        self.folder = folder
        self.plan, self.states = PLANS[plan]
        self.kind = kind
        self.is_undo = is_undo
        self.count = itertools.count()

    def world(self) -> World:
        folder = self.folder / str(next(self.count))
        if self.kind == "across":
            world = World.make(folder, TREE, TAKEN)
        else:
            world = World.make(folder, TREE | TAKEN, kind=KINDS[self.kind])
        source, target = world.open()
        world.begin(self.plan(source, target))
        if self.is_undo:
            world.work()
            done = world.journal.operations("job")
            world.journal.begin("undo", undo_operations(done, job_id="undo"), [])
        return world

    def work(self, world: World, steps: Steps | None = None) -> None:
        if self.is_undo:
            world.work("undo", steps=steps, restore_of="job")
        else:
            world.work(steps=steps)

    def crash(self, world: World, before: int) -> Steps:
        """Let a worker die before a step; return its steps, `is_dead` unless it got to the end."""
        steps = Steps(before)
        try:
            self.work(world, steps)
        except Crash:
            assert steps.is_dead
        return steps

    def result(self, world: World) -> tuple[object, ...]:
        """Return what must be the same however often the worker died."""
        trees = [contents(root) for root in world.roots]
        if self.is_undo:
            trees = [facts(root) for root in world.roots]
        outcomes = [
            (each.seq, each.state, each.error)
            for job in world.journal.rows
            for each in world.journal.operations(job)
        ]
        return trees, outcomes, world.is_finished()


@pytest.fixture(params=["apply", "undo"])
def is_undo(request: pytest.FixtureRequest) -> bool:
    return request.param == "undo"


@pytest.fixture(params=PLANS)
def plan(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=KINDS)
def case(request: pytest.FixtureRequest, tmp_path: Path, plan: str, is_undo: bool) -> Case:
    return Case(tmp_path, plan, request.param, is_undo=is_undo)


def _check(case: Case, world: World, expected: tuple[object, ...]) -> None:
    case.work(world)
    assert case.result(world) == expected
    assert debris(*world.roots) == []


def test_undisturbed(case: Case) -> None:
    world = case.world()
    before = hashes(*world.roots)
    case.work(world)
    assert world.states() == case.states
    assert world.is_finished()
    assert debris(*world.roots) == []
    if case.plan is not _copies:
        assert hashes(*world.roots) == before
    if case.is_undo:
        untouched = case.__class__(case.folder / "untouched", "move", case.kind, is_undo=False)
        untouched.plan = case.plan
        fresh = untouched.world()
        assert [facts(root) for root in world.roots] == [facts(root) for root in fresh.roots]


def test_every_single_and_double_crash(case: Case, record_property: Callable[..., None]) -> None:
    world = case.world()
    steps = Steps()
    case.work(world, steps)
    expected = case.result(world)
    singles = doubles = 0
    for first in range(steps.count + 1):
        world = case.world()
        case.crash(world, first)
        singles += 1
        _check(case, world, expected)
        for second in itertools.count():
            shutil.rmtree(case.folder)
            world = case.world()
            case.crash(world, first)
            steps_again = case.crash(world, second)
            doubles += 1
            _check(case, world, expected)
            if not steps_again.is_dead:
                break
        shutil.rmtree(case.folder)
    record_property("singles", singles)
    record_property("doubles", doubles)
    print(f"{case.kind}: {singles} single and {doubles} double crashes")


def test_removal_of_copies_is_in_the_enumeration(tmp_path: Path) -> None:
    """Undoing a copy uses the one action that deletes for good."""
    case = Case(tmp_path, "copy", "renamed", is_undo=True)
    actions = {each.action for each in case.world().journal.operations("undo")}
    assert actions == {REMOVE}
