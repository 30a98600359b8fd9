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
from tasks.apply.core import Mover
from tasks.apply.planned import KEEPER_AT, KEEPER_URL
from tasks.apply.ranges import possibly_ahead
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
SHORT = {"move": (0, 3), "copy": (0, 1), "trash": (0, 1), "displace": (0, 1), "unit": (1, 2, 3, 4)}
"""What is crashed twice: all pairs of steps grow with the square, so neighbors are enough."""

KINDS = {
    "renamed": LocalStore,
    "copied": CopyingStore,
    "across": LocalStore,
    "apart": CopyingStore,
}
"""Within one root by rename and by copying; from one root to another by rename, where both are on
one file system, and by copying, where they are not."""
TWO_ROOTS = frozenset({"across", "apart"})


class Case:
    """One plan on one kind of storage; every run starts from the same trees."""

    def __init__(self, folder: Path, plan: str, kind: str, *, is_undo: bool) -> None:
        self.folder = folder
        self.plan, self.states = PLANS[plan]
        self.only = SHORT[plan]
        self.kind = kind
        self.is_undo = is_undo
        self.count = itertools.count()

    def planned(self, *, is_short: bool = False) -> World:
        folder = self.folder / str(next(self.count))
        if self.kind in TWO_ROOTS:
            world = World.make(folder, TREE, TAKEN, kind=KINDS[self.kind])
        else:
            world = World.make(folder, TREE | TAKEN, kind=KINDS[self.kind])
        source, target = world.open()
        operations = self.plan(source, target)
        world.begin([each for each in operations if not is_short or each.seq in self.only])
        return world

    def world(self, *, is_short: bool = False) -> World:
        world = self.planned(is_short=is_short)
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
        fresh = case.planned()
        assert [facts(root) for root in world.roots] == [facts(root) for root in fresh.roots]


def _expected(case: Case, *, is_short: bool) -> tuple[tuple[object, ...], int]:
    """Return the end of an undisturbed run and its number of steps."""
    world = case.world(is_short=is_short)
    steps = Steps()
    case.work(world, steps)
    return case.result(world), steps.count


def test_every_single_crash(case: Case) -> None:
    expected, steps = _expected(case, is_short=False)
    assert steps > 10
    for first in range(steps + 1):
        world = case.world()
        assert case.crash(world, first).is_dead == (first < steps)
        _check(case, world, expected)
        shutil.rmtree(case.folder)


def test_every_double_crash(case: Case, request: pytest.FixtureRequest) -> None:
    if not request.config.getoption("--campaign", default=False):
        if case.kind == "copied":
            pytest.skip("within one root by copying: in the campaign, singly here")
        case.only = case.only[:1] if case.kind == "apart" else case.only[-2:]
    expected, steps = _expected(case, is_short=True)
    pairs = 0
    for first in range(steps):
        for second in itertools.count():
            world = case.world(is_short=True)
            case.crash(world, first)
            is_dead = case.crash(world, second).is_dead
            _check(case, world, expected)
            shutil.rmtree(case.folder)
            if not is_dead:
                break
            pairs += 1
    print(f"{steps} single, {pairs} double crashes")


def test_every_crash_then_undo_instead_of_resume(case: Case) -> None:
    """A job that died and is given up: its undo finds what happened and puts it back."""
    if case.is_undo:
        pytest.skip("an undo is not undone")
    _, steps = _expected(case, is_short=False)
    for first in range(steps + 1):
        world = case.planned()
        before = [facts(root) for root in world.roots]
        case.crash(world, first)
        world.journal.steps = Steps()  # the journal outlives the worker
        stores = list(set(world.open()))
        epoch = world.journal.new_epoch("job")
        mover = Mover(stores, world.journal, job_id="job", epoch=epoch)
        mover.reconcile(possibly_ahead(world.journal, "job"))
        world.close()
        done = world.journal.operations("job")
        world.journal.begin("undo", undo_operations(done, job_id="undo"), [])
        world.work("undo", restore_of="job")
        assert [facts(root) for root in world.roots] == before
        assert debris(*world.roots) == []
        shutil.rmtree(case.folder)


def test_removal_of_copies_is_in_the_enumeration(tmp_path: Path) -> None:
    """Undoing a copy uses the one action that deletes for good."""
    case = Case(tmp_path, "copy", "renamed", is_undo=True)
    actions = {each.action for each in case.world().journal.operations("undo")}
    assert actions == {REMOVE}
