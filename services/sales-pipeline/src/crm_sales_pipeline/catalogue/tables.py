"""Products, price books, prices."""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    ForeignKeyConstraint,
    Index,
    Integer,
    Numeric,
    PrimaryKeyConstraint,
    Text,
    UniqueConstraint,
    Uuid,
)

from crm_sales_pipeline.metadata import METADATA
from crm_shared.db.metadata import tenant_table

product = tenant_table(
    "product",
    METADATA,
    Column("id", Uuid(), nullable=False),
    Column("sku", Text(collation="C"), nullable=False),
    Column("name", Text(), nullable=False),
    Column("category", Text(collation="C")),
    Column("unit", Text(), nullable=False),
    Column("tax_rate", Numeric(), nullable=False),
    Column("active", Boolean(), nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("version", Integer(), nullable=False),
    PrimaryKeyConstraint("tenant_id", "id"),
    UniqueConstraint("tenant_id", "sku"),
    CheckConstraint("tax_rate >= 0 AND tax_rate < 1", name="tax_rate"),
)

price_book = tenant_table(
    "price_book",
    METADATA,
    Column("id", Uuid(), nullable=False),
    Column("name", Text(), nullable=False),
    Column("currency", Text(collation="C"), nullable=False),
    Column("prices_include_tax", Boolean(), nullable=False),
    Column("rounding", Text(), nullable=False),
    Column("tax_rounding", Text(), nullable=False),
    Column("valid_from", Date(), nullable=False),
    Column("valid_to", Date()),
    Column("channel", Text(collation="C")),
    Column("approval_discount_percent", Numeric()),
    Column("approval_total", Numeric()),
    Column("active", Boolean(), nullable=False),
    Column("version", Integer(), nullable=False),
    PrimaryKeyConstraint("tenant_id", "id"),
    CheckConstraint("valid_to IS NULL OR valid_to >= valid_from", name="validity"),
)

price = tenant_table(
    "price",
    METADATA,
    Column("price_book_id", Uuid(), nullable=False),
    Column("product_id", Uuid(), nullable=False),
    Column("min_quantity", Numeric(), nullable=False),
    Column("valid_from", Date(), nullable=False),
    Column("valid_to", Date()),
    Column("unit_price", Numeric(), nullable=False),
    PrimaryKeyConstraint("tenant_id", "price_book_id", "product_id", "min_quantity", "valid_from"),
    ForeignKeyConstraint(["tenant_id", "price_book_id"], ["price_book.tenant_id", "price_book.id"]),
    ForeignKeyConstraint(["tenant_id", "product_id"], ["product.tenant_id", "product.id"]),
    Index("ix_price_product_id", "tenant_id", "product_id"),
    CheckConstraint("unit_price >= 0", name="unit_price"),
    CheckConstraint("min_quantity >= 0", name="min_quantity"),
)
