"""What accounts said contents are: corrections that classifiers learn from."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert

from models.domain.taxonomy import Correction
from models.tables.base import table_of
from models.tables.search import ContentLabelRow
from tasks.ledger.database import Database

LABELS = table_of(ContentLabelRow)


class Labels(Database):
    """The part of the ledger that knows what people corrected."""

    def label(
        self, account_id: str, corrections: Sequence[Correction], *, source: str = "review"
    ) -> int:
        """Store corrections and return how many say something new; of a content the last counts.

        Raises:
            ConflictError: there is no such account, or no such source.
        """
        newest = {each.sha256: each for each in corrections}
        if not newest:
            return 0
        rows = [
            {
                "user_id": account_id,
                "sha256": each.sha256,
                "category": each.category,
                "subcategory": each.subcategory,
                "source": source,
            }
            for each in newest.values()
        ]
        change = insert(LABELS).values(rows)
        said = change.excluded
        statement = change.on_conflict_do_update(
            index_elements=["user_id", "sha256"],
            set_={
                "category": said.category,
                "subcategory": said.subcategory,
                "source": said.source,
                "labeled_at": func.now(),
            },
            where=(LABELS.c.category != said.category)
            | LABELS.c.subcategory.is_distinct_from(said.subcategory),
        ).returning(LABELS.c.sha256)
        with self._transaction() as connection:
            return len(connection.execute(statement).all())

    def labels(self, account_id: str | None) -> list[Correction]:
        """Return an account's corrections, sorted by content; nobody has none."""
        if account_id is None:
            return []
        query = (
            select(LABELS.c.sha256, LABELS.c.category, LABELS.c.subcategory)
            .where(LABELS.c.user_id == account_id)
            .order_by(LABELS.c.sha256)
        )
        with self._transaction() as connection:
            rows: Any = connection.execute(query).mappings()
            return [Correction(**row) for row in rows]

    def unlabel(self, account_id: str, contents: Sequence[str]) -> int:
        """Forget what was said of contents and return of how many something was."""
        change = delete(LABELS).where(
            LABELS.c.user_id == account_id, LABELS.c.sha256.in_(list(contents))
        )
        with self._transaction() as connection:
            return connection.execute(change).rowcount
