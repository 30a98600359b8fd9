"""Texts of contents, read once whoever has them."""

from collections.abc import Sequence

from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import insert

from models.domain.search import TEXT_VERSION, ContentText
from models.tables.base import table_of
from models.tables.search import ContentTextRow
from tasks.ledger.database import Database

TEXTS = table_of(ContentTextRow)

_NAMES = ("sha256", "version", "title", "sample", "characters", "problem")

_FORGET = text("""
DELETE FROM content_texts t
 WHERE NOT EXISTS (SELECT FROM files f WHERE f.sha256_hash = t.sha256)""")


class Texts(Database):
    """The part of the ledger that knows what contents say."""

    def unread(self, contents: Sequence[str], *, version: int = TEXT_VERSION) -> list[str]:
        """Return those of some contents whose text was not read yet by a version, sorted."""
        known = select(TEXTS.c.sha256).where(
            TEXTS.c.sha256 == func.any(list(contents)), TEXTS.c.version >= version
        )
        with self._transaction() as connection:
            found = set(connection.execute(known).scalars())
        return sorted(set(contents) - found)

    def keep_texts(self, texts: Sequence[ContentText]) -> int:
        """Store texts and return how many; of a content that is there already the newest stays."""
        rows = [{name: getattr(each, name) for name in _NAMES} for each in texts]
        if not rows:
            return 0
        change = insert(TEXTS).values(rows)
        newer = {name: change.excluded[name] for name in _NAMES[1:]}
        with self._transaction() as connection:
            connection.execute(change.on_conflict_do_update(index_elements=["sha256"], set_=newer))
        return len(rows)

    def texts(self, contents: Sequence[str]) -> dict[str, ContentText]:
        """Return the texts of some contents, by content; those never read are not there."""
        columns = [TEXTS.c[name] for name in _NAMES]
        query = select(*columns).where(TEXTS.c.sha256 == func.any(list(contents)))
        with self._transaction() as connection:
            rows = connection.execute(query).mappings().all()
        return {row["sha256"]: ContentText(**row) for row in rows}

    def forget_texts(self) -> int:
        """Remove texts of contents that no file has any more; returns how many."""
        with self._transaction() as connection:
            return connection.execute(_FORGET).rowcount
