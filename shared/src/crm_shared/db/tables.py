"""The kernel's own tables in every service's database: idempotency keys, due rows, operations, the backbone's, and the
tombstones of tenants that have left.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    SmallInteger,
    Text,
    Uuid,
    func,
)
from sqlalchemy.dialects.postgresql import JSONB

from crm_shared.db import backbone_tables
from crm_shared.db.metadata import kernel_metadata, tenant_table

__all__ = ["backbone_tables", "departed", "due", "idempotency_key", "kernel_metadata", "operation"]

idempotency_key = tenant_table(
    "idempotency_key",
    kernel_metadata,
    Column("principal", Text(), nullable=False),
    Column("route", Text(), nullable=False),
    Column("key", Text(), nullable=False),
    Column("request_hash", LargeBinary(), nullable=False),
    Column("status", SmallInteger(), nullable=False),
    Column("headers", JSONB(), nullable=False),
    Column("body", LargeBinary(), nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("tenant_id", "principal", "route", "key"),
    Index("ix_idempotency_key_created_at", "created_at"),
    across=("SELECT", "DELETE"),
)

due = tenant_table(
    "due",
    kernel_metadata,
    Column("kind", Text(), nullable=False),
    Column("key", Text(), nullable=False),
    Column("due_at", DateTime(timezone=True), nullable=False),
    Column("payload", JSONB(), nullable=False),
    Column("attempts", Integer(), nullable=False, server_default="0"),
    Column("last_error", Text()),
    PrimaryKeyConstraint("tenant_id", "kind", "key"),
    Index("ix_due_due_at", "due_at"),
    Index("ix_due_tenant_id_kind_due_at", "tenant_id", "kind", "due_at"),
    across=("SELECT", "UPDATE", "DELETE"),
)

operation = tenant_table(
    "operation",
    kernel_metadata,
    Column("id", Uuid(), nullable=False),
    Column("kind", Text(), nullable=False),
    Column("state", Text(), nullable=False),
    Column("subject", Text(), nullable=False),
    Column("payload", JSONB(), nullable=False),
    Column("checkpoint", JSONB(), nullable=False),
    Column("done", BigInteger(), nullable=False, server_default="0"),
    Column("total", BigInteger()),
    Column("result", JSONB()),
    Column("problem", JSONB()),
    Column("cancel_requested", Boolean(), nullable=False, server_default="false"),
    Column("attempts", Integer(), nullable=False, server_default="0"),
    Column("lease_until", DateTime(timezone=True)),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("started_at", DateTime(timezone=True)),
    Column("finished_at", DateTime(timezone=True)),
    Column("traceparent", Text()),
    PrimaryKeyConstraint("tenant_id", "id"),
    Index("ix_operation_unfinished", "created_at", postgresql_where="finished_at IS NULL"),
    across=("SELECT", "UPDATE"),
)

departed = tenant_table(
    "departed",
    kernel_metadata,
    Column("purge_at", DateTime(timezone=True), nullable=False),
    # From here on nothing that arrives for the tenant takes effect any more.
    Column("begun_at", DateTime(timezone=True)),
    Column("purged_at", DateTime(timezone=True)),
    PrimaryKeyConstraint("tenant_id"),
    across=("SELECT",),
    outlives=True,
)
