"""Where timelines are kept, and the cards made of them."""

from sqlalchemy import Boolean, Column, DateTime, Index, Integer, PrimaryKeyConstraint, Text, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB

from crm_customer.metadata import metadata
from crm_shared.db.metadata import tenant_table

timeline_entry = tenant_table(
    "timeline_entry",
    metadata,
    Column("id", Uuid(), nullable=False),
    Column("customer_id", Uuid(), nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("kind", Text(collation="C"), nullable=False),
    Column("touchpoint", Text(collation="C"), nullable=False),
    Column("title", Text(), nullable=False),
    Column("refs", JSONB(), nullable=False),
    Column("is_touch", Boolean(), nullable=False),
    PrimaryKeyConstraint("tenant_id", "id"),
    Index("ix_timeline_entry_customer_id", "tenant_id", "customer_id", "at", "id"),
    Index("ix_timeline_entry_touch", "tenant_id", "customer_id", "at", "id", postgresql_where=text("is_touch")),
)

open_item = tenant_table(
    "open_item",
    metadata,
    Column("ref", Text(collation="C"), nullable=False),
    Column("customer_id", Uuid(), nullable=False),
    Column("kind", Text(collation="C"), nullable=False),
    Column("title", Text()),
    Column("state", Text()),
    Column("since", DateTime(timezone=True), nullable=False),
    PrimaryKeyConstraint("tenant_id", "ref"),
    Index("ix_open_item_customer_id", "tenant_id", "customer_id"),
)

customer_card = tenant_table(
    "customer_card",
    metadata,
    Column("customer_id", Uuid(), nullable=False),
    Column("display_name", Text(), nullable=False),
    Column("kind", Text(), nullable=False),
    Column("category", Text(), nullable=False),
    Column("language", Text()),
    Column("lifecycle", Text()),
    Column("value_group", Text()),
    Column("open_deals", Integer(), nullable=False),
    Column("open_tickets", Integer(), nullable=False),
    Column("mood", JSONB()),
    Column("mood_at", DateTime(timezone=True)),
    Column("consents", JSONB(), nullable=False),
    Column("touches", JSONB(), nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
    PrimaryKeyConstraint("tenant_id", "customer_id"),
)
