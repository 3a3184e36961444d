"""Endpoints, how far each has got, and what was sent to it.

What changes with every wave stands in `webhook_lane`, so that sending never spoils anybody's If-Match. An endpoint has
a lane while it is enabled. A delivery's row begins with its first attempt: what an endpoint is yet to get is simply
where it stands among the tenant's kept events. No payload is stored here.
"""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    DateTime,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    SmallInteger,
    Text,
    UniqueConstraint,
    Uuid,
)

from crm_gateway.metadata import metadata
from crm_shared.db.metadata import tenant_table


def _at(name: str, *, nullable: bool = True) -> "Column[object]":
    return Column(name, DateTime(timezone=True), nullable=nullable)


webhook_endpoint = tenant_table(
    "webhook_endpoint",
    metadata,
    Column("id", Uuid(), nullable=False),
    Column("url", Text(), nullable=False),
    Column("description", Text(), nullable=False),
    Column("types", ARRAY(Text()), nullable=False),
    Column("subject", Text(collation="C")),
    Column("payload", Text(), nullable=False),
    Column("owner", Text(), nullable=False),
    Column("disabled", Text()),
    _at("disabled_at"),
    Column("version", Integer(), nullable=False),
    _at("created_at", nullable=False),
    Column("seal", LargeBinary(), nullable=False),
    Column("previous_seal", LargeBinary()),
    _at("overlap_until"),
    PrimaryKeyConstraint("tenant_id", "id"),
)

webhook_lane = tenant_table(
    "webhook_lane",
    metadata,
    Column("endpoint_id", Uuid(), nullable=False),
    # All kept events up to here have been tried, or don't concern it.
    Column("position", BigInteger(), nullable=False),
    # What is sent once more: after `replay_from` up to `replay_to`, of these types.
    Column("replay_from", BigInteger()),
    Column("replay_to", BigInteger()),
    Column("replay_types", ARRAY(Text())),
    # The earliest repeat.
    _at("next_at"),
    _at("rests_until"),
    _at("failing_since"),
    Column("failed_waves", Integer(), nullable=False, server_default="0"),
    # Which worker serves it, until when unless it says so again.
    Column("holder", Uuid()),
    _at("held_until"),
    _at("served_at"),
    PrimaryKeyConstraint("tenant_id", "endpoint_id"),
    ForeignKeyConstraint(
        ["tenant_id", "endpoint_id"], ["webhook_endpoint.tenant_id", "webhook_endpoint.id"], ondelete="CASCADE"
    ),
    across=("SELECT",),
    postgresql_with={"fillfactor": 50},
)

webhook_delivery = tenant_table(
    "webhook_delivery",
    metadata,
    Column("id", Uuid(), nullable=False),
    Column("endpoint_id", Uuid(), nullable=False),
    Column("event_id", Uuid(), nullable=False),
    Column("type", Text(collation="C"), nullable=False),
    Column("subject", Text(collation="C"), nullable=False),
    # Where the event is kept; a test has none.
    Column("position", BigInteger()),
    Column("state", Text(), nullable=False),
    Column("reason", Text()),
    Column("attempts", Integer(), nullable=False),
    Column("failures", Integer(), nullable=False),
    _at("next_at"),
    _at("created_at", nullable=False),
    _at("settled_at"),
    PrimaryKeyConstraint("tenant_id", "id"),
    UniqueConstraint("tenant_id", "endpoint_id", "event_id", name="webhook_delivery_made"),
    ForeignKeyConstraint(
        ["tenant_id", "endpoint_id"], ["webhook_endpoint.tenant_id", "webhook_endpoint.id"], ondelete="CASCADE"
    ),
    Index("ix_webhook_delivery_log", "tenant_id", "endpoint_id", "id"),
    Index("ix_webhook_delivery_pending", "tenant_id", "endpoint_id", "next_at", postgresql_where="state = 'pending'"),
    Index("ix_webhook_delivery_created_at", "tenant_id", "created_at"),
)

webhook_attempt = tenant_table(
    "webhook_attempt",
    metadata,
    Column("delivery_id", Uuid(), nullable=False),
    Column("number", Integer(), nullable=False),
    _at("at", nullable=False),
    Column("status", SmallInteger()),
    Column("error", Text()),
    Column("duration_ms", Integer(), nullable=False),
    Column("told", Text(), nullable=False),
    PrimaryKeyConstraint("tenant_id", "delivery_id", "number"),
    ForeignKeyConstraint(
        ["tenant_id", "delivery_id"], ["webhook_delivery.tenant_id", "webhook_delivery.id"], ondelete="CASCADE"
    ),
)
