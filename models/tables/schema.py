"""All tables together: what migrations are compared with and documentation is made from."""

from typing import Any

from sqlalchemy import MetaData

from models.tables.accounts import ApiKeyRow, SubscriptionRow, UserRow
from models.tables.analytics import AnalyticsEventRow
from models.tables.base import Base
from models.tables.duplicates import (
    DuplicateDecisionRow,
    DuplicateGroupRow,
    DuplicateMemberRow,
)
from models.tables.files import FileRow, FileTagRow
from models.tables.idempotency import IdempotencyKeyRow
from models.tables.jobs import JobEventRow, OrganizationJobRow, OrganizationPlanRow, OutboxEventRow
from models.tables.journal import JournalFolderRow, OrganizationOperationRow
from models.tables.keeping import (
    AuditLogRow,
    ConsentRow,
    DeletionRequestRow,
    ExportRow,
    PreferencesRow,
)
from models.tables.mail import OutgoingMailRow
from models.tables.notifications import (
    DuplicateIgnoreRow,
    FeedbackRow,
    NotificationPreferenceRow,
    NotificationRow,
)
from models.tables.organizing import ConnectionRow, FolderStyleRow, RuleRow, ScheduleRow
from models.tables.roots import StorageRootRow
from models.tables.search import ContentLabelRow, ContentTextRow, SearchDocumentRow
from models.tables.sessions import (
    AuthSessionRow,
    MfaFactorRow,
    OneTimeTokenRow,
    RecoveryCodeRow,
)
from models.tables.sweeps import JobShardRow, SweepRow
from models.tables.uploads import (
    FileCountRow,
    StorageLedgerRow,
    StorageReservationRow,
    UploadSessionRow,
    UsageCounterRow,
)

METADATA: MetaData = Base.metadata

SPECIFIED: tuple[type[Base], ...] = (
    UserRow,
    SubscriptionRow,
    FileRow,
    OrganizationJobRow,
    FileTagRow,
    AnalyticsEventRow,
    ApiKeyRow,
)
"""The seven tables of the specification, in its order."""

PIPELINE: tuple[type[Base], ...] = (
    StorageRootRow,
    OrganizationPlanRow,
    OrganizationOperationRow,
    JournalFolderRow,
    JobEventRow,
    OutboxEventRow,
    DuplicateGroupRow,
    DuplicateMemberRow,
    DuplicateDecisionRow,
    ContentLabelRow,
    ContentTextRow,
    SearchDocumentRow,
    ConnectionRow,
    RuleRow,
    ScheduleRow,
    FolderStyleRow,
    SweepRow,
    JobShardRow,
)
"""The tables of the pipeline."""

ACCOUNTS: tuple[type[Base], ...] = (
    IdempotencyKeyRow,
    AuthSessionRow,
    MfaFactorRow,
    RecoveryCodeRow,
    OneTimeTokenRow,
    OutgoingMailRow,
    AuditLogRow,
    PreferencesRow,
    ConsentRow,
    ExportRow,
    DeletionRequestRow,
)
"""The tables of accounts: signing in, mail, and what is kept about people."""

UPLOADS: tuple[type[Base], ...] = (
    UploadSessionRow,
    StorageReservationRow,
    StorageLedgerRow,
    UsageCounterRow,
    FileCountRow,
)
"""The tables of uploads: sessions, promises, and what is stored and used."""
ASIDE: tuple[type[Base], ...] = (
    DuplicateIgnoreRow,
    NotificationRow,
    NotificationPreferenceRow,
    FeedbackRow,
)
"""Tables of what people are told, and of what they say."""

_PARTITION_PREFIX = "analytics_events_"


def is_described(name: str | None, kind: str, _parents: Any) -> bool:
    """Return whether something in a database is for these tables to describe.

    Partitions are not: time makes them, no revision does. Alembic's `include_name`.
    """
    return kind != "table" or name is None or not name.startswith(_PARTITION_PREFIX)


COMPARISON: dict[str, Any] = {
    "target_metadata": METADATA,
    "include_name": is_described,
    "compare_type": True,
    "compare_server_default": True,
}
"""How Alembic compares a database with these tables."""
