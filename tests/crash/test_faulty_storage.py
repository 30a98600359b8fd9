"""P6: an S3 that fails a fifth of all requests, in six ways; no job loses, doubles or lies."""

import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from apply_world import STAGING
from faulty_proxy import FAULTS, FaultyProxy
from s3_cases import PLANS, Case
from scenario_worlds import Arena, with_calls

from models.domain.errors import BusyError
from models.domain.operations import OPEN
from storage.s3_calls import S3Calls

pytestmark = [pytest.mark.crash, pytest.mark.service]

JOBS = 12
"""In the suite; the campaign has the 1,000 of P6."""
SHARE = 0.2
PATIENCE_S = 0.5
"""Longest silence of the server that the client bears here; a minute in use."""
LIVES = 60
"""Runs of one job; each takes up what the last one left."""


class Ordeal:
    """Jobs prepared and judged through a good connection, carried out through the bad one."""

    def __init__(self, folder: Path, bucket: str, good: S3Calls, bad: S3Calls) -> None:
        self.folder, self.bucket, self.good, self.bad = folder, bucket, good, bad

    def run(self, number: int) -> int:
        """Prepare, carry out and judge one job; return how many runs it took."""
        case = Case(self.folder, self.bucket, self.good, sorted(PLANS)[number % len(PLANS)])
        arena, job_id = case.arena()
        before = arena.hashes()
        self._connect(arena, self.bad)
        lives = next(life for life in range(1, LIVES + 1) if self._is_done(arena, job_id))
        self._connect(arena, self.good)
        arena.work(job_id)
        assert arena.states(job_id) == PLANS[case.plan]
        expected = before + (Counter([b"alpha"]) if case.plan == "copy" else Counter())
        assert arena.hashes() == expected
        roots = (arena.source, arena.target)
        names = [name for root in roots for name in self._names(root.store.url)]
        assert [name for name in names if f"/{STAGING}" in name] == []
        return lives

    def _is_done(self, arena: Arena, job_id: str) -> bool:
        """Let one worker try; whatever stops it must say that trying again helps."""
        try:
            arena.work(job_id)
        except BusyError:
            return False
        return not arena.journal.operations(job_id, states=sorted(OPEN))

    def _names(self, url: str) -> list[str]:
        prefix = url.split("/", 3)[3]
        found = self.good.call("list_objects_v2", Bucket=self.bucket, Prefix=f"{prefix}/")
        return [entry["Key"] for entry in found.get("Contents", ())]

    @staticmethod
    def _connect(arena: Arena, calls: S3Calls) -> None:
        for root in (arena.source, arena.target):
            root.store = with_calls(root.store, calls)


@pytest.mark.timeout(3600)
def test_jobs_outlive_a_storage_that_fails_a_fifth_of_requests(
    tmp_path: Path,
    s3_bucket: str,
    s3_calls: S3Calls,
    request: pytest.FixtureRequest,
) -> None:
    is_campaign = request.config.getoption("--campaign", default=False)
    jobs, threads = (1000, 16) if is_campaign else (JOBS, 8)
    port = urlsplit(str(s3_calls.endpoint_url)).port
    assert port is not None
    seed = int.from_bytes(os.urandom(4)) if is_campaign else 6
    proxy = FaultyProxy(port, seed=seed, share=SHARE, silence_s=PATIENCE_S * 4)
    with proxy.served() as url:
        bad = S3Calls(url, read_timeout_s=PATIENCE_S)
        ordeal = Ordeal(tmp_path, s3_bucket, s3_calls, bad)
        try:
            with ThreadPoolExecutor(threads) as pool:
                lives = Counter(pool.map(ordeal.run, range(jobs)))
        finally:
            bad.close()
    assert all(proxy.counts[fault] for fault in FAULTS)
    print(f"{jobs} jobs, seed {seed}: runs a job {dict(sorted(lives.items()))}, {proxy.counts}")
