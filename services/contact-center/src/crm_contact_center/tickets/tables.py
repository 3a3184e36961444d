"""Tickets, their append-only history, policies, and what has been said about their clocks."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKeyConstraint,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Text,
    UniqueConstraint,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB

from crm_contact_center.metadata import metadata
from crm_shared.db.metadata import tenant_table

ticket = tenant_table(
    "ticket",
    metadata,
    Column("id", Uuid(), nullable=False),
    Column("number", BigInteger(), nullable=False),
    Column("customer_id", Uuid()),
    Column("interaction_id", Uuid()),
    Column("channel", Text(), nullable=False),
    Column("kind", Text(), nullable=False),
    Column("priority", Text(), nullable=False),
    Column("subject", Text(), nullable=False),
    Column("description", Text()),
    Column("expected", Text()),
    Column("delivered", Text()),
    Column("state", Text(), nullable=False),
    Column("department", Text()),
    Column("assignee", Uuid()),
    Column("value_group", Text()),
    Column("policy_id", Uuid(), nullable=False),
    Column("policy_version", Integer(), nullable=False),
    Column("opened_at", DateTime(timezone=True), nullable=False),
    Column("first_response_at", DateTime(timezone=True)),
    Column("solved_at", DateTime(timezone=True)),
    Column("closed_at", DateTime(timezone=True)),
    Column("next_due_at", DateTime(timezone=True)),
    Column("last_event", Integer(), nullable=False),
    Column("version", Integer(), nullable=False),
    PrimaryKeyConstraint("tenant_id", "id"),
    UniqueConstraint("tenant_id", "number", name="ticket_number_taken"),
    Index("ix_ticket_opened_at", "tenant_id", "opened_at", "id"),
    Index("ix_ticket_customer_id", "tenant_id", "customer_id", "opened_at"),
    Index("ix_ticket_next_due_at", "tenant_id", "next_due_at", postgresql_where="next_due_at IS NOT NULL"),
)

ticket_event = tenant_table(
    "ticket_event",
    metadata,
    Column("ticket_id", Uuid(), nullable=False),
    Column("sequence", Integer(), nullable=False),
    Column("happening", Text(), nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("actor", Text(), nullable=False),
    Column("body", JSONB(), nullable=False),
    PrimaryKeyConstraint("tenant_id", "ticket_id", "sequence"),
    ForeignKeyConstraint(["tenant_id", "ticket_id"], ["ticket.tenant_id", "ticket.id"]),
    Index("ix_ticket_event_at", "tenant_id", "at"),
)

ticket_counter = tenant_table(
    "ticket_counter",
    metadata,
    Column("last", BigInteger(), nullable=False),
    PrimaryKeyConstraint("tenant_id"),
)

sla_policy = tenant_table(
    "sla_policy",
    metadata,
    Column("id", Uuid(), nullable=False),
    Column("version", Integer(), nullable=False),
    Column("name", Text(), nullable=False),
    Column("kind", Text()),
    Column("priority", Text()),
    Column("value_group", Text()),
    Column("channel", Text()),
    Column("targets", JSONB(), nullable=False),
    Column("pauses", JSONB()),
    Column("warn_percent", Integer(), nullable=False),
    Column("calendar_id", Uuid()),
    Column("calendar_version", Integer()),
    Column("current", Integer(), nullable=False),
    Column("made_at", DateTime(timezone=True), nullable=False),
    PrimaryKeyConstraint("tenant_id", "id", "version"),
    CheckConstraint("warn_percent BETWEEN 1 AND 100", name="warn_percent"),
    Index("ix_sla_policy_current", "tenant_id", "id", unique=True, postgresql_where="current = 1"),
)

sla_notice = tenant_table(
    "sla_notice",
    metadata,
    Column("ticket_id", Uuid(), nullable=False),
    Column("clock", Text(), nullable=False),
    Column("said", Text(), nullable=False),
    Column("due_at", DateTime(timezone=True), nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    PrimaryKeyConstraint("tenant_id", "ticket_id", "clock", "said"),
    ForeignKeyConstraint(["tenant_id", "ticket_id"], ["ticket.tenant_id", "ticket.id"]),
)
