"""Where custom attributes are defined."""

from sqlalchemy import Column, DateTime, Integer, PrimaryKeyConstraint, Text
from sqlalchemy.dialects.postgresql import JSONB

from crm_customer.metadata import metadata
from crm_shared.db.metadata import tenant_table

attribute_definition = tenant_table(
    "attribute_definition",
    metadata,
    Column("name", Text(collation="C"), nullable=False),
    Column("type", Text(), nullable=False),
    Column("label", Text(), nullable=False),
    Column("choices", JSONB(), nullable=False),
    Column("version", Integer(), nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    PrimaryKeyConstraint("tenant_id", "name"),
)
