"""Interactions, their legs, participants and append-only history."""

from sqlalchemy import (
    Boolean,
    Column,
    DateTime,
    ForeignKeyConstraint,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB

from crm_contact_center.metadata import metadata
from crm_shared.db.metadata import tenant_table

interaction = tenant_table(
    "interaction",
    metadata,
    Column("id", Uuid(), nullable=False),
    Column("channel", Text(), nullable=False),
    Column("direction", Text(), nullable=False),
    Column("from_address", Text()),
    Column("to_address", Text()),
    Column("subject", Text()),
    Column("customer_id", Uuid()),
    Column("recognised", Boolean(), nullable=False),
    Column("state", Text(), nullable=False),
    Column("queue_id", Uuid()),
    Column("agent_id", Uuid()),
    Column("started_at", DateTime(timezone=True), nullable=False),
    Column("answered_at", DateTime(timezone=True)),
    Column("ended_at", DateTime(timezone=True)),
    Column("held_since", DateTime(timezone=True)),
    Column("hold_s", Integer(), nullable=False, server_default="0"),
    Column("disposition", Text()),
    Column("repeat_of", Uuid()),
    Column("last_event", Integer(), nullable=False),
    Column("version", Integer(), nullable=False),
    PrimaryKeyConstraint("tenant_id", "id"),
    Index("ix_interaction_started_at", "tenant_id", "started_at", "id"),
    Index("ix_interaction_customer_id", "tenant_id", "customer_id", "started_at"),
)

interaction_leg = tenant_table(
    "interaction_leg",
    metadata,
    Column("id", Uuid(), nullable=False),
    Column("interaction_id", Uuid(), nullable=False),
    Column("agent_id", Uuid(), nullable=False),
    Column("reservation_id", Uuid(), nullable=False),
    Column("began_at", DateTime(timezone=True), nullable=False),
    Column("ended_at", DateTime(timezone=True)),
    Column("hold_s", Integer(), nullable=False, server_default="0"),
    Column("end_reason", Text()),
    PrimaryKeyConstraint("tenant_id", "id"),
    ForeignKeyConstraint(["tenant_id", "interaction_id"], ["interaction.tenant_id", "interaction.id"]),
    Index("ix_interaction_leg_interaction_id", "tenant_id", "interaction_id"),
    Index("uq_interaction_leg_open", "tenant_id", "interaction_id", unique=True, postgresql_where="ended_at IS NULL"),
)

interaction_participant = tenant_table(
    "interaction_participant",
    metadata,
    Column("interaction_id", Uuid(), nullable=False),
    Column("number", Integer(), nullable=False),
    Column("role", Text(), nullable=False),
    Column("customer_id", Uuid()),
    Column("agent_id", Uuid()),
    Column("address", Text()),
    Column("joined_at", DateTime(timezone=True), nullable=False),
    Column("left_at", DateTime(timezone=True)),
    PrimaryKeyConstraint("tenant_id", "interaction_id", "number"),
    ForeignKeyConstraint(["tenant_id", "interaction_id"], ["interaction.tenant_id", "interaction.id"]),
)

interaction_event = tenant_table(
    "interaction_event",
    metadata,
    Column("interaction_id", Uuid(), nullable=False),
    Column("sequence", Integer(), nullable=False),
    Column("happening", Text(), nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("actor", Text(), nullable=False),
    Column("body", JSONB(), nullable=False),
    PrimaryKeyConstraint("tenant_id", "interaction_id", "sequence"),
    ForeignKeyConstraint(["tenant_id", "interaction_id"], ["interaction.tenant_id", "interaction.id"]),
    Index("ix_interaction_event_at", "tenant_id", "at"),
)
