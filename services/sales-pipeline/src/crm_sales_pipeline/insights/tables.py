"""Campaigns as communication-dispatch told us, and money spent."""

from sqlalchemy import CheckConstraint, Column, DateTime, Index, Integer, Numeric, PrimaryKeyConstraint, Text, Uuid

from crm_sales_pipeline.metadata import METADATA
from crm_shared.db.metadata import tenant_table

campaign = tenant_table(
    "campaign",
    METADATA,
    Column("id", Uuid(), nullable=False),
    Column("name", Text()),
    Column("purpose", Text()),
    Column("started_at", DateTime(timezone=True)),
    Column("finished_at", DateTime(timezone=True)),
    Column("targeted", Integer()),
    Column("accepted", Integer()),
    PrimaryKeyConstraint("tenant_id", "id"),
)

expense = tenant_table(
    "expense",
    METADATA,
    Column("id", Uuid(), nullable=False),
    Column("campaign_id", Uuid()),
    Column("deal_id", Uuid()),
    Column("amount", Numeric(), nullable=False),
    Column("currency", Text(collation="C"), nullable=False),
    Column("description", Text(), nullable=False),
    Column("source", Text(), nullable=False),
    # Set by what a foreign event makes us book, so that it's booked once.
    Column("business_key", Text(collation="C")),
    Column("state", Text(), nullable=False),
    Column("incurred_at", DateTime(timezone=True), nullable=False),
    Column("created_by", Text(), nullable=False),
    Column("decided_by", Text()),
    Column("version", Integer(), nullable=False),
    PrimaryKeyConstraint("tenant_id", "id"),
    Index(
        "uq_expense_business_key",
        "tenant_id",
        "business_key",
        unique=True,
        postgresql_where="business_key IS NOT NULL",
    ),
    Index("ix_expense_campaign_id", "tenant_id", "campaign_id"),
    Index("ix_expense_incurred_at", "tenant_id", "incurred_at", "id"),
    CheckConstraint("amount > 0", name="amount"),
    CheckConstraint("(campaign_id IS NULL) <> (deal_id IS NULL)", name="target"),
)
