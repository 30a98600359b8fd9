"""The audit log: a chain of hashes for each account, which erasure does not break.

Each entry's hash covers the one before, so that an entry that was changed, removed or put in
between shows. What is personal (actor, target, address) enters by a salted digest: once salt and
values are erased, the chain still verifies and the values cannot be guessed from it.
"""

import hashlib
import hmac
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

GENESIS = "0" * 64
"""Hash before the first entry."""

SALT_BYTES = 16


class AuditAction(StrEnum):
    """What is recorded of accounts; other rooms record actions of their own."""

    REGISTERED = "account.registered"
    EMAIL_VERIFIED = "account.email_verified"
    EMAIL_CHANGE_ASKED = "account.email_change_asked"
    EMAIL_CHANGED = "account.email_changed"
    PROFILE_CHANGED = "account.profile_changed"
    PASSWORD_CHANGED = "account.password_changed"  # noqa: S105 - an action's name
    PASSWORD_RESET = "account.password_reset"  # noqa: S105 - an action's name
    SIGNED_IN = "session.signed_in"
    SIGN_IN_FAILED = "session.sign_in_failed"
    SIGNED_OUT = "session.signed_out"
    SIGNED_OUT_EVERYWHERE = "session.signed_out_everywhere"
    SESSION_REVOKED = "session.revoked"
    REFRESH_REUSED = "session.refresh_reused"
    STEPPED_UP = "session.stepped_up"
    MFA_ENABLED = "mfa.enabled"
    MFA_DISABLED = "mfa.disabled"
    RECOVERY_CODES_MADE = "mfa.recovery_codes_made"
    CODE_FAILED = "mfa.code_failed"
    RECOVERY_CODE_USED = "mfa.recovery_code_used"
    PREFERENCES_CHANGED = "account.preferences_changed"
    CONSENT_CHANGED = "account.consent_changed"
    EXPORT_REQUESTED = "account.export_requested"
    EXPORT_DOWNLOADED = "account.export_downloaded"
    DELETION_REQUESTED = "account.deletion_requested"
    DELETION_CANCELED = "account.deletion_canceled"
    ERASED = "account.erased"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One entry of an account's chain.

    Attributes:
        seq: from 1, without gaps within an account.
        actor: who did it: an account id, `system`, or None after erasure.
        target: what it was done to.
        ip: from where.
        personal_salt: random; None after erasure.
        personal_digest: `digest_of_personal` at the time of writing.
        previous_hash: hash of the entry before, `GENESIS` for the first.
        hash: `hash_of` this entry.
    """

    seq: int
    at: datetime
    action: str
    actor: str | None
    target: str | None
    ip: str | None
    personal_salt: bytes | None
    personal_digest: str
    previous_hash: str
    hash: str


def digest_of_personal(
    salt: bytes, *, actor: str | None, target: str | None, ip: str | None
) -> str:
    """Return the digest by which personal values enter the chain, 64 hexadecimal digits."""
    said = json.dumps([actor, target, ip], ensure_ascii=False).encode()
    return hmac.new(salt, said, hashlib.sha256).hexdigest()


def hash_of(
    *,
    account_id: str,
    seq: int,
    at: datetime,
    action: str,
    personal_digest: str,
    previous_hash: str,
) -> str:
    """Return the hash of an entry, 64 hexadecimal digits."""
    moment = at.astimezone(UTC).isoformat(timespec="microseconds")
    said = json.dumps([previous_hash, account_id, seq, moment, action, personal_digest])
    return hashlib.sha256(said.encode()).hexdigest()


def first_break(account_id: str, entries: Iterable[AuditEntry]) -> int | None:
    """Return the `seq` of the first entry that does not fit its chain; None where all do.

    Args:
        account_id: whose chain it is.
        entries: all of it, by `seq`.
    """
    previous, expected = GENESIS, 1
    for entry in entries:
        found = hash_of(
            account_id=account_id,
            seq=entry.seq,
            at=entry.at,
            action=entry.action,
            personal_digest=entry.personal_digest,
            previous_hash=previous,
        )
        if entry.seq != expected or entry.previous_hash != previous or entry.hash != found:
            return expected
        if entry.personal_salt is not None and not _is_told_truly(entry):
            return expected
        previous, expected = entry.hash, expected + 1
    return None


def _is_told_truly(entry: AuditEntry) -> bool:
    digest = digest_of_personal(
        entry.personal_salt or b"", actor=entry.actor, target=entry.target, ip=entry.ip
    )
    return digest == entry.personal_digest


def chained(
    account_id: str,
    action: str,
    *,
    actor: str | None,
    target: str | None = None,
    ip: str | None = None,
    last_seq: int,
    last_hash: str,
    at: datetime,
    salt: bytes,
) -> AuditEntry:
    """Return the entry that follows the last one of an account's chain.

    Args:
        account_id: whose chain it is.
        action: what was done.
        actor: who did it.
        target: what it was done to.
        ip: from where.
        last_seq: of the entry before, 0 when there is none.
        last_hash: of the entry before, `GENESIS` when there is none.
        at: aware; not before the entry before.
        salt: `SALT_BYTES` random bytes.
    """
    digest = digest_of_personal(salt, actor=actor, target=target, ip=ip)
    found = hash_of(
        account_id=account_id,
        seq=last_seq + 1,
        at=at,
        action=action,
        personal_digest=digest,
        previous_hash=last_hash,
    )
    return AuditEntry(
        seq=last_seq + 1,
        at=at,
        action=action,
        actor=actor,
        target=target,
        ip=ip,
        personal_salt=salt,
        personal_digest=digest,
        previous_hash=last_hash,
        hash=found,
    )
