"""Where ratings are kept: side rows, the runs that made them, and what a run has worked out but not yet handed over."""

from sqlalchemy import Column, DateTime, Index, Integer, PrimaryKeyConstraint, SmallInteger, Text, Uuid

from crm_customer.behaviour.tables import AMOUNT
from crm_customer.metadata import metadata
from crm_shared.db.metadata import tenant_table

value_rating = tenant_table(
    "value_rating",
    metadata,
    Column("customer_id", Uuid(), nullable=False),
    Column("recency", SmallInteger(), nullable=False),
    Column("frequency", SmallInteger(), nullable=False),
    Column("monetary", SmallInteger(), nullable=False),
    Column("value_group", Text(collation="C"), nullable=False),
    Column("purchases", Integer(), nullable=False),
    Column("last_purchase_at", DateTime(timezone=True), nullable=False),
    Column("total", AMOUNT, nullable=False),
    Column("currency", Text(collation="C"), nullable=False),
    Column("run", Integer(), nullable=False),
    Column("rated_at", DateTime(timezone=True), nullable=False),
    PrimaryKeyConstraint("tenant_id", "customer_id"),
    Index("ix_value_rating_group", "tenant_id", "value_group", "customer_id"),
)

value_run = tenant_table(
    "value_run",
    metadata,
    Column("run", Integer(), nullable=False),
    Column("as_of", DateTime(timezone=True), nullable=False),
    Column("currency", Text(), nullable=False),
    Column("customers", Integer(), nullable=False),
    Column("changed", Integer(), nullable=False),
    Column("started_at", DateTime(timezone=True), nullable=False),
    Column("finished_at", DateTime(timezone=True)),
    PrimaryKeyConstraint("tenant_id", "run"),
)

value_draft = tenant_table(
    "value_draft",
    metadata,
    Column("run", Integer(), nullable=False),
    Column("customer_id", Uuid(), nullable=False),
    Column("recency", SmallInteger(), nullable=False),
    Column("frequency", SmallInteger(), nullable=False),
    Column("monetary", SmallInteger(), nullable=False),
    Column("purchases", Integer(), nullable=False),
    Column("last_purchase_at", DateTime(timezone=True), nullable=False),
    Column("total", AMOUNT, nullable=False),
    PrimaryKeyConstraint("tenant_id", "run", "customer_id"),
)
