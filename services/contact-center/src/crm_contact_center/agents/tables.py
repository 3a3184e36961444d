"""Agents, their skills, what channels cost, and the log of their states."""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKeyConstraint,
    Index,
    Integer,
    PrimaryKeyConstraint,
    SmallInteger,
    Text,
    Uuid,
)

from crm_contact_center.metadata import metadata
from crm_shared.db.metadata import tenant_table

agent = tenant_table(
    "agent",
    metadata,
    Column("id", Uuid(), nullable=False),
    Column("user_id", Uuid()),
    Column("name", Text(), nullable=False),
    Column("email", Text()),
    Column("state", Text(), nullable=False),
    Column("reason", Text()),
    Column("state_since", DateTime(timezone=True), nullable=False),
    Column("cap", SmallInteger(), nullable=False),
    Column("used", SmallInteger(), nullable=False, server_default="0"),
    Column("idle_since", DateTime(timezone=True), nullable=False),
    Column("last_offered_at", DateTime(timezone=True)),
    Column("presence_until", DateTime(timezone=True)),
    Column("retired", Boolean(), nullable=False, server_default="false"),
    Column("version", Integer(), nullable=False, server_default="1"),
    Column("created_at", DateTime(timezone=True), nullable=False),
    PrimaryKeyConstraint("tenant_id", "id"),
    CheckConstraint("used >= 0 AND used <= cap", name="within_capacity"),
    Index("ix_agent_name", "tenant_id", "name", "id"),
    Index("ix_agent_user_id", "tenant_id", "user_id", unique=True, postgresql_where="user_id IS NOT NULL"),
    Index("ix_agent_state", "tenant_id", "state", postgresql_where="state <> 'offline'"),
)

agent_skill = tenant_table(
    "agent_skill",
    metadata,
    Column("agent_id", Uuid(), nullable=False),
    Column("skill", Text(collation="C"), nullable=False),
    Column("level", SmallInteger(), nullable=False),
    PrimaryKeyConstraint("tenant_id", "agent_id", "skill"),
    ForeignKeyConstraint(["tenant_id", "agent_id"], ["agent.tenant_id", "agent.id"]),
    CheckConstraint("level BETWEEN 1 AND 10", name="level"),
    Index("ix_agent_skill_skill", "tenant_id", "skill"),
)

agent_state_log = tenant_table(
    "agent_state_log",
    metadata,
    Column("id", Uuid(), nullable=False),
    Column("agent_id", Uuid(), nullable=False),
    Column("state", Text(), nullable=False),
    Column("reason", Text()),
    Column("at", DateTime(timezone=True), nullable=False),
    PrimaryKeyConstraint("tenant_id", "id"),
    Index("ix_agent_state_log_agent_id", "tenant_id", "agent_id", "at"),
)

skill = tenant_table(
    "skill",
    metadata,
    Column("name", Text(collation="C"), nullable=False),
    Column("kind", Text(), nullable=False),
    Column("description", Text()),
    PrimaryKeyConstraint("tenant_id", "name"),
)

channel_cost = tenant_table(
    "channel_cost",
    metadata,
    Column("channel", Text(), nullable=False),
    Column("units", SmallInteger(), nullable=False),
    PrimaryKeyConstraint("tenant_id", "channel"),
    CheckConstraint("units BETWEEN 1 AND 100", name="units"),
)
