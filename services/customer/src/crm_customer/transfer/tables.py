"""Where uploads wait, and what became of their rows."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB

from crm_customer.metadata import metadata
from crm_shared.db.metadata import tenant_table

upload_chunk = tenant_table(
    "upload_chunk",
    metadata,
    Column("upload_id", Uuid(), nullable=False),
    Column("seq", Integer(), nullable=False),
    Column("body", LargeBinary(), nullable=False),
    PrimaryKeyConstraint("tenant_id", "upload_id", "seq"),
)

# An import's id is the id of the operation that carries it out.
data_import = tenant_table(
    "data_import",
    metadata,
    Column("id", Uuid(), nullable=False),
    Column("upload_id", Uuid(), nullable=False),
    Column("kind", Text(collation="C"), nullable=False),
    Column("settings", JSONB(), nullable=False),
    Column("header", JSONB(), nullable=False),
    Column("bytes", BigInteger(), nullable=False),
    Column("lines", BigInteger(), nullable=False),
    Column("dry_run", Boolean(), nullable=False),
    Column("rows", BigInteger(), nullable=False),
    Column("created", BigInteger(), nullable=False),
    Column("updated", BigInteger(), nullable=False),
    Column("unchanged", BigInteger(), nullable=False),
    Column("failed", BigInteger(), nullable=False),
    Column("started_at", DateTime(timezone=True), nullable=False),
    Column("finished_at", DateTime(timezone=True)),
    PrimaryKeyConstraint("tenant_id", "id"),
    Index("ix_data_import_kind", "tenant_id", "kind", "id"),
)

import_error = tenant_table(
    "import_error",
    metadata,
    Column("import_id", Uuid(), nullable=False),
    Column("row", BigInteger(), nullable=False),
    Column("nth", Integer(), nullable=False),
    Column("pointer", Text(), nullable=False),
    Column("code", Text(), nullable=False),
    Column("message", Text(), nullable=False),
    PrimaryKeyConstraint("tenant_id", "import_id", "row", "nth"),
)

import_touched = tenant_table(
    "import_touched",
    metadata,
    Column("import_id", Uuid(), nullable=False),
    Column("customer_id", Uuid(), nullable=False),
    PrimaryKeyConstraint("tenant_id", "import_id", "customer_id"),
)
