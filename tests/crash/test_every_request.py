"""P1 on object storage: the worker dies before every writing request and every record."""

from pathlib import Path

import pytest
from apply_world import Steps
from s3_cases import PLANS, Case

from storage.s3_calls import S3Calls

pytestmark = [pytest.mark.crash, pytest.mark.service]


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
