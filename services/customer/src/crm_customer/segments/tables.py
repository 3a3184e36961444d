"""Where segments and their members are kept."""

from sqlalchemy import BigInteger, Column, DateTime, Index, Integer, PrimaryKeyConstraint, Text, UniqueConstraint, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from crm_customer.metadata import metadata
from crm_shared.db.metadata import tenant_table

segment = tenant_table(
    "segment",
    metadata,
    Column("id", Uuid(), nullable=False),
    Column("version", Integer(), nullable=False),
    Column("name", Text(), nullable=False),
    Column("name_folded", Text(collation="C"), nullable=False),
    Column("description", Text()),
    Column("kind", Text(collation="C"), nullable=False),
    Column("rule", JSONB(), nullable=False),
    # What the members were found by: a changed rule takes effect with the next materialisation, for all at once.
    Column("materialised_rule", JSONB()),
    Column("materialised_version", Integer(), nullable=False),
    Column("materialised_at", DateTime(timezone=True)),
    Column("members", BigInteger(), nullable=False),
    Column("operation_id", Uuid()),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
    PrimaryKeyConstraint("tenant_id", "id"),
    UniqueConstraint("tenant_id", "name_folded", name="uq_segment_name"),
)

segment_member = tenant_table(
    "segment_member",
    metadata,
    Column("segment_id", Uuid(), nullable=False),
    Column("customer_id", Uuid(), nullable=False),
    Column("version", Integer(), nullable=False),
    Column("reason", Text(), nullable=False),
    Column("entered_at", DateTime(timezone=True), nullable=False),
    PrimaryKeyConstraint("tenant_id", "segment_id", "customer_id"),
    Index("ix_segment_member_customer_id", "tenant_id", "customer_id", "segment_id"),
)

segment_use = tenant_table(
    "segment_use",
    metadata,
    Column("segment_id", Uuid(), nullable=False),
    Column("used_by", Text(collation="C"), nullable=False),
    Column("name", Text(), nullable=False),
    PrimaryKeyConstraint("tenant_id", "segment_id", "used_by"),
)
