"""Campaigns; their recipients are rows of the message ledger."""

from sqlalchemy import Boolean, Column, DateTime, Index, Integer, Numeric, PrimaryKeyConstraint, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from crm_communication_dispatch.metadata import metadata
from crm_shared.db.metadata import tenant_table

campaign = tenant_table(
    "campaign",
    metadata,
    Column("id", Uuid(), nullable=False),
    Column("name", Text(), nullable=False),
    Column("purpose", Text(), nullable=False),
    Column("channel", Text(), nullable=False),
    Column("segment_id", Uuid(), nullable=False),
    Column("variants", JSONB(), nullable=False),
    Column("variables", JSONB(), nullable=False),
    Column("hold_out_percent", Integer(), nullable=False),
    Column("seed", Text(), nullable=False),
    Column("per_minute", Integer()),
    Column("expires_after_s", Integer(), nullable=False),
    Column("coupons", Boolean(), nullable=False),
    Column("response_rule", JSONB(), nullable=False),
    Column("status", Text(), nullable=False),
    Column("author", Text(), nullable=False),
    Column("approver", Text()),
    Column("review_note", Text()),
    Column("audience_id", Uuid()),
    Column("targeted", Integer()),
    Column("fixed_cost", Numeric(20, 6), nullable=False),
    Column("currency", Text(), nullable=False),
    Column("start_at", DateTime(timezone=True)),
    Column("started_at", DateTime(timezone=True)),
    Column("planned_at", DateTime(timezone=True)),
    Column("released_at", DateTime(timezone=True)),
    Column("finished_at", DateTime(timezone=True)),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
    Column("version", Integer(), nullable=False),
    PrimaryKeyConstraint("tenant_id", "id"),
    Index("ix_campaign_listing", "tenant_id", "created_at", "id"),
    Index("ix_campaign_segment", "tenant_id", "segment_id"),
)
