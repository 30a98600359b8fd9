"""Tags of an account and how many files carry them."""

from collections.abc import Iterable, Mapping

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, UUID
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.types import BigInteger, Text

from models.domain.errors import ConflictError

ACCOUNT = bindparam("account_id", type_=UUID(as_uuid=False))
NAMES = bindparam("names", type_=ARRAY(Text()))

LOCK = text("SELECT id FROM users WHERE id = :account_id FOR NO KEY UPDATE").bindparams(ACCOUNT)
"""Who counts tags of an account waits for others who do: no limit is passed, nobody deadlocks."""

ADD = text("""
INSERT INTO file_tags (user_id, tag_name)
SELECT :account_id, name FROM unnest(:names) AS name ORDER BY name
ON CONFLICT (user_id, tag_name) DO NOTHING
""").bindparams(ACCOUNT, NAMES)

CHANGE = text("""
UPDATE file_tags t SET usage_count = greatest(0, t.usage_count + news.uses)
  FROM unnest(:names, :uses) AS news (name, uses)
 WHERE t.user_id = :account_id AND t.tag_name = news.name AND news.uses <> 0
""").bindparams(ACCOUNT, NAMES, bindparam("uses", type_=ARRAY(BigInteger())))

COUNT = text("SELECT count(*) FROM file_tags WHERE user_id = :account_id").bindparams(ACCOUNT)


class TagLimitError(ConflictError):
    """More tags than the plan allows."""


async def use_tags(
    connection: AsyncConnection, account_id: str, uses: Mapping[str, int], limit: int | None
) -> None:
    """Count that so many files more (or fewer) carry tags; those that are new are made.

    Raises:
        TagLimitError: with the new ones there are more than the plan allows.
    """
    if not uses:
        return
    account = {"account_id": account_id}
    await connection.execute(LOCK, account)
    await add_tags(connection, account_id, [name for name, n in uses.items() if n > 0], limit)
    changed = {**account, "names": list(uses), "uses": list(uses.values())}
    await connection.execute(CHANGE, changed)


async def add_tags(
    connection: AsyncConnection, account_id: str, names: Iterable[str], limit: int | None
) -> None:
    """Make the tags that are not there yet; who calls holds the account's row.

    Raises:
        TagLimitError: with them there are more than the plan allows.
    """
    parameters = {"account_id": account_id, "names": list(names)}
    if not parameters["names"]:
        return
    made = (await connection.execute(ADD, parameters)).rowcount
    if not made or limit is None:
        return
    there = (await connection.execute(COUNT, {"account_id": account_id})).scalar_one()
    if there > limit:
        raise TagLimitError(f"the plan allows {limit} tags")
