"""Local copies of customers, their addresses and merges."""

from sqlalchemy import Boolean, Column, DateTime, Index, PrimaryKeyConstraint, Text, Uuid

from crm_contact_center.metadata import metadata
from crm_shared.db.metadata import tenant_table

customer = tenant_table(
    "customer",
    metadata,
    Column("id", Uuid(), nullable=False),
    Column("display_name", Text()),
    Column("language", Text()),
    Column("value_group", Text()),
    Column("lifecycle", Text()),
    Column("last_order_at", DateTime(timezone=True)),
    Column("erased", Boolean(), nullable=False, server_default="false"),
    PrimaryKeyConstraint("tenant_id", "id"),
)

contact_point = tenant_table(
    "contact_point",
    metadata,
    Column("customer_id", Uuid(), nullable=False),
    Column("channel", Text(), nullable=False),
    Column("folded", Text(collation="C"), nullable=False),
    Column("value", Text(), nullable=False),
    Column("verified", Boolean(), nullable=False, server_default="false"),
    PrimaryKeyConstraint("tenant_id", "customer_id", "channel", "folded"),
    Index("ix_contact_point_folded", "tenant_id", "folded"),
)

customer_alias = tenant_table(
    "customer_alias",
    metadata,
    Column("merged_id", Uuid(), nullable=False),
    Column("survivor_id", Uuid(), nullable=False),
    PrimaryKeyConstraint("tenant_id", "merged_id"),
    Index("ix_customer_alias_survivor_id", "tenant_id", "survivor_id"),
)

customer_deal = tenant_table(
    "customer_deal",
    metadata,
    Column("deal_id", Uuid(), nullable=False),
    Column("customer_id", Uuid(), nullable=False),
    Column("name", Text()),
    Column("open", Boolean(), nullable=False),
    PrimaryKeyConstraint("tenant_id", "deal_id"),
    Index("ix_customer_deal_customer_id", "tenant_id", "customer_id"),
)

customer_order = tenant_table(
    "customer_order",
    metadata,
    Column("order_id", Uuid(), nullable=False),
    Column("customer_id", Uuid(), nullable=False),
    Column("number", Text()),
    Column("placed_at", DateTime(timezone=True), nullable=False),
    Column("total_amount", Text()),
    Column("total_currency", Text()),
    PrimaryKeyConstraint("tenant_id", "order_id"),
    Index("ix_customer_order_customer_id", "tenant_id", "customer_id"),
)
