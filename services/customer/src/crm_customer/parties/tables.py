"""Where customers are kept."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Identity,
    Index,
    Integer,
    PrimaryKeyConstraint,
    SmallInteger,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from crm_customer.metadata import metadata
from crm_shared.db.metadata import tenant_table

customer = tenant_table(
    "customer",
    metadata,
    Column("id", Uuid(), nullable=False),
    Column("version", Integer(), nullable=False),
    Column("number", BigInteger(), Identity(always=False), nullable=False),
    Column("status", Text(collation="C"), nullable=False),
    Column("kind", Text(collation="C"), nullable=False),
    Column("category", Text(collation="C"), nullable=False),
    Column("display_name", Text(), nullable=False),
    Column("given_name", Text()),
    Column("family_name", Text()),
    Column("language", Text(collation="C")),
    Column("time_zone", Text()),
    Column("country", Text(collation="C")),
    Column("birth_date", Date()),
    Column("owner", Text(collation="C")),
    Column("source", Text(collation="C")),
    Column("external_source", Text(collation="C")),
    Column("external_id", Text(collation="C")),
    Column("attributes", JSONB(), nullable=False),
    Column("contact_points", JSONB(), nullable=False),
    Column("completeness", SmallInteger(), nullable=False),
    Column("name_folded", Text(collation="C"), nullable=False),
    Column("search_text", Text(collation="C"), nullable=False),
    Column("registered_at", DateTime(timezone=True), nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
    PrimaryKeyConstraint("tenant_id", "id"),
    CheckConstraint("(external_source IS NULL) = (external_id IS NULL)", name="external_key_whole"),
    Index(
        "uq_customer_external_key",
        "tenant_id",
        "external_source",
        "external_id",
        unique=True,
        postgresql_where=text("external_id IS NOT NULL"),
    ),
    Index("uq_customer_number", "tenant_id", "number", unique=True),
    Index(
        "ix_customer_name",
        *("tenant_id", "name_folded", "id"),
        # A list by name that is filtered besides is read from here alone. An owner may be as long as an entry.
        postgresql_include=["status", "kind", "category", "language", "country", "source"],
    ),
    Index("ix_customer_kind", "tenant_id", "kind", "id"),
    Index("ix_customer_category", "tenant_id", "category", "id"),
    Index("ix_customer_country", "tenant_id", "country", "id"),
    Index("ix_customer_language", "tenant_id", "language", "id"),
    Index("ix_customer_owner", "tenant_id", "owner", "id"),
    Index("ix_customer_source", "tenant_id", "source", "id"),
    Index(
        "ix_customer_filters",
        *("tenant_id", "status", "kind", "category", "language", "country", "source", "owner", "id"),
    ),
    Index(
        "ix_customer_search_text", "search_text", postgresql_using="gin", postgresql_ops={"search_text": "gin_trgm_ops"}
    ),
    Index(
        "ix_customer_attributes", "attributes", postgresql_using="gin", postgresql_ops={"attributes": "jsonb_path_ops"}
    ),
)

contact_key = tenant_table(
    "contact_key",
    metadata,
    Column("channel", Text(collation="C"), nullable=False),
    Column("folded", Text(collation="C"), nullable=False),
    Column("customer_id", Uuid(), nullable=False),
    PrimaryKeyConstraint("tenant_id", "channel", "folded", "customer_id"),
    Index("ix_contact_key_customer_id", "tenant_id", "customer_id"),
)

name_word = tenant_table(
    "name_word",
    metadata,
    Column("word", Text(collation="C"), nullable=False),
    PrimaryKeyConstraint("tenant_id", "word"),
    Index("ix_name_word_word", "word", postgresql_using="gin", postgresql_ops={"word": "gin_trgm_ops"}),
)

customer_alias = tenant_table(
    "customer_alias",
    metadata,
    Column("alias_id", Uuid(), nullable=False),
    Column("customer_id", Uuid(), nullable=False),
    Column("merged_at", DateTime(timezone=True), nullable=False),
    PrimaryKeyConstraint("tenant_id", "alias_id"),
    Index("ix_customer_alias_customer_id", "tenant_id", "customer_id"),
)

customer_audit = tenant_table(
    "customer_audit",
    metadata,
    Column("id", Uuid(), nullable=False),
    Column("customer_id", Uuid(), nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("actor", Text(), nullable=False),
    Column("action", Text(), nullable=False),
    Column("changes", JSONB(), nullable=False),
    PrimaryKeyConstraint("tenant_id", "id"),
    Index("ix_customer_audit_customer_id", "tenant_id", "customer_id", "id"),
)
