"""Where merges are kept; a retracted one stays, with its end."""

from sqlalchemy import Column, DateTime, Index, PrimaryKeyConstraint, Text, Uuid, text

from crm_customer.metadata import metadata
from crm_shared.db.metadata import tenant_table

customer_merge = tenant_table(
    "customer_merge",
    metadata,
    Column("id", Uuid(), nullable=False),
    Column("survivor_id", Uuid(), nullable=False),
    Column("merged_id", Uuid(), nullable=False),
    Column("merged_at", DateTime(timezone=True), nullable=False),
    Column("reason", Text(), nullable=False),
    Column("actor", Text(), nullable=False),
    Column("undone_at", DateTime(timezone=True)),
    Column("undone_by", Text()),
    PrimaryKeyConstraint("tenant_id", "id"),
    Index(
        "uq_customer_merge_merged_id",
        "tenant_id",
        "merged_id",
        unique=True,
        postgresql_where=text("undone_at IS NULL"),
    ),
    Index("ix_customer_merge_survivor_id", "tenant_id", "survivor_id"),
)
