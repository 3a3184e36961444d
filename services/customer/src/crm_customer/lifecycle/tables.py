"""Where lifecycle states are kept: in side rows, so that a nightly run doesn't spoil anybody's If-Match."""

from sqlalchemy import Column, DateTime, Index, Integer, PrimaryKeyConstraint, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from crm_customer.metadata import metadata
from crm_shared.db.metadata import tenant_table

lifecycle = tenant_table(
    "lifecycle",
    metadata,
    Column("customer_id", Uuid(), nullable=False),
    Column("state", Text(collation="C"), nullable=False),
    Column("purchases", Integer(), nullable=False),
    Column("reason", Text(), nullable=False),
    Column("since", DateTime(timezone=True), nullable=False),
    PrimaryKeyConstraint("tenant_id", "customer_id"),
    Index("ix_lifecycle_state", "tenant_id", "state", "customer_id"),
)

lifecycle_target = tenant_table(
    "lifecycle_target",
    metadata,
    Column("customer_id", Uuid(), nullable=False),
    Column("targeted_at", DateTime(timezone=True), nullable=False),
    PrimaryKeyConstraint("tenant_id", "customer_id"),
)

lifecycle_transition = tenant_table(
    "lifecycle_transition",
    metadata,
    Column("id", Uuid(), nullable=False),
    Column("customer_id", Uuid(), nullable=False),
    Column("previous", Text(), nullable=False),
    Column("state", Text(), nullable=False),
    Column("reason", Text(), nullable=False),
    Column("purchases", Integer(), nullable=False),
    Column("rules_version", Integer(), nullable=False),
    Column("changed_at", DateTime(timezone=True), nullable=False),
    Column("recorded_at", DateTime(timezone=True), nullable=False),
    PrimaryKeyConstraint("tenant_id", "id"),
    Index("ix_lifecycle_transition_customer_id", "tenant_id", "customer_id", "id"),
)

lifecycle_rules = tenant_table(
    "lifecycle_rules",
    metadata,
    Column("version", Integer(), nullable=False),
    Column("rules", JSONB(), nullable=False),
    Column("accepted_at", DateTime(timezone=True), nullable=False),
    Column("actor", Text(), nullable=False),
    PrimaryKeyConstraint("tenant_id", "version"),
)
