"""Receipts and refunds."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    DateTime,
    ForeignKeyConstraint,
    Index,
    Integer,
    Numeric,
    PrimaryKeyConstraint,
    Text,
    UniqueConstraint,
    Uuid,
)

from crm_sales_pipeline.metadata import METADATA
from crm_shared.db.metadata import tenant_table

payment = tenant_table(
    "payment",
    METADATA,
    Column("id", Uuid(), nullable=False),
    Column("order_id", Uuid(), nullable=False),
    Column("customer_id", Uuid(), nullable=False),
    Column("campaign_id", Uuid()),
    Column("kind", Text(), nullable=False),
    Column("reference", Text(collation="C"), nullable=False),
    Column("method", Text()),
    Column("amount", Numeric(), nullable=False),
    Column("currency", Text(collation="C"), nullable=False),
    Column("reason", Text()),
    Column("received_at", DateTime(timezone=True), nullable=False),
    Column("version", Integer(), nullable=False),
    PrimaryKeyConstraint("tenant_id", "id"),
    UniqueConstraint("tenant_id", "reference"),
    ForeignKeyConstraint(["tenant_id", "order_id"], ["sales_order.tenant_id", "sales_order.id"]),
    Index("ix_payment_order_id", "tenant_id", "order_id"),
    Index("ix_payment_campaign_id", "tenant_id", "campaign_id"),
    Index("ix_payment_received_at", "tenant_id", "received_at", "id"),
    CheckConstraint("amount > 0", name="amount"),
)
