"""An audience and its members, with the reason of everyone left out."""

from sqlalchemy import Column, DateTime, ForeignKeyConstraint, Index, Integer, PrimaryKeyConstraint, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from crm_communication_dispatch.metadata import metadata
from crm_shared.db.metadata import tenant_table

audience = tenant_table(
    "audience",
    metadata,
    Column("id", Uuid(), nullable=False),
    Column("segment_id", Uuid(), nullable=False),
    Column("channel", Text(), nullable=False),
    Column("purpose", Text(), nullable=False),
    Column("status", Text(), nullable=False),
    Column("segment_version", Integer()),
    Column("expected", Integer()),
    Column("seen", Integer()),
    Column("included", Integer()),
    Column("excluded", JSONB()),
    Column("created_by", Text(), nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("ready_at", DateTime(timezone=True)),
    Column("version", Integer(), nullable=False),
    PrimaryKeyConstraint("tenant_id", "id"),
    Index("ix_audience_listing", "tenant_id", "created_at", "id"),
    Index("ix_audience_waiting", "tenant_id", "segment_id", postgresql_where="status = 'waiting'"),
)

audience_member = tenant_table(
    "audience_member",
    metadata,
    Column("audience_id", Uuid(), nullable=False),
    Column("customer_id", Uuid(), nullable=False),
    Column("reached_id", Uuid(), nullable=False),
    Column("excluded", Text()),
    PrimaryKeyConstraint("tenant_id", "audience_id", "customer_id"),
    # Two records that have been merged are one person, who is written to once.
    Index(
        "uq_audience_member_reached",
        "tenant_id",
        "audience_id",
        "reached_id",
        unique=True,
        postgresql_where="excluded IS NULL",
    ),
    ForeignKeyConstraint(["tenant_id", "audience_id"], ["audience.tenant_id", "audience.id"], ondelete="CASCADE"),
)
