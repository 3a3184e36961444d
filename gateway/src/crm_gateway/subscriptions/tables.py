"""Each tenant's events of the last days. A position counts them in the order in which they were kept.

Whoever keeps events locks the tenant's head until the commit. So positions follow the commits, and a reader that has
seen a position never has to look below it again. They have holes where a person was erased.
"""

from sqlalchemy import BigInteger, Column, DateTime, Index, PrimaryKeyConstraint, Text, Uuid
from sqlalchemy.dialects.postgresql import ARRAY

from crm_gateway.metadata import metadata
from crm_shared.db.metadata import tenant_table

_BUSY = {"autovacuum_vacuum_scale_factor": 0, "autovacuum_vacuum_threshold": 2_000, "fillfactor": 20}

event_head = tenant_table(
    "event_head",
    metadata,
    Column("latest", BigInteger(), nullable=False),
    Column("latest_at", DateTime(timezone=True), nullable=False),
    # What was kept up to here is gone, because it was old.
    Column("pruned_to", BigInteger(), nullable=False, server_default="0"),
    PrimaryKeyConstraint("tenant_id"),
    across=("SELECT",),
    postgresql_with=_BUSY,
)

kept_event = tenant_table(
    "kept_event",
    metadata,
    Column("position", BigInteger(), nullable=False),
    Column("kept_at", DateTime(timezone=True), nullable=False),
    Column("event_id", Uuid(), nullable=False),
    Column("type", Text(collation="C"), nullable=False),
    Column("subject", Text(collation="C"), nullable=False),
    # Whom it speaks of, so that an erasure finds it.
    Column("about", ARRAY(Uuid()), nullable=False),
    # The CloudEvent as it travelled: it is passed on unread.
    Column("event", Text(), nullable=False),
    PrimaryKeyConstraint("tenant_id", "position"),
    Index("ix_kept_event_kept_at", "tenant_id", "kept_at", "position"),
    Index("ix_kept_event_subject", "tenant_id", "subject", "position"),
    Index("ix_kept_event_about", "about", postgresql_using="gin"),
)
