"""Where consents are kept: a ledger that only grows, and what follows from it now."""

from sqlalchemy import Column, DateTime, Index, PrimaryKeyConstraint, Text, Uuid, text

from crm_customer.metadata import metadata
from crm_shared.db.metadata import tenant_table

consent_entry = tenant_table(
    "consent_entry",
    metadata,
    Column("id", Uuid(), nullable=False),
    Column("customer_id", Uuid(), nullable=False),
    Column("purpose", Text(collation="C"), nullable=False),
    Column("channel", Text(collation="C"), nullable=False),
    Column("status", Text(), nullable=False),
    Column("legal_basis", Text(), nullable=False),
    Column("effective_at", DateTime(timezone=True), nullable=False),
    Column("recorded_at", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True)),
    Column("opt_in", Text(), nullable=False),
    Column("evidence", Text()),
    Column("source", Text(collation="C")),
    Column("source_ref", Text(collation="C")),
    Column("actor", Text(), nullable=False),
    PrimaryKeyConstraint("tenant_id", "id"),
    Index("ix_consent_entry_customer_id", "tenant_id", "customer_id", "purpose", "channel", "id"),
    Index(
        "uq_consent_entry_source_ref",
        "tenant_id",
        "source",
        "source_ref",
        unique=True,
        postgresql_where=text("source_ref IS NOT NULL"),
    ),
)

consent_state = tenant_table(
    "consent_state",
    metadata,
    Column("customer_id", Uuid(), nullable=False),
    Column("purpose", Text(collation="C"), nullable=False),
    Column("channel", Text(collation="C"), nullable=False),
    Column("status", Text(collation="C"), nullable=False),
    Column("entry_id", Uuid(), nullable=False),
    Column("expires_at", DateTime(timezone=True)),
    PrimaryKeyConstraint("tenant_id", "customer_id", "purpose", "channel"),
    Index("ix_consent_state_purpose", "tenant_id", "purpose", "channel", "status", "customer_id"),
)
