"""Calendars and their versions; a version never changes once it is written."""

from sqlalchemy import (
    Column,
    DateTime,
    ForeignKeyConstraint,
    Integer,
    PrimaryKeyConstraint,
    Text,
    UniqueConstraint,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB

from crm_contact_center.metadata import metadata
from crm_shared.db.metadata import tenant_table

calendar = tenant_table(
    "calendar",
    metadata,
    Column("id", Uuid(), nullable=False),
    Column("name", Text(), nullable=False),
    Column("version", Integer(), nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    PrimaryKeyConstraint("tenant_id", "id"),
    UniqueConstraint("tenant_id", "name", name="calendar_name_taken"),
)

calendar_version = tenant_table(
    "calendar_version",
    metadata,
    Column("calendar_id", Uuid(), nullable=False),
    Column("version", Integer(), nullable=False),
    Column("zone", Text(), nullable=False),
    Column("weekly", JSONB(), nullable=False),
    Column("special_days", JSONB(), nullable=False),
    Column("made_at", DateTime(timezone=True), nullable=False),
    PrimaryKeyConstraint("tenant_id", "calendar_id", "version"),
    ForeignKeyConstraint(["tenant_id", "calendar_id"], ["calendar.tenant_id", "calendar.id"]),
)
