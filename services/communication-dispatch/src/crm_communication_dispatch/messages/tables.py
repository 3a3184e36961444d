"""The ledger: one row per recipient and channel, and beside it what was tried and what was said, append-only."""

from sqlalchemy import (
    Boolean,
    Column,
    DateTime,
    ForeignKeyConstraint,
    Index,
    Integer,
    Numeric,
    PrimaryKeyConstraint,
    SmallInteger,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB

from crm_communication_dispatch.metadata import metadata
from crm_shared.db.metadata import tenant_table

_SINGLE = "status IN ('queued', 'held') AND campaign_id IS NULL"
_BULK = "status IN ('queued', 'held') AND campaign_id IS NOT NULL"

message = tenant_table(
    "message",
    metadata,
    Column("id", Uuid(), nullable=False),
    Column("customer_id", Uuid()),  # null for a test send
    Column("channel", Text(), nullable=False),
    Column("purpose", Text(), nullable=False),
    Column("campaign_id", Uuid()),
    Column("step", Text(), nullable=False, server_default=""),
    Column("variant", Text()),
    Column("template_id", Uuid(), nullable=False),
    Column("template_number", Integer(), nullable=False),
    Column("variables", JSONB(), nullable=False),
    Column("language", Text()),
    Column("address", Text()),
    Column("subject", Text()),
    Column("status", Text(), nullable=False),
    Column("reason", Text()),
    Column("due_at", DateTime(timezone=True)),
    Column("expires_at", DateTime(timezone=True)),
    Column("attempts", SmallInteger(), nullable=False, server_default="0"),
    Column("coupon", Text(collation="C")),
    Column("consent_id", Uuid()),
    Column("explanation", JSONB(), nullable=False),
    Column("cost", Numeric(20, 6), nullable=False, server_default="0"),
    Column("currency", Text(), nullable=False),
    Column("created_by", Text(), nullable=False),
    Column("planned_at", DateTime(timezone=True), nullable=False),
    Column("sent_at", DateTime(timezone=True)),
    Column("ended_at", DateTime(timezone=True)),
    Column("version", Integer(), nullable=False, server_default="1"),
    PrimaryKeyConstraint("tenant_id", "id"),
    # A resumed or repeated planning run can't write to anybody twice.
    Index(
        "uq_message_recipient",
        "tenant_id", "campaign_id", "customer_id", "step", "channel",
        unique=True,
        postgresql_where="campaign_id IS NOT NULL",
    ),
    Index("uq_message_coupon", "tenant_id", "coupon", unique=True, postgresql_where="coupon IS NOT NULL"),
    # Single messages go before campaigns: each kind has an index of its own.
    Index("ix_message_due_single", "tenant_id", "channel", "due_at", postgresql_where=_SINGLE),
    Index("ix_message_due_bulk", "tenant_id", "channel", "due_at", postgresql_where=_BULK),
    Index("ix_message_attempting", "tenant_id", "id", postgresql_where="status = 'attempting'"),
    Index("ix_message_campaign", "tenant_id", "campaign_id", "status", postgresql_where="campaign_id IS NOT NULL"),
    Index("ix_message_customer", "tenant_id", "customer_id", "planned_at", "id"),
    Index("ix_message_pressure", "tenant_id", "customer_id", "sent_at", postgresql_where="sent_at IS NOT NULL"),
    Index("ix_message_listing", "tenant_id", "planned_at", "id"),
)  # fmt: skip

attempt = tenant_table(
    "attempt",
    metadata,
    Column("message_id", Uuid(), nullable=False),
    Column("number", SmallInteger(), nullable=False),
    Column("started_at", DateTime(timezone=True), nullable=False),
    Column("outcome", Text(), nullable=False),
    Column("fault", Text(), nullable=False),
    Column("code", SmallInteger()),
    Column("enhanced", Text()),
    Column("text", Text()),
    PrimaryKeyConstraint("tenant_id", "message_id", "number"),
    # No foreign key: attempts are written from their message's own row, and each check would be planned anew for each
    # row (plan_cache_mode=force_custom_plan reaches into the triggers).
)

receipt = tenant_table(
    "receipt",
    metadata,
    Column("id", Uuid(), nullable=False),
    Column("message_id", Uuid(), nullable=False),
    Column("kind", Text(), nullable=False),
    Column("applied", Boolean(), nullable=False),
    Column("enhanced", Text()),
    Column("detail", Text()),
    Column("received_at", DateTime(timezone=True), nullable=False),
    PrimaryKeyConstraint("tenant_id", "id"),
    ForeignKeyConstraint(["tenant_id", "message_id"], ["message.tenant_id", "message.id"], ondelete="CASCADE"),
    Index("ix_receipt_message", "tenant_id", "message_id", "id"),
)

# At most one sender works for a tenant and channel at a time: caps are counted without races, and after a crash
# whatever is `attempting` belongs to the sender whose lease has lapsed.
lane = tenant_table(
    "lane",
    metadata,
    Column("channel", Text(), nullable=False),
    Column("owner", Uuid(), nullable=False),
    Column("lease_until", DateTime(timezone=True), nullable=False),
    PrimaryKeyConstraint("tenant_id", "channel"),
)
