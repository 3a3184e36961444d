"""A tenant's own relay and sender identity; without a row the suite's relay is used."""

from sqlalchemy import Boolean, Column, DateTime, Integer, Numeric, PrimaryKeyConstraint, Text, Uuid

from crm_communication_dispatch.metadata import metadata
from crm_shared.db.metadata import tenant_table

provider = tenant_table(
    "provider",
    metadata,
    Column("id", Uuid(), nullable=False),
    Column("channel", Text(), nullable=False),
    Column("name", Text(), nullable=False),
    Column("enabled", Boolean(), nullable=False),
    Column("host", Text()),
    Column("port", Integer()),
    Column("security", Text(), nullable=False),
    Column("from_name", Text()),
    Column("from_address", Text()),
    Column("connections", Integer(), nullable=False),
    Column("rate_per_s", Integer(), nullable=False),
    Column("cost", Numeric(20, 6), nullable=False),
    Column("currency", Text(), nullable=False),
    Column("version", Integer(), nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    PrimaryKeyConstraint("tenant_id", "id"),
)
