"""The local copy of customers, and which ids now mean which customer."""

from sqlalchemy import Boolean, Column, DateTime, Index, PrimaryKeyConstraint, Text, Uuid

from crm_sales_pipeline.metadata import METADATA
from crm_shared.db.metadata import tenant_table

customer = tenant_table(
    "customer",
    METADATA,
    Column("id", Uuid(), nullable=False),
    Column("known", Boolean(), nullable=False),
    Column("kind", Text()),
    Column("display_name", Text()),
    Column("language", Text()),
    Column("country", Text()),
    Column("email", Text()),
    Column("email_folded", Text(collation="C")),
    Column("phone", Text()),
    Column("lifecycle", Text()),
    Column("value_group", Text()),
    Column("erased_at", DateTime(timezone=True)),
    PrimaryKeyConstraint("tenant_id", "id"),
    Index("ix_customer_email_folded", "tenant_id", "email_folded"),
)

# `survivor_id` is the direct merge (an unmerge takes it back), `root_id` what a chain of merges ends in.
customer_alias = tenant_table(
    "customer_alias",
    METADATA,
    Column("merged_id", Uuid(), nullable=False),
    Column("survivor_id", Uuid(), nullable=False),
    Column("root_id", Uuid(), nullable=False),
    PrimaryKeyConstraint("tenant_id", "merged_id"),
    Index("ix_customer_alias_root_id", "tenant_id", "root_id"),
    Index("ix_customer_alias_survivor_id", "tenant_id", "survivor_id"),
)
