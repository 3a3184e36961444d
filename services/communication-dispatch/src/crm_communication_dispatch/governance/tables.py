"""The policy of a tenant, and who isn't written to."""

from sqlalchemy import Column, DateTime, Index, Integer, PrimaryKeyConstraint, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from crm_communication_dispatch.metadata import metadata
from crm_shared.db.metadata import tenant_table

policy = tenant_table(
    "policy",
    metadata,
    Column("rules", JSONB(), nullable=False),
    Column("version", Integer(), nullable=False),
    Column("updated_by", Text(), nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
    PrimaryKeyConstraint("tenant_id"),
)

suppression = tenant_table(
    "suppression",
    metadata,
    Column("id", Uuid(), nullable=False),
    Column("channel", Text(), nullable=False),
    Column("customer_id", Uuid()),
    Column("address", Text(collation="C")),
    Column("purpose", Text()),
    Column("reason", Text(), nullable=False),
    Column("note", Text()),
    Column("message_id", Uuid()),
    Column("created_by", Text(), nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True)),
    Column("released_at", DateTime(timezone=True)),
    Column("released_by", Text()),
    Column("release_reason", Text()),
    Column("version", Integer(), nullable=False),
    PrimaryKeyConstraint("tenant_id", "id"),
    Index("ix_suppression_listing", "tenant_id", "created_at", "id"),
    Index("ix_suppression_customer", "tenant_id", "customer_id", postgresql_where="released_at IS NULL"),
    Index("ix_suppression_address", "tenant_id", "address", postgresql_where="released_at IS NULL"),
)
