"""Templates and their versions; an approved version's row is never updated again."""

from sqlalchemy import Column, DateTime, ForeignKeyConstraint, Index, Integer, PrimaryKeyConstraint, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from crm_communication_dispatch.metadata import metadata
from crm_shared.db.metadata import tenant_table

template = tenant_table(
    "template",
    metadata,
    Column("id", Uuid(), nullable=False),
    Column("name", Text(), nullable=False),
    Column("purpose", Text(), nullable=False),
    Column("approved_number", Integer()),
    Column("latest_number", Integer(), nullable=False),
    Column("version", Integer(), nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
    PrimaryKeyConstraint("tenant_id", "id"),
    Index("ix_template_listing", "tenant_id", "created_at", "id"),
)

template_version = tenant_table(
    "template_version",
    metadata,
    Column("template_id", Uuid(), nullable=False),
    Column("number", Integer(), nullable=False),
    Column("status", Text(), nullable=False),
    Column("languages", JSONB(), nullable=False),
    Column("variables", JSONB(), nullable=False),
    Column("content", JSONB(), nullable=False),
    Column("content_hash", Text(), nullable=False),
    Column("created_by", Text(), nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("approved_by", Text()),
    Column("approved_at", DateTime(timezone=True)),
    Column("version", Integer(), nullable=False),
    PrimaryKeyConstraint("tenant_id", "template_id", "number"),
    ForeignKeyConstraint(["tenant_id", "template_id"], ["template.tenant_id", "template.id"], ondelete="CASCADE"),
)
