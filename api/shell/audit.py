"""What was done is written with what did it: entries of an account's audit log."""

from sqlalchemy.ext.asyncio import AsyncConnection

from api.shell.client import Client
from models.tables.auditing import APPEND_ENTRY, LAST_ENTRY, LOCK_CHAIN, next_entry
from models.tables.translation import translated


async def record(
    connection: AsyncConnection,
    account_id: str,
    action: str,
    *,
    client: Client | None = None,
    target: str | None = None,
    actor: str | None = None,
) -> None:
    """Append an entry to an account's audit log, in the caller's transaction.

    Call it late: other entries of the account wait until the commit.

    Args:
        connection: a transaction of the account, or of the system.
        account_id: whose log it is.
        action: what was done, `noun.verb`; those of accounts are `AuditAction`.
        client: from where.
        target: what it was done to, an id; never a name of a file.
        actor: who did it; the account itself unless said.
    """
    with translated():
        await connection.execute(LOCK_CHAIN, {"account_id": account_id})
        last = (await connection.execute(LAST_ENTRY, {"account_id": account_id})).mappings().one()
        entry = next_entry(
            account_id,
            action,
            last,
            actor=actor or account_id,
            target=target,
            ip=client.ip if client else None,
        )
        await connection.execute(APPEND_ENTRY, entry)
