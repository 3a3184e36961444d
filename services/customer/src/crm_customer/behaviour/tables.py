"""Where behaviour is kept: the facts, and their sums by customer in side rows."""

from sqlalchemy import CheckConstraint, Column, DateTime, Index, Integer, Numeric, PrimaryKeyConstraint, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from crm_customer.metadata import metadata
from crm_shared.db.metadata import tenant_table

AMOUNT = Numeric(21, 6)

# `customer_id` is the record named in the report; `owner_id` the customer who answers for it after merges.
money_fact = tenant_table(
    "money_fact",
    metadata,
    Column("id", Uuid(), nullable=False),
    Column("customer_id", Uuid(), nullable=False),
    Column("owner_id", Uuid(), nullable=False),
    Column("kind", Text(collation="C"), nullable=False),
    Column("source", Text(collation="C"), nullable=False),
    Column("external_id", Text(collation="C"), nullable=False),
    Column("occurred_at", DateTime(timezone=True), nullable=False),
    Column("amount", AMOUNT, nullable=False),
    Column("currency", Text(collation="C"), nullable=False),
    Column("quantity", Numeric(18, 6)),
    Column("order_ref", Text()),
    Column("items", JSONB()),
    Column("recorded_at", DateTime(timezone=True), nullable=False),
    PrimaryKeyConstraint("tenant_id", "id"),
    CheckConstraint("amount >= 0", name="amount_not_negative"),
    Index("uq_money_fact_external_id", "tenant_id", "source", "kind", "external_id", unique=True),
    Index("ix_money_fact_owner_id", "tenant_id", "owner_id", "kind", "occurred_at", "id"),
)

behaviour_total = tenant_table(
    "behaviour_total",
    metadata,
    Column("customer_id", Uuid(), nullable=False),
    Column("purchases", Integer(), nullable=False),
    Column("returns", Integer(), nullable=False),
    Column("payments", Integer(), nullable=False),
    Column("first_purchase_at", DateTime(timezone=True)),
    Column("last_purchase_at", DateTime(timezone=True)),
    Column("last_payment_at", DateTime(timezone=True)),
    PrimaryKeyConstraint("tenant_id", "customer_id"),
    Index("ix_behaviour_total_last_purchase_at", "tenant_id", "last_purchase_at", "customer_id"),
)

behaviour_amount = tenant_table(
    "behaviour_amount",
    metadata,
    Column("customer_id", Uuid(), nullable=False),
    Column("currency", Text(collation="C"), nullable=False),
    Column("purchased", AMOUNT, nullable=False),
    Column("returned", AMOUNT, nullable=False),
    Column("paid", AMOUNT, nullable=False),
    PrimaryKeyConstraint("tenant_id", "customer_id", "currency"),
)
