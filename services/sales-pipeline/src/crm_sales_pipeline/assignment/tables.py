"""Sellers, rules, and one row for each assignment ever made."""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB

from crm_sales_pipeline.metadata import METADATA
from crm_shared.db.metadata import tenant_table

seller = tenant_table(
    "seller",
    METADATA,
    Column("id", Uuid(), nullable=False),
    Column("name", Text(), nullable=False),
    Column("email", Text()),
    Column("active", Boolean(), nullable=False),
    Column("weight", Integer(), nullable=False),
    Column("capacity", Integer()),
    Column("teams", ARRAY(Text()), nullable=False),
    Column("partner", Text(collation="C")),
    Column("version", Integer(), nullable=False),
    PrimaryKeyConstraint("tenant_id", "id"),
    CheckConstraint("weight >= 0", name="weight"),
    CheckConstraint("capacity IS NULL OR capacity >= 0", name="capacity"),
)

assignment_rule = tenant_table(
    "assignment_rule",
    METADATA,
    Column("id", Uuid(), nullable=False),
    Column("name", Text(), nullable=False),
    Column("priority", Integer(), nullable=False),
    Column("strategy", Text(), nullable=False),
    Column("seed", BigInteger(), nullable=False),
    Column("sources", ARRAY(Text()), nullable=False),
    Column("windows", ARRAY(Text()), nullable=False),
    Column("partner", Text(collation="C")),
    Column("sellers", ARRAY(Uuid()), nullable=False),
    Column("enabled", Boolean(), nullable=False),
    Column("turn", BigInteger(), nullable=False),
    Column("last_seller", Uuid()),
    Column("version", Integer(), nullable=False),
    PrimaryKeyConstraint("tenant_id", "id"),
)

assignment = tenant_table(
    "assignment",
    METADATA,
    Column("id", Uuid(), nullable=False),
    Column("record_kind", Text(), nullable=False),
    Column("record_id", Uuid(), nullable=False),
    Column("rule_id", Uuid()),
    Column("rule_name", Text()),
    Column("strategy", Text(), nullable=False),
    Column("seed", BigInteger(), nullable=False),
    Column("turn", BigInteger(), nullable=False),
    Column("last_seller", Uuid()),
    Column("candidates", JSONB(), nullable=False),
    Column("chosen", Uuid()),
    Column("actor", Text(), nullable=False),
    Column("assigned_at", DateTime(timezone=True), nullable=False),
    Column("released_at", DateTime(timezone=True)),
    PrimaryKeyConstraint("tenant_id", "id"),
    Index("ix_assignment_record", "tenant_id", "record_kind", "record_id"),
    Index("ix_assignment_rule_id", "tenant_id", "rule_id", "id"),
    # What a seller carries now, counted at every choice.
    Index("ix_assignment_load", "tenant_id", "chosen", postgresql_where="released_at IS NULL"),
)
