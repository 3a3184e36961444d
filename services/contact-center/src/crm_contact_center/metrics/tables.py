"""Figures of closed intervals."""

from sqlalchemy import BigInteger, Column, DateTime, PrimaryKeyConstraint, Text, Uuid

from crm_contact_center.metadata import metadata
from crm_contact_center.metrics.domain.figures import COUNTS
from crm_shared.db.metadata import tenant_table

metric_interval = tenant_table(
    "metric_interval",
    metadata,
    Column("starts_at", DateTime(timezone=True), nullable=False),
    Column("queue_id", Uuid(), nullable=False),
    Column("channel", Text(), nullable=False),
    *(Column(name, BigInteger(), nullable=False) for name in COUNTS),
    PrimaryKeyConstraint("tenant_id", "starts_at", "queue_id", "channel"),
)

metric_agent = tenant_table(
    "metric_agent",
    metadata,
    Column("starts_at", DateTime(timezone=True), nullable=False),
    Column("agent_id", Uuid(), nullable=False),
    Column("engaged_us", BigInteger(), nullable=False),
    Column("idle_us", BigInteger(), nullable=False),
    Column("wrap_us", BigInteger(), nullable=False),
    Column("break_us", BigInteger(), nullable=False),
    PrimaryKeyConstraint("tenant_id", "starts_at", "agent_id"),
)

metric_closed = tenant_table(
    "metric_closed",
    metadata,
    Column("starts_at", DateTime(timezone=True), nullable=False),
    Column("closed_at", DateTime(timezone=True), nullable=False),
    PrimaryKeyConstraint("tenant_id", "starts_at"),
)
