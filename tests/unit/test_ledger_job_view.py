"""A job as its readers see it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.domain.job_view import estimated_completion, job_view, percent
from models.domain.jobs import Job, JobKind, JobStatus

START = datetime(2026, 1, 19, 10, 0, tzinfo=UTC)
JOB = Job(
    id="00000000-0000-0000-0000-000000000009",
    kind=JobKind.ORGANIZE,
    account_id="00000000-0000-0000-0000-000000000001",
    status=JobStatus.RUNNING,
    source_url="file:///in",
    destination_url="file:///out",
    source_root_id="r1",
    destination_root_id="r2",
    started_at=START,
    running_since=START,
    created_at=START,
)


def test_has_the_fields_of_the_specification_and_the_totals():
    specified = (
        "id status progress files_processed files_moved duplicates_found errors_count "
        "started_at estimated_completion created_at files_total bytes_total"
    )
    assert set(specified.split()) <= set(job_view(JOB))


def test_times_are_written_as_the_specification_writes_them():
    assert job_view(JOB)["started_at"] == "2026-01-19T10:00:00Z"
    assert job_view(JOB)["completed_at"] is None


def test_half_done_after_ten_minutes_ends_after_twenty():
    job = replace(JOB, progress_ratio=0.5, progress_at=START + timedelta(minutes=10))
    assert estimated_completion(job) == START + timedelta(minutes=20)


def test_a_wait_for_approval_does_not_slow_the_rate():
    resumed = START + timedelta(hours=5)
    job = replace(
        JOB,
        running_since=resumed,
        running_from_ratio=0.6,
        progress_ratio=0.8,
        progress_at=resumed + timedelta(minutes=1),
    )
    assert estimated_completion(job) == resumed + timedelta(minutes=2)


@pytest.mark.parametrize(
    "job",
    [
        replace(JOB, progress_ratio=0.049, progress_at=START + timedelta(minutes=1)),
        replace(JOB, progress_ratio=0.5, progress_at=None),
        replace(JOB, progress_ratio=0.5, progress_at=START, status=JobStatus.FAILED),
        replace(JOB, progress_ratio=0.5, running_from_ratio=0.5, progress_at=START),
    ],
    ids=["below 5 %", "never told", "not running", "no progress since it began"],
)
def test_says_no_time_that_it_cannot_know(job):
    assert job_view(job)["estimated_completion"] is None


@given(st.floats(0, 1), st.floats(0, 1), st.sampled_from(JobStatus))
def test_percent_never_falls_and_is_whole_only_when_completed(one, other, status):
    low, high = sorted((one, other))
    before = percent(replace(JOB, progress_ratio=low, status=status))
    after = percent(replace(JOB, progress_ratio=high, status=status))
    assert 0 <= before <= after <= 100
    whole = {JobStatus.COMPLETED, JobStatus.COMPLETED_WITH_ERRORS, JobStatus.UNDONE}
    assert (after == 100) == (high == 1 and status in whole)
