"""Deals, the leads that became them, and every step between stages."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    Date,
    DateTime,
    ForeignKeyConstraint,
    Index,
    Integer,
    Numeric,
    PrimaryKeyConstraint,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB

from crm_sales_pipeline.metadata import METADATA
from crm_shared.db.metadata import tenant_table

deal = tenant_table(
    "deal",
    METADATA,
    Column("id", Uuid(), nullable=False),
    Column("pipeline_id", Uuid(), nullable=False),
    Column("stage", Text(collation="C"), nullable=False),
    Column("canonical", Text(collation="C"), nullable=False),
    Column("name", Text(), nullable=False),
    Column("customer_id", Uuid(), nullable=False),
    Column("contact_id", Uuid()),
    Column("owner_id", Uuid()),
    Column("partner", Text(collation="C")),
    Column("channel", Text(collation="C")),
    Column("source", Text(collation="C")),
    Column("campaign_id", Uuid()),
    Column("lead_id", Uuid()),
    Column("amount", Numeric()),
    Column("currency", Text(collation="C")),
    Column("expected_close_on", Date()),
    Column("probability_manual", Numeric()),
    Column("probability_model", Numeric()),
    Column("fields", JSONB(), nullable=False),
    Column("opened_at", DateTime(timezone=True), nullable=False),
    Column("stage_entered_at", DateTime(timezone=True), nullable=False),
    Column("closed_at", DateTime(timezone=True)),
    Column("lost_reason", Text()),
    Column("competitor", Text()),
    Column("orders", Integer(), nullable=False),
    Column("version", Integer(), nullable=False),
    PrimaryKeyConstraint("tenant_id", "id"),
    ForeignKeyConstraint(
        ["tenant_id", "pipeline_id", "stage"], ["stage.tenant_id", "stage.pipeline_id", "stage.key"]
    ),
    Index("ix_deal_opened_at", "tenant_id", "opened_at", "id"),
    Index("ix_deal_owner_id", "tenant_id", "owner_id", "opened_at"),
    Index("ix_deal_stage", "tenant_id", "pipeline_id", "stage", "opened_at"),
    Index("ix_deal_customer_id", "tenant_id", "customer_id"),
    Index("ix_deal_campaign_id", "tenant_id", "campaign_id"),
    Index("ix_deal_partner", "tenant_id", "partner", "opened_at", postgresql_where="partner IS NOT NULL"),
    CheckConstraint("(amount IS NULL) = (currency IS NULL)", name="amount"),
    CheckConstraint("(canonical IN ('won', 'lost')) = (closed_at IS NOT NULL)", name="closed"),
    CheckConstraint("(canonical = 'lost') = (lost_reason IS NOT NULL)", name="lost"),
    CheckConstraint("canonical <> 'lost' OR orders = 0", name="lost_without_order"),
)

deal_lead = tenant_table(
    "deal_lead",
    METADATA,
    Column("lead_id", Uuid(), nullable=False),
    Column("deal_id", Uuid(), nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    PrimaryKeyConstraint("tenant_id", "lead_id"),
    ForeignKeyConstraint(["tenant_id", "deal_id"], ["deal.tenant_id", "deal.id"]),
    ForeignKeyConstraint(["tenant_id", "lead_id"], ["lead.tenant_id", "lead.id"]),
    Index("ix_deal_lead_deal_id", "tenant_id", "deal_id"),
)

deal_transition = tenant_table(
    "deal_transition",
    METADATA,
    Column("id", Uuid(), nullable=False),
    Column("deal_id", Uuid(), nullable=False),
    Column("from_stage", Text()),
    Column("to_stage", Text(), nullable=False),
    Column("from_canonical", Text()),
    Column("to_canonical", Text(), nullable=False),
    Column("actor", Text(), nullable=False),
    Column("guards", JSONB(), nullable=False),
    Column("dwell_s", Integer()),
    Column("reason", Text()),
    Column("at", DateTime(timezone=True), nullable=False),
    PrimaryKeyConstraint("tenant_id", "id"),
    ForeignKeyConstraint(["tenant_id", "deal_id"], ["deal.tenant_id", "deal.id"]),
    Index("ix_deal_transition_deal_id", "tenant_id", "deal_id", "id"),
)
