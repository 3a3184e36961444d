"""Surveys, who was asked what, and the key that signs their tokens."""

from sqlalchemy import (
    Boolean,
    Column,
    DateTime,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    SmallInteger,
    Text,
    UniqueConstraint,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB

from crm_contact_center.metadata import metadata
from crm_shared.db.metadata import tenant_table

survey = tenant_table(
    "survey",
    metadata,
    Column("id", Uuid(), nullable=False),
    Column("name", Text(), nullable=False),
    Column("kind", Text(), nullable=False),
    Column("question", Text(), nullable=False),
    Column("trigger", Text(), nullable=False),
    Column("channels", JSONB(), nullable=False),
    Column("sampling_percent", SmallInteger(), nullable=False),
    Column("rest_days", SmallInteger(), nullable=False),
    Column("low_at", SmallInteger()),
    Column("active", Boolean(), nullable=False),
    Column("version", Integer(), nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    PrimaryKeyConstraint("tenant_id", "id"),
    UniqueConstraint("tenant_id", "name", name="survey_name_taken"),
)

survey_invitation = tenant_table(
    "survey_invitation",
    metadata,
    Column("id", Uuid(), nullable=False),
    Column("survey_id", Uuid(), nullable=False),
    Column("kind", Text(), nullable=False),
    Column("customer_id", Uuid(), nullable=False),
    Column("interaction_id", Uuid()),
    Column("ticket_id", Uuid()),
    Column("touchpoint_id", Uuid(), nullable=False),
    Column("touchpoint", Text(), nullable=False),
    Column("channel", Text()),
    Column("state", Text(), nullable=False),
    Column("invited_at", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Column("answered_at", DateTime(timezone=True)),
    Column("answered_by", Text()),
    Column("score", SmallInteger()),
    Column("comment", Text()),
    Column("follow_up_id", Uuid()),
    Column("version", Integer(), nullable=False),
    PrimaryKeyConstraint("tenant_id", "id"),
    ForeignKeyConstraint(["tenant_id", "survey_id"], ["survey.tenant_id", "survey.id"]),
    UniqueConstraint("tenant_id", "survey_id", "touchpoint_id", name="survey_asked_already"),
    Index("ix_survey_invitation_customer_id", "tenant_id", "customer_id", "invited_at"),
    Index("ix_survey_invitation_invited_at", "tenant_id", "invited_at", "id"),
)

survey_key = tenant_table(
    "survey_key",
    metadata,
    Column("key", LargeBinary(), nullable=False),
    PrimaryKeyConstraint("tenant_id"),
)
