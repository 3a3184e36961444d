"""The backbone's tables: what left (outbox, sequences), what arrived (inbox, keys), what waits (parked), what is gone.

`outbox` and `consumer_key` change with every event: their pages keep room for updates in place, and autovacuum comes
after a fixed number of dead rows instead of a share of the table.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    SmallInteger,
    Text,
    Uuid,
    func,
    text,
)

from crm_shared.db.metadata import kernel_metadata, tenant_table

_BUSY = {"autovacuum_vacuum_scale_factor": 0, "autovacuum_vacuum_threshold": 5_000, "fillfactor": 80}

outbox = tenant_table(
    "outbox",
    kernel_metadata,
    Column("id", BigInteger(), Identity(), nullable=False),
    Column("event_id", Uuid(), nullable=False),
    Column("aggregate", Text(), nullable=False),
    Column("aggregate_id", Uuid(), nullable=False),
    Column("epoch", Integer(), nullable=False),
    Column("seq", BigInteger(), nullable=False),
    Column("type", Text(), nullable=False),
    Column("slot", SmallInteger(), nullable=False),
    Column("subject", Text(), nullable=False),
    Column("traceparent", Text()),
    Column("tracestate", Text()),
    Column("data", Text(), nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("parked_at", DateTime(timezone=True)),
    Column("park_reason", Text()),
    PrimaryKeyConstraint("tenant_id", "id"),
    Index("ix_outbox_slot", "slot", "id"),
    Index("ix_outbox_parked", "tenant_id", "aggregate_id", postgresql_where=text("parked_at IS NOT NULL")),
    across=("SELECT", "UPDATE", "DELETE"),
    postgresql_with=_BUSY,
)

event_sequence = tenant_table(
    "event_sequence",
    kernel_metadata,
    Column("aggregate", Text(collation="C"), nullable=False),
    Column("aggregate_id", Uuid(), nullable=False),
    # The default is raised, as well as every row, when the database is restored from a backup.
    Column("epoch", Integer(), nullable=False, server_default="0"),
    Column("seq", BigInteger(), nullable=False),
    PrimaryKeyConstraint("tenant_id", "aggregate", "aggregate_id"),
    postgresql_with={"fillfactor": 80},
)

inbox = tenant_table(
    "inbox",
    kernel_metadata,
    Column("event_id", Uuid(), nullable=False),
    Column("received_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("tenant_id", "event_id"),
    Index("ix_inbox_received_at", "received_at", postgresql_using="brin"),
    across=("SELECT", "DELETE"),
)

consumer_key = tenant_table(
    "consumer_key",
    kernel_metadata,
    # `<aggregate>:<uuid>`, or `<topic>:<partition>:<offset>` for a message that is no event.
    Column("key", Text(collation="C"), nullable=False),
    Column("epoch", Integer(), nullable=False),
    Column("seq", BigInteger(), nullable=False),
    Column("parked_at", DateTime(timezone=True)),
    Column("reason", Text()),
    Column("error", Text()),
    Column("attempts", Integer(), nullable=False, server_default="0"),
    Column("next_at", DateTime(timezone=True)),
    PrimaryKeyConstraint("tenant_id", "key"),
    Index("ix_consumer_key_next_at", "next_at", postgresql_where=text("parked_at IS NOT NULL")),
    across=("SELECT",),
    postgresql_with=_BUSY,
)

parked = tenant_table(
    "parked",
    kernel_metadata,
    Column("key", Text(collation="C"), nullable=False),
    Column("epoch", Integer(), nullable=False),
    Column("seq", BigInteger(), nullable=False),
    Column("event_id", Uuid(), nullable=False),
    Column("type", Text(), nullable=False),
    Column("topic", Text(), nullable=False),
    Column("part", SmallInteger(), nullable=False),
    Column("off", BigInteger(), nullable=False),
    Column("raw", LargeBinary(), nullable=False),
    Column("headers", Text(), nullable=False),
    Column("arrived_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("tenant_id", "key", "epoch", "seq", "event_id"),
    across=("SELECT",),
)

parking_audit = tenant_table(
    "parking_audit",
    kernel_metadata,
    Column("id", Uuid(), nullable=False),
    Column("key", Text(collation="C"), nullable=False),
    Column("action", Text(), nullable=False),
    Column("epoch", Integer(), nullable=False),
    Column("seq", BigInteger(), nullable=False),
    Column("actor", Text(), nullable=False),
    Column("reason", Text(), nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    PrimaryKeyConstraint("tenant_id", "id"),
    across=("SELECT",),
)

erased = tenant_table(
    "erased",
    kernel_metadata,
    Column("aggregate_id", Uuid(), nullable=False),
    Column("erased_at", DateTime(timezone=True), nullable=False),
    PrimaryKeyConstraint("tenant_id", "aggregate_id"),
)
