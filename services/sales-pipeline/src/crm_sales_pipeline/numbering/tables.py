"""Where each tenant's document numbers have got to."""

from sqlalchemy import BigInteger, Column, Integer, PrimaryKeyConstraint, Text

from crm_sales_pipeline.metadata import METADATA
from crm_shared.db.metadata import tenant_table

number_series = tenant_table(
    "number_series",
    METADATA,
    Column("kind", Text(), nullable=False),
    Column("year", Integer(), nullable=False),
    Column("last", BigInteger(), nullable=False),
    PrimaryKeyConstraint("tenant_id", "kind", "year"),
)
