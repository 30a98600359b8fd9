"""How both doors append to an account's audit log: lock, read the last entry, insert the next."""

import secrets
from collections.abc import Mapping
from typing import Any

from sqlalchemy import TextClause, bindparam, text
from sqlalchemy.dialects.postgresql import BYTEA, UUID

from models.domain.audit import GENESIS, SALT_BYTES, AuditEntry, chained

LOCK_CHAIN: TextClause = text(
    "SELECT pg_advisory_xact_lock(hashtextextended('audit:' || :account_id, 0))"
)
"""Appends to one chain wait for each other until the commit. Parameter: account_id."""

LAST_ENTRY: TextClause = text("""
SELECT clock_timestamp() AS at, coalesce(max(seq), 0) AS last_seq,
       (SELECT hash FROM audit_log WHERE user_id = :account_id ORDER BY seq DESC LIMIT 1)
           AS last_hash
  FROM audit_log WHERE user_id = :account_id
""").bindparams(bindparam("account_id", type_=UUID(as_uuid=False)))
"""The end of a chain, and now. Parameter: account_id."""

APPEND_ENTRY: TextClause = text("""
INSERT INTO audit_log (user_id, seq, at, action, actor, target, ip, personal_salt,
                       personal_digest, previous_hash, hash)
VALUES (:account_id, :seq, :at, :action, :actor, :target, CAST(:ip AS inet), :personal_salt,
        :personal_digest, :previous_hash, :hash)
""").bindparams(
    bindparam("account_id", type_=UUID(as_uuid=False)), bindparam("personal_salt", type_=BYTEA())
)
"""Append an entry. Parameters: those of `next_entry`."""


def next_entry(
    account_id: str,
    action: str,
    last: Mapping[Any, Any],
    *,
    actor: str | None,
    target: str | None,
    ip: str | None,
) -> dict[str, Any]:
    """Return the parameters of `APPEND_ENTRY` after a row of `LAST_ENTRY`."""
    entry = chained(
        account_id,
        action,
        actor=actor,
        target=target,
        ip=ip,
        last_seq=last["last_seq"],
        last_hash=last["last_hash"] or GENESIS,
        at=last["at"],
        salt=secrets.token_bytes(SALT_BYTES),
    )
    names = AuditEntry.__dataclass_fields__
    return {"account_id": account_id} | {name: getattr(entry, name) for name in names}
