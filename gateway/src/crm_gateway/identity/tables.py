"""Tenants and who may act in them. Every table is behind the tenant wall, the directory too.

A credential or a log-in form names no tenant, so one question has to be asked before any tenant is known: whose is
this handle? `gateway_tenant_of(kind, handle)` answers it with one tenant id for one exact handle. It runs with its
owner's rights (SECURITY DEFINER, see the migration `tenant of`); nothing else sees over the wall, and nothing can list.
"""

from sqlalchemy import (
    ARRAY,
    Column,
    DateTime,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Text,
    UniqueConstraint,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB

from crm_gateway.metadata import metadata
from crm_shared.db.metadata import tenant_table


def _at(name: str, *, nullable: bool = False) -> "Column[object]":
    return Column(name, DateTime(timezone=True), nullable=nullable)


tenant = tenant_table(
    "tenant",
    metadata,
    Column("slug", Text(collation="C"), nullable=False),
    Column("name", Text(), nullable=False),
    Column("state", Text(), nullable=False),
    Column("version", Integer(), nullable=False),
    _at("created_at"),
    PrimaryKeyConstraint("tenant_id"),
    outlives=True,
)

app_user = tenant_table(
    "app_user",
    metadata,
    Column("id", Uuid(), nullable=False),
    Column("email", Text(), nullable=False),
    Column("email_folded", Text(collation="C"), nullable=False),
    Column("name", Text(), nullable=False),
    Column("password_hash", Text(), nullable=True),
    Column("roles", ARRAY(Text()), nullable=False),
    Column("teams", ARRAY(Text()), nullable=False),
    Column("partner", Text(), nullable=True),
    Column("state", Text(), nullable=False),
    Column("version", Integer(), nullable=False),
    _at("created_at"),
    PrimaryKeyConstraint("tenant_id", "id"),
    UniqueConstraint("tenant_id", "email_folded", name="user_email_taken"),
)

api_key = tenant_table(
    "api_key",
    metadata,
    Column("id", Uuid(), nullable=False),
    Column("name", Text(), nullable=False),
    Column("roles", ARRAY(Text()), nullable=False),
    Column("secret_hash", LargeBinary(), nullable=False),
    Column("previous_hash", LargeBinary(), nullable=True),
    _at("previous_until", nullable=True),
    Column("version", Integer(), nullable=False),
    Column("created_by", Text(), nullable=False),
    _at("created_at"),
    _at("expires_at", nullable=True),
    _at("revoked_at", nullable=True),
    PrimaryKeyConstraint("tenant_id", "id"),
)

session = tenant_table(
    "session",
    metadata,
    Column("id", Uuid(), nullable=False),
    Column("user_id", Uuid(), nullable=False),
    Column("secret_hash", LargeBinary(), nullable=False),
    _at("created_at"),
    _at("expires_at"),
    PrimaryKeyConstraint("tenant_id", "id"),
    ForeignKeyConstraint(["tenant_id", "user_id"], ["app_user.tenant_id", "app_user.id"]),
    Index("ix_session_user", "tenant_id", "user_id"),
)

directory = tenant_table(
    "directory",
    metadata,
    Column("kind", Text(collation="C"), nullable=False),
    Column("handle", Text(collation="C"), nullable=False),
    PrimaryKeyConstraint("tenant_id", "kind", "handle"),
    UniqueConstraint("kind", "handle", name="handle_taken"),
)

audit_entry = tenant_table(
    "audit_entry",
    metadata,
    Column("id", Uuid(), nullable=False),
    _at("at"),
    Column("actor", Text(), nullable=False),
    Column("action", Text(), nullable=False),
    Column("target", Text(), nullable=False),
    Column("details", JSONB(), nullable=False),
    PrimaryKeyConstraint("tenant_id", "id"),
    outlives=True,
)
