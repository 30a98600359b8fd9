"""Events for analytics, partitioned by month."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, text
from sqlalchemy.dialects.postgresql import INET, UUID
from sqlalchemy.orm import Mapped, mapped_column

from models.tables.base import Base, reference


class AnalyticsEventRow(Base):
    """One event."""

    __tablename__ = "analytics_events"
    __table_args__ = (
        Index("idx_analytics_user", "user_id"),
        Index("idx_analytics_user_recent", "user_id", text("created_at DESC"), text("id DESC")),
        Index("idx_analytics_type", "event_type"),
        Index("idx_analytics_created", text("created_at DESC")),
        {
            "comment": "What people do, partitioned by month (`ensure_analytics_partitions` makes "
            "coming months; the default partition takes what has none).",
            "postgresql_partition_by": "RANGE (created_at)",
        },
    )

    id: Mapped[str] = mapped_column(
        UUID(as_uuid=False),
        primary_key=True,
        server_default=text("gen_random_uuid()"),
        comment="Identity.",
    )
    user_id: Mapped[str | None] = reference(
        "Whose it is; null once the account is gone.", ForeignKey("users.id", ondelete="SET NULL")
    )
    event_type: Mapped[str] = mapped_column(String(100), comment="What happened.")
    event_data: Mapped[dict[str, Any]] = mapped_column(
        server_default=text("'{}'::jsonb"), comment="Details of it."
    )
    ip_address: Mapped[str | None] = mapped_column(
        INET(), comment="Address; truncated after 30 days, null after erasure."
    )
    user_agent: Mapped[str | None] = mapped_column(comment="Program; null after erasure.")
    created_at: Mapped[datetime] = mapped_column(
        primary_key=True,
        server_default=text("CURRENT_TIMESTAMP"),
        comment="When it happened; part of the key because partitions are by it.",
    )
