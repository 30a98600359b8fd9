"""What people decided of contents."""

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert

from models.domain.decisions import Decision, Decisions, holding
from models.domain.errors import MissingError
from models.tables.base import table_of
from models.tables.duplicates import DuplicateDecisionRow
from models.tables.mapping import decision_from, decision_values
from tasks.ledger.database import Database

DECISIONS = table_of(DuplicateDecisionRow)


class Decided(Database):
    """The part of the ledger that knows what people decided of contents."""

    def decide(self, account_id: str, decision: Decision) -> None:
        """Store a decision; decided again, its note and its file are the newest ones.

        Raises:
            ConflictError: there is no such account.
        """
        values = {"user_id": account_id, **decision_values(decision)}
        change = insert(DECISIONS).values(values)
        newest = {name: change.excluded[name] for name in ("kept_key", "note")}
        with self._transaction() as connection:
            connection.execute(
                change.on_conflict_do_update(
                    index_elements=["user_id", "sha256", "other_sha256"],
                    set_={**newest, "decided_at": func.now()},
                )
            )

    def decisions(self, account_id: str) -> list[Decision]:
        """Return an account's decisions, the newest first."""
        query = (
            select(DECISIONS)
            .where(DECISIONS.c.user_id == account_id)
            .order_by(DECISIONS.c.decided_at.desc(), DECISIONS.c.sha256, DECISIONS.c.other_sha256)
        )
        with self._transaction() as connection:
            return [decision_from(row) for row in connection.execute(query).mappings()]

    def decisions_of(self, account_id: str | None) -> Decisions:
        """Return what an account's decisions come to; nobody's job has none."""
        return holding(self.decisions(account_id)) if account_id else Decisions()

    def take_back(self, account_id: str, decision: Decision) -> None:
        """Forget a decision.

        Raises:
            MissingError: it was never decided, or is taken back already.
        """
        change = delete(DECISIONS).where(
            DECISIONS.c.user_id == account_id,
            DECISIONS.c.sha256 == decision.sha256,
            DECISIONS.c.other_sha256 == decision.other_sha256,
        )
        with self._transaction() as connection:
            if connection.execute(change).rowcount == 0:
                raise MissingError(f"there is no decision {decision.name}")
