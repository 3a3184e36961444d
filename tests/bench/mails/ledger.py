"""A campaign that is free to go: its readers, its template, and one queued row of the ledger for each."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import asyncpg

from crm_communication_dispatch.templates import store as templates
from crm_communication_dispatch.templates.domain import (
    Content,
    EmailText,
    Template,
    TemplateVersion,
    VersionStatus,
    content_hash,
)
from crm_shared.db.pool import Database, prepare_connection
from crm_shared.ids import new_id

# About 4.9 kB in two parts, as the mails of the peers' measurements; name, link and way out are each reader's own.
_TEXT = (
    "Dear {{ customer.display_name }},\n\n"
    + "We have something for you that we think you will like, and a line to read on it.\n" * 20
    + "\nSee it at https://shop.example/new?from=mail\n\nNo more of this: {{ links.unsubscribe }}\n"
)
_HTML = (
    "<html><body><h1>Dear {{ customer.given_name|default('reader') }}</h1>\n"
    + "<p>We have something for you that we think you will like, and a line to read about it.</p>\n" * 30
    + '<p><a href="https://shop.example/new?from=mail">See it</a></p>\n'
    '<p><a href="{{ links.unsubscribe }}">No more of this</a></p></body></html>\n'
)
WORDING = EmailText("{{ customer.given_name|default('You') }}, something new", _TEXT, _HTML)


async def queue_campaign(database: Database, admin_url: str, tenant: UUID, count: int) -> None:
    """Write `count` readers who agreed to marketing mail, and their messages, due now."""
    now = datetime.now(UTC)
    template = await _template(database, tenant, now)
    readers, campaign = [new_id() for _ in range(count)], new_id()

    connection: asyncpg.Connection[Any] = await asyncpg.connect(admin_url)
    try:
        await prepare_connection(connection)
        await _copy(connection, "customer", (_reader(tenant, key, n) for n, key in enumerate(readers)))
        await _copy(connection, "consent", (_consent(tenant, key, now) for key in readers))
        await _copy(connection, "message", (_message(tenant, key, template, campaign, now) for key in readers))
        await connection.execute("VACUUM ANALYZE")
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()


async def states(admin_url: str, tenant: UUID) -> dict[str, int]:
    """How many messages are in each state."""
    connection: asyncpg.Connection[Any] = await asyncpg.connect(admin_url)
    try:
        rows = await connection.fetch(
            "SELECT status, count(*) AS n FROM message WHERE tenant_id = $1 GROUP BY 1", tenant
        )
        return {row["status"]: row["n"] for row in rows}
    finally:
        await connection.close()


async def _template(database: Database, tenant: UUID, now: datetime) -> UUID:
    key, content = new_id(), Content({"en": WORDING}, {})
    version = TemplateVersion(
        template_id=key,
        number=1,
        status=VersionStatus.APPROVED,
        languages=("en",),
        variables=(),
        content=content,
        content_hash=content_hash(["en"], [], content),
        created_by="usr_author",
        created_at=now,
        approved_by="usr_boss",
        approved_at=now,
        version=2,
    )
    async with database.transaction(tenant) as tx:
        await templates.add(tx, Template(key, "News", "marketing", 1, 1, 1, now, now))
        await templates.add_version(tx, version)
    return key


def _reader(tenant: UUID, key: UUID, number: int) -> dict[str, Any]:
    email = f"reader{number}@example.org"
    return {
        "tenant_id": tenant, "id": key, "known": True, "display_name": f"Ann Lee {number}", "given_name": "Ann",
        "family_name": "Lee", "email": email, "email_folded": email, "language": "en", "time_zone": "Europe/Berlin",
        "country": "DE",
    }  # fmt: skip


def _consent(tenant: UUID, key: UUID, now: datetime) -> dict[str, Any]:
    return {
        "tenant_id": tenant, "customer_id": key, "purpose": "marketing", "channel": "email", "consent_id": new_id(),
        "status": "granted", "effective_at": now - timedelta(days=1), "expires_at": None,
    }  # fmt: skip


def _message(tenant: UUID, reader: UUID, template: UUID, campaign: UUID, now: datetime) -> dict[str, Any]:
    return {
        "tenant_id": tenant, "id": new_id(), "customer_id": reader, "channel": "email", "purpose": "marketing",
        "campaign_id": campaign, "step": "", "variant": "A", "template_id": template, "template_number": 1,
        "variables": {}, "status": "queued", "due_at": now, "expires_at": now + timedelta(days=7), "attempts": 0,
        "explanation": {}, "cost": Decimal("0.0004"), "currency": "EUR", "created_by": "usr_author", "planned_at": now,
        "version": 1,
    }  # fmt: skip


async def _copy(connection: Any, table: str, rows: Iterable[dict[str, Any]]) -> None:
    listed = list(rows)
    columns = list(listed[0])
    await connection.copy_records_to_table(
        table, columns=columns, records=[tuple(row[name] for name in columns) for row in listed]
    )
