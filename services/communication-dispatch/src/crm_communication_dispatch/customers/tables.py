"""Copies without foreign keys: a fact about an unknown customer makes a stub that the customer's own event fills."""

from sqlalchemy import Boolean, Column, DateTime, Index, Integer, PrimaryKeyConstraint, SmallInteger, Text, Uuid

from crm_communication_dispatch.metadata import metadata
from crm_shared.db.metadata import tenant_table

customer = tenant_table(
    "customer",
    metadata,
    Column("id", Uuid(), nullable=False),
    Column("known", Boolean(), nullable=False, server_default="false"),
    Column("display_name", Text()),
    Column("given_name", Text()),
    Column("family_name", Text()),
    Column("email", Text()),
    Column("email_folded", Text(collation="C")),
    Column("phone", Text()),
    Column("language", Text()),
    Column("time_zone", Text()),
    Column("country", Text()),
    Column("lifecycle", Text()),
    Column("value_group", Text()),
    Column("recency", SmallInteger()),
    Column("frequency", SmallInteger()),
    Column("monetary", SmallInteger()),
    Column("merged_into", Uuid()),
    Column("erased_at", DateTime(timezone=True)),
    PrimaryKeyConstraint("tenant_id", "id"),
    Index("ix_customer_email", "tenant_id", "email_folded"),
    Index("ix_customer_merged_into", "tenant_id", "merged_into", postgresql_where="merged_into IS NOT NULL"),
)

consent = tenant_table(
    "consent",
    metadata,
    Column("customer_id", Uuid(), nullable=False),
    Column("purpose", Text(), nullable=False),
    Column("channel", Text(), nullable=False),
    Column("consent_id", Uuid(), nullable=False),
    Column("status", Text(), nullable=False),
    Column("effective_at", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True)),
    PrimaryKeyConstraint("tenant_id", "customer_id", "purpose", "channel"),
)

segment = tenant_table(
    "segment",
    metadata,
    Column("id", Uuid(), nullable=False),
    Column("name", Text()),
    Column("version", Integer(), nullable=False),
    Column("count", Integer(), nullable=False),
    Column("materialised_at", DateTime(timezone=True), nullable=False),
    PrimaryKeyConstraint("tenant_id", "id"),
)

# One row per stay of a customer in a segment, so that membership *at a version* can be told after later changes.
segment_member = tenant_table(
    "segment_member",
    metadata,
    Column("segment_id", Uuid(), nullable=False),
    Column("customer_id", Uuid(), nullable=False),
    Column("entered_version", Integer(), nullable=False),
    Column("exited_version", Integer()),
    PrimaryKeyConstraint("tenant_id", "segment_id", "customer_id", "entered_version"),
    Index("ix_segment_member_customer", "tenant_id", "customer_id"),
)
