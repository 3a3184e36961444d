"""What the dispatcher has to look at again."""

from sqlalchemy import Column, Index, PrimaryKeyConstraint, Text, Uuid

from crm_contact_center.metadata import metadata
from crm_shared.db.metadata import tenant_table

routing_change = tenant_table(
    "routing_change",
    metadata,
    Column("id", Uuid(), nullable=False),
    Column("kind", Text(), nullable=False),
    Column("subject_id", Uuid(), nullable=False),
    PrimaryKeyConstraint("tenant_id", "id"),
    Index("ix_routing_change_id", "id"),
    across=("SELECT",),
)
