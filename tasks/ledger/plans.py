"""Plans and their approval: nothing is applied that nobody approved."""

from sqlalchemy import Connection, RowMapping, desc, func, select, update
from sqlalchemy.dialects.postgresql import insert

from models.domain.errors import ConflictError, ForbiddenError, MissingError
from models.domain.plans import ApprovedPlan, Plan
from models.tables.base import table_of
from models.tables.jobs import OrganizationPlanRow
from models.tables.mapping import plan_from, plan_values
from tasks.ledger.jobs import JOBS, Jobs

PLANS = table_of(OrganizationPlanRow)


class Plans(Jobs):
    """The part of the ledger that knows what was shown and what was agreed to."""

    def save_plan(self, plan: Plan) -> None:
        """Store a plan; the newest of a job is the one that counts.

        The same plan again changes nothing.

        Raises:
            MissingError: there is no such job.
            ConflictError: another plan has this id.
        """
        with self._transaction() as connection:
            self._locked(connection, plan.job_id)
            values = plan_values(plan)
            change = insert(PLANS).values(values).on_conflict_do_nothing(index_elements=["id"])
            if connection.execute(change.returning(PLANS.c.id)).one_or_none() is None:
                found = self._plan_row(connection, plan.id)
                if plan_from(found).plan_hash != plan.plan_hash:
                    raise ConflictError(f"plan {plan.id} exists with other moves")
                return
            change = update(JOBS).where(JOBS.c.id == plan.job_id)
            connection.execute(change.values(plan_hash=plan.plan_hash))

    def plan(self, plan_id: str) -> Plan:
        """Return a plan.

        Raises:
            MissingError: there is no such plan.
        """
        with self._transaction() as connection:
            return plan_from(self._plan_row(connection, plan_id))

    def plan_of_job(self, job_id: str) -> Plan:
        """Return the newest plan of a job.

        Raises:
            MissingError: it has none, or there is no such job.
        """
        with self._transaction() as connection:
            return plan_from(self._newest(connection, job_id))

    def approve(self, plan_id: str, by: str) -> ApprovedPlan:
        """Approve a plan; of a failed or canceled job, this asks for a new attempt.

        A plan that is approved stays as first approved.

        Args:
            plan_id: the plan as it was shown.
            by: who approves, in words or as an account's id.

        Raises:
            MissingError: there is no such plan.
            ConflictError: a newer plan of the job took its place, or the job is done.
        """
        with self._transaction() as connection:
            job_id = self._plan_row(connection, plan_id)["job_id"]
            job = self._locked(connection, job_id)
            newest = self._newest(connection, job_id)
            if newest["id"] != plan_id:
                raise ConflictError(f"plan {plan_id} was replaced by {newest['id']}")
            self._ask_again(connection, job)
            change = update(PLANS).where(PLANS.c.id == plan_id, PLANS.c.approved_at.is_(None))
            connection.execute(change.values(approved_by=by, approved_at=func.now()))
            return _approved(self._plan_row(connection, plan_id))

    def approved_plan(self, job_id: str) -> ApprovedPlan:
        """Return the newest plan of a job with its approval.

        Raises:
            MissingError: the job has no plan, or there is no such job.
            ForbiddenError: nobody approved it.
        """
        with self._transaction() as connection:
            return _approved(self._newest(connection, job_id))

    @staticmethod
    def _plan_row(connection: Connection, plan_id: str) -> RowMapping:
        query = select(PLANS).where(PLANS.c.id == plan_id)
        row = connection.execute(query).mappings().one_or_none()
        if row is None:
            raise MissingError(f"there is no plan {plan_id}")
        return row

    @staticmethod
    def _newest(connection: Connection, job_id: str) -> RowMapping:
        query = (
            select(PLANS).where(PLANS.c.job_id == job_id).order_by(desc(PLANS.c.saved_at)).limit(1)
        )
        row = connection.execute(query).mappings().one_or_none()
        if row is None:
            raise MissingError(f"job {job_id} has no plan")
        return row


def _approved(row: RowMapping) -> ApprovedPlan:
    """Return a plan with its approval.

    Raises:
        ForbiddenError: there is none.
    """
    if row["approved_at"] is None:
        raise ForbiddenError(
            f"plan {row['id']} waits for its approval: `fileorganizer apply {row['id']}`"
        )
    return ApprovedPlan(
        plan=plan_from(row), approved_by=row["approved_by"], approved_at=row["approved_at"]
    )
