"""Jobs on an S3 server, prepared and judged: what the tests of failing storage share."""

from collections import Counter
from pathlib import Path

from apply_world import Crash, Steps
from scenario_worlds import Arena, CrashingCalls, s3_root, with_calls

from models.domain.operations import OPEN
from models.domain.plans import Action, Move
from storage.s3_calls import S3Calls

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
