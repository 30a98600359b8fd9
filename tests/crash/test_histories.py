"""P5: whatever a user and the jobs do, storage is what a dict says, and no content is lost."""

import hashlib
import shutil
import tempfile
from pathlib import Path

import pytest
from apply_world import (
    CopyingStore,
    Crash,
    Steps,
    World,
    contents,
    debris,
    hashes,
    make_tree,
    operation,
)
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from models.domain.operations import REMOVE, Operation
from models.domain.plans import Action
from storage.local import LocalStore
from tasks.apply.undo import undo_operations

pytestmark = pytest.mark.crash

KEYS = st.sampled_from(["a", "b", "c", "d/e", "d/f", "g/h/i", "é", "x y"])
CONTENTS = st.sampled_from(["", "1", "22", "twins", "twins", "long " * 20])


class Histories(RuleBasedStateMachine):
    """A root, its files as a dict, and jobs that move, copy, trash, crash and are undone."""

    kind: type[LocalStore] = LocalStore

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(dir=SHM if SHM.is_dir() else None))
        self.world = World.make(self.folder, {"a": "1", "b": "twins", "c": "twins"}, kind=self.kind)
        self.files: dict[str, bytes] = contents(self.world.source_root)
        self.jobs: list[str] = []
        self.count = 0

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    @rule(key=KEYS, content=CONTENTS)
    def write(self, key: str, content: str) -> None:
        """The user writes a file, new or not."""
        make_tree(self.world.source_root, {key: content})
        self.files[key] = content.encode()

    @rule(key=KEYS)
    def remove(self, key: str) -> None:
        """The user removes a file."""
        if key in self.files:
            (self.world.source_root / key).unlink()
            del self.files[key]

    @rule(data=st.data(), crashes=st.lists(st.integers(0, 40), max_size=2))
    def job(self, data: st.DataObject, crashes: list[int]) -> None:
        """A job is planned, perhaps outdated by an edit, crashes, is resumed and ends."""
        live = sorted(key for key in self.files if not key.startswith("."))
        if not live:
            return
        self.count += 1
        job_id = f"job{self.count}"
        source, _ = self.world.open()
        chosen = data.draw(st.lists(st.sampled_from(live), min_size=1, max_size=3, unique=True))
        rows: list[Operation] = []
        for seq, key in enumerate(chosen):
            action = data.draw(st.sampled_from([Action.MOVE, Action.COPY, Action.TRASH]))
            rows.append(self._row(seq, action, key, data.draw(KEYS), job_id, live))
        del source
        self.world.begin(rows, job_id)
        edited = data.draw(st.sampled_from([None, *live]))
        if edited is not None:
            self.write(edited, data.draw(CONTENTS))
        self._run(job_id, crashes, None)
        self.jobs.append(job_id)

    def _row(  # noqa: PLR0917 - what the drawn operation is made of
        self, seq: int, action: Action, key: str, to: str, job_id: str, live: list[str]
    ) -> Operation:
        source, _ = self.world.open()
        twins = [each for each in live if each != key and self.files[each] == self.files[key]]
        keeper = twins[0] if twins else None
        return operation(seq, action, source, key, source, to, job_id=job_id, keeper=keeper)

    @rule(data=st.data(), crashes=st.lists(st.integers(0, 40), max_size=2))
    def undo(self, data: st.DataObject, crashes: list[int]) -> None:
        """Some job is undone, perhaps not the last, perhaps not for the first time."""
        if not self.jobs:
            return
        target = data.draw(st.sampled_from(self.jobs))
        self.count += 1
        job_id = f"undo{self.count}"
        done = self.world.journal.operations(target)
        self.world.journal.begin(job_id, undo_operations(done, job_id=job_id), [])
        self._run(job_id, crashes, target)

    def _run(self, job_id: str, crashes: list[int], restore_of: str | None) -> None:
        before = {
            each.seq for each in self.world.journal.operations(job_id) if each.state == "done"
        }
        there = dict(self.files)
        for crash in crashes:
            try:
                self.world.work(job_id, steps=Steps(crash), restore_of=restore_of)
            except Crash:
                continue
        self.world.work(job_id, restore_of=restore_of)
        assert self.world.is_finished(job_id)
        fresh = [
            each
            for each in self.world.journal.operations(job_id)
            if each.state == "done" and each.seq not in before
        ]
        # In order, and again for those whose place came free only later: a resumed worker tries
        # them once more, when what stood in the way has gone.
        while done := [each for each in fresh if self._is_followed(each, there)]:
            fresh = [each for each in fresh if each not in done]
        self.files = there

    @staticmethod
    def _is_followed(each: Operation, there: dict[str, bytes]) -> bool:
        """Carry out one finished operation on the dict, unless it was no change or has to wait."""
        content = there.get(each.source_key)
        if content is None or hashlib.sha256(content).hexdigest() != each.sha256:
            return False
        if each.action == REMOVE:
            del there[each.source_key]
            assert content in there.values(), "the last copy was removed"
            return True
        if each.destination_key in there:
            return False
        there[each.destination_key] = content
        if each.action != Action.COPY:
            del there[each.source_key]
        return True

    @invariant()
    def storage_is_what_the_dict_says(self) -> None:
        """Names and bytes, the trash included; nothing of ours is left over."""
        assert contents(self.world.source_root) == self.files
        assert sum(hashes(self.world.source_root).values()) == len(self.files)
        assert debris(self.world.source_root) == []


class CopyingHistories(Histories):
    """The same where nothing can be renamed."""

    kind = CopyingStore


SHM = Path("/dev/shm")  # noqa: S108 - a memory disk, where there is one


@pytest.mark.parametrize("machine", [Histories, CopyingHistories])
def test_histories(machine: type[Histories], request: pytest.FixtureRequest) -> None:
    is_campaign = request.config.getoption("--campaign", default=False)
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=1000 if is_campaign else 25,
            stateful_step_count=50 if is_campaign else 12,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            derandomize=not is_campaign,
        ),
    )
