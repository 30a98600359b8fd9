"""What operators see of a run in the Prefect UI: counts and bytes, never names of files."""

from dataclasses import asdict
from typing import Any

from models.domain.plans import Plan
from tasks.lifecycle.sweep_units import TenantProgress


def plan_table(plan: Plan) -> None:
    """Publish a plan's totals, one row each, under the key of its job."""
    from prefect.artifacts import create_table_artifact

    rows = [{"what": name, "value": value} for name, value in asdict(plan.totals).items()]
    rows.append({"what": "plan_hash", "value": plan.plan_hash})
    create_table_artifact(
        key=f"plan-{plan.job_id[:8]}",
        table=rows,
        description=f"Plan {plan.id}: {plan.options.what}",
    )


def job_table(job_id: str, facts: dict[str, Any]) -> None:
    """Publish what a job did, one row a fact, under the key of the job."""
    from prefect.artifacts import create_table_artifact

    create_table_artifact(
        key=f"job-{job_id[:8]}",
        table=[{"what": name, "value": value} for name, value in facts.items()],
        description=f"Job {job_id}",
    )


def counts_table(what: str, results: dict[str, Any], *, by: str = "root") -> None:
    """Publish counts by root, or by something else, one row each."""
    from prefect.artifacts import create_table_artifact

    rows = [
        {by: root_id, **(facts if isinstance(facts, dict) else {"result": facts})}
        for root_id, facts in results.items()
    ]
    create_table_artifact(key=what, table=rows, description=f"{what}, by {by}")


def sweep_table(sweep_id: str, progress: list[TenantProgress]) -> None:
    """Publish how far a visit to all roots is, one row an account, under the key of the sweep."""
    from prefect.artifacts import create_table_artifact

    rows = [asdict(each) for each in progress]
    done = sum(each.done + each.failed for each in progress)
    create_table_artifact(
        key=f"sweep-{sweep_id[:8]}",
        table=rows,
        description=f"Visit {sweep_id}: {done} of {sum(each.roots for each in progress)} roots",
    )


class ProgressArtifact:
    """A progress bar in the Prefect UI, moved at batch boundaries."""

    def __init__(self, job_id: str, what: str) -> None:
        from prefect.artifacts import create_progress_artifact

        created = create_progress_artifact(
            0.0, key=f"progress-{job_id[:8]}", description=f"{what} of job {job_id}"
        )
        self._id: Any = created

    def move_to(self, ratio: float) -> None:
        """Show `ratio` in [0, 1]."""
        from prefect.artifacts import update_progress_artifact

        update_progress_artifact(artifact_id=self._id, progress=round(100 * ratio, 1))
