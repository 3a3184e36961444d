"""Pipelines and their stages."""

from sqlalchemy import (
    ARRAY,
    Boolean,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    Numeric,
    PrimaryKeyConstraint,
    Text,
    Uuid,
)

from crm_sales_pipeline.metadata import METADATA
from crm_shared.db.metadata import tenant_table

pipeline = tenant_table(
    "pipeline",
    METADATA,
    Column("id", Uuid(), nullable=False),
    Column("name", Text(), nullable=False),
    Column("is_default", Boolean(), nullable=False),
    Column("active", Boolean(), nullable=False),
    Column("version", Integer(), nullable=False),
    PrimaryKeyConstraint("tenant_id", "id"),
    Index("uq_pipeline_default", "tenant_id", unique=True, postgresql_where="is_default"),
)

stage = tenant_table(
    "stage",
    METADATA,
    Column("pipeline_id", Uuid(), nullable=False),
    Column("key", Text(collation="C"), nullable=False),
    Column("name", Text(), nullable=False),
    Column("position", Integer(), nullable=False),
    Column("canonical", Text(), nullable=False),
    Column("probability", Numeric()),
    Column("required_fields", ARRAY(Text()), nullable=False),
    PrimaryKeyConstraint("tenant_id", "pipeline_id", "key"),
    ForeignKeyConstraint(["tenant_id", "pipeline_id"], ["pipeline.tenant_id", "pipeline.id"]),
)
