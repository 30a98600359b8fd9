"""P1 on object storage: the worker dies before every writing request and every record."""

from collections import Counter
from pathlib import Path

import pytest
from apply_world import Crash, Steps
from scenario_worlds import Arena, CrashingCalls, s3_root, with_calls

from models.domain.operations import OPEN
from models.domain.plans import Action, Move
from storage.s3_calls import S3Calls

pytestmark = [pytest.mark.crash, pytest.mark.service]

SOURCE = {"in/a.txt": "alpha", "in/dup.txt": "twins", "keep.txt": "twins"}
TARGET = {"out/taken.txt": "somebody else's"}


def _moves(arena: Arena, plan: str) -> list[Move]:
    match plan:
        case "move":
            return arena.plan_of_renames({"in/a.txt": "out/a.txt", "in/dup.txt": "out/taken.txt"})
        case "copy":
            return arena.plan_of_renames({"in/a.txt": "out/a.txt"}, action=Action.COPY)
        case "trash":
            return arena.duplicates_to_trash("in/dup.txt", keeper="keep.txt")
        case _:
            return arena.plan_of_displacement("in/a.txt", "out/taken.txt")


PLANS = {
    "move": ["done", "refused"],
    "copy": ["done"],
    "trash": ["done"],
    "displace": ["done", "done"],
}


class Case:
    """One plan on fresh prefixes of one bucket."""

    def __init__(self, folder: Path, bucket: str, calls: S3Calls, plan: str) -> None:
        self.folder, self.bucket, self.calls, self.plan = folder, bucket, calls, plan

    def arena(self) -> tuple[Arena, str]:
        source = s3_root("in", self.folder, self.bucket, self.calls)
        target = s3_root("out", self.folder, self.bucket, self.calls)
        source.write(dict(SOURCE))
        target.write(dict(TARGET))
        arena = Arena(source, target)
        return arena, arena.begin(_moves(arena, self.plan))

    def crash(self, arena: Arena, job_id: str, before: int | None, undo_of: str | None) -> Steps:
        """Let a worker die before a step; return its steps."""
        steps = Steps(before)
        crashing = CrashingCalls(self.calls, steps)
        arena.journal.steps = steps
        for root in (arena.source, arena.target):
            root.store = with_calls(root.store, crashing)
        try:
            arena.work(job_id, undo_of)
        except Crash:
            assert steps.is_dead
        arena.journal.steps = Steps()
        for root in (arena.source, arena.target):
            root.store = with_calls(root.store, self.calls)
        return steps

    def end(self, arena: Arena, job_id: str) -> tuple[object, ...]:
        """Return what must be the same however often the worker died; nothing may be left over."""
        assert not arena.journal.operations(job_id, states=sorted(OPEN))
        raw = self.calls.call("list_objects_v2", Bucket=self.bucket)
        names = [entry["Key"] for entry in raw.get("Contents", ())]
        assert [name for name in names if "/.fileorganizer/tmp" in name] == []
        uploads = self.calls.call("list_multipart_uploads", Bucket=self.bucket)
        assert not uploads.get("Uploads")
        roots = (arena.source, arena.target)
        trash = Counter(data for root in roots for data in root.trash().values())
        return [root.tree() for root in roots], trash, arena.states(job_id)


@pytest.mark.scenario(11)
@pytest.mark.parametrize("is_undo", [False, True], ids=["apply", "undo"])
@pytest.mark.parametrize("plan", PLANS)
def test_every_request(  # noqa: PLR0917 - its servers and folders
    tmp_path: Path,
    s3_bucket: str,
    s3_calls: S3Calls,
    plan: str,
    is_undo: bool,
    request: pytest.FixtureRequest,
) -> None:
    is_campaign = request.config.getoption("--campaign", default=False)
    if is_undo and plan in {"trash", "displace"} and not is_campaign:
        pytest.skip("an undo of a removal is a move: in the campaign")
    case = Case(tmp_path, s3_bucket, s3_calls, plan)
    expected: tuple[object, ...] | None = None
    crash, steps = 0, Steps()
    while expected is None or crash <= steps.count:
        arena, job_id = case.arena()
        before = arena.hashes()
        undo_of = None
        if is_undo:
            arena.work(job_id)
            undo_of, job_id = job_id, arena.begin_undo(job_id)
        if expected is None:
            steps = case.crash(arena, job_id, None, undo_of)
            expected = case.end(arena, job_id)
            assert is_undo or expected[2] == PLANS[plan]
            continue
        died = case.crash(arena, job_id, crash, undo_of)
        assert died.is_dead == (crash < steps.count)
        arena.work(job_id, undo_of)
        assert case.end(arena, job_id) == expected
        if plan != "copy" or is_undo:
            assert arena.hashes() == before
        crash += 1
    print(f"{plan}: {steps.count} steps: {' '.join(steps.names)}")
