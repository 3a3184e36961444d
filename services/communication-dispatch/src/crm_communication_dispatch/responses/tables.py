"""What came back: hits on tracked links with their verdict, mails received, and the responses they amounted to."""

from sqlalchemy import Column, DateTime, Index, Integer, LargeBinary, PrimaryKeyConstraint, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from crm_communication_dispatch.metadata import metadata
from crm_shared.db.metadata import tenant_table

hit = tenant_table(
    "hit",
    metadata,
    Column("id", Uuid(), nullable=False),
    Column("message_id", Uuid(), nullable=False),
    Column("link", Integer(), nullable=False),
    Column("url", Text(), nullable=False),
    Column("method", Text(), nullable=False),
    Column("user_agent", Text()),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("verdict", Text()),
    Column("signals", JSONB(), nullable=False),
    PrimaryKeyConstraint("tenant_id", "id"),
    Index("ix_hit_message", "tenant_id", "message_id", "at"),
)

inbound_mail = tenant_table(
    "inbound_mail",
    metadata,
    Column("id", Uuid(), nullable=False),
    Column("digest", LargeBinary(), nullable=False),
    Column("kind", Text(), nullable=False),
    Column("message_id", Uuid()),
    Column("customer_id", Uuid()),
    Column("sender", Text()),
    Column("subject", Text()),
    Column("text", Text()),
    Column("detail", JSONB(), nullable=False),
    Column("received_at", DateTime(timezone=True), nullable=False),
    PrimaryKeyConstraint("tenant_id", "id"),
    Index("uq_inbound_mail_digest", "tenant_id", "digest", unique=True),
    Index("ix_inbound_mail_listing", "tenant_id", "received_at", "id"),
    Index("ix_inbound_mail_customer", "tenant_id", "customer_id"),
)

response = tenant_table(
    "response",
    metadata,
    Column("id", Uuid(), nullable=False),
    Column("customer_id", Uuid(), nullable=False),
    Column("campaign_id", Uuid()),
    Column("message_id", Uuid()),
    Column("kind", Text(), nullable=False),
    Column("buying_window", Text()),
    Column("text", Text()),
    Column("wants", Text(), nullable=False),
    Column("source_key", Text(), nullable=False),
    Column("captured_at", DateTime(timezone=True), nullable=False),
    PrimaryKeyConstraint("tenant_id", "id"),
    # A second click on the same mail, or a mail delivered to us twice, is the same response.
    Index("uq_response_source", "tenant_id", "source_key", unique=True),
    Index("ix_response_listing", "tenant_id", "captured_at", "id"),
    Index("ix_response_customer", "tenant_id", "customer_id", "captured_at"),
    Index("ix_response_campaign", "tenant_id", "campaign_id"),
)
