"""What a demo came to, by the answers it got and by the databases themselves."""

import asyncio
import time
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg

from crm_shared.db.embedded import EmbeddedPostgres
from crm_shared.events import topic_of
from crm_shared.runtime import Service
from crm_suite.allinone.databases import Server
from crm_suite.allinone.home import Home
from crm_suite.demo.stage import Stage
from crm_suite.topology import GATEWAY, database_of, load_suite

_QUIET_WITHIN_S = 90.0
COUNTED = {
    "customer": (
        "customer", "consent_state", "consent_entry", "money_fact", "segment_member", "lifecycle",
        "lifecycle_transition", "value_rating",
    ),
    "sales-pipeline": (
        "lead", "deal", "deal_transition", "quote", "quote_line", "sales_order", "order_line", "payment", "seller",
    ),
    "communication-dispatch": ("message", "audience_member", "response", "suppression", "inbound_mail"),
    "contact-center": ("interaction", "ticket", "ticket_event", "survey_invitation", "agent"),
}  # fmt: skip
"""Tables that hold one row per business fact; those of tries, offers and clicks may rightly differ after a kill."""
_BY_CHANCE = {"accepted", "unknown", "timeline_kinds"}
"""Figures that a mail in the air changes: it may have arrived, so it is never sent again, and counts as unknown."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The totals of one demo, what its events came to, and the addresses of mails that nobody knows the fate of."""

    totals: dict[str, Any]
    applied: int
    missing: int
    parked: int
    unknown: frozenset[str]

    def differing(self, other: "Outcome") -> dict[str, tuple[Any, Any]]:
        """The totals that are not the same, each with both values."""
        names = self.totals.keys() | other.totals.keys()
        return {
            name: (self.totals.get(name), other.totals.get(name))
            for name in sorted(names)
            if self.totals.get(name) != other.totals.get(name)
        }


@dataclass(frozen=True, slots=True)
class _Flow:
    """How far the events of a tenant have come."""

    applied: int
    missing: int
    parked: int
    unsent: int

    @property
    def quiet(self) -> bool:
        return self.missing == self.unsent == 0


async def outcome_of(stage: Stage, home: Home) -> Outcome:
    """Wait until no event is on its way any more, then count."""
    server = Server(EmbeddedPostgres(home.postgres))
    tenant = await _tenant_id(server, stage.tenant)
    deadline = time.monotonic() + _QUIET_WITHIN_S
    flow = await _flow(server, tenant)
    while not flow.quiet and time.monotonic() < deadline:
        await asyncio.sleep(0.2)
        flow = await _flow(server, tenant)
    figures = {name: value for name, value in stage.figures.as_dict().items() if name not in _BY_CHANCE}
    figures["went out"] = stage.figures.accepted + stage.figures.unknown
    figures["told of the star"] = sorted(stage.figures.timeline_kinds.keys() - {"message.accepted"})
    return Outcome(
        totals=figures | await _counts(server, tenant),
        applied=flow.applied,
        missing=flow.missing + flow.unsent,
        parked=flow.parked,
        unknown=await _unknown(server, tenant),
    )


async def _counts(server: Server, tenant: UUID) -> dict[str, int]:
    found: dict[str, int] = {}
    for service, tables in COUNTED.items():
        for table in tables:
            rows = await _ask(server, service, f'SELECT count(*) FROM "{table}" WHERE tenant_id = $1', tenant)
            found[f"rows of {service}.{table}"] = rows[0][0]
    return found


async def _flow(server: Server, tenant: UUID) -> _Flow:
    """Compare every owner's sequences with what each consumer of its topics has come to."""
    services = load_suite().services
    owned: dict[str, tuple[int, int]] = {}
    unsent = 0
    for service in services:
        unsent += (await _ask(server, service, "SELECT count(*) FROM outbox WHERE tenant_id = $1", tenant))[0][0]
        owned |= await _sequences(server, service, tenant)
    applied = missing = parked = 0
    for service in services.values():
        if service.name == GATEWAY:
            continue
        rows = await _ask(
            server, service.name, "SELECT key, epoch, seq, parked_at FROM consumer_key WHERE tenant_id = $1", tenant
        )
        reached = {row["key"]: (row["epoch"], row["seq"]) for row in rows}
        parked += sum(row["parked_at"] is not None for row in rows)
        for key, position in _wanted(service, owned):
            applied += reached.get(key, (0, 0))[1]
            missing += position[1] - reached.get(key, (0, 0))[1]
    return _Flow(applied, missing, parked, unsent)


def _wanted(service: Service, owned: dict[str, tuple[int, int]]) -> list[tuple[str, tuple[int, int]]]:
    # What is only tapped keeps no count.
    topics = {topic_of(kind) for kind in (*service.projections.handlers, *service.reactions.handlers)}
    return [
        (key, position)
        for key, position in owned.items()
        if topic_of(f"crm.{key.partition(':')[0]}.any.v1") in topics and position[1]
    ]


async def _sequences(server: Server, service: str, tenant: UUID) -> dict[str, tuple[int, int]]:
    rows = await _ask(
        server, service, "SELECT aggregate, aggregate_id, epoch, seq FROM event_sequence WHERE tenant_id = $1", tenant
    )
    return {f"{row['aggregate']}:{row['aggregate_id']}": (row["epoch"], row["seq"]) for row in rows}


async def _unknown(server: Server, tenant: UUID) -> frozenset[str]:
    rows = await _ask(
        server,
        "communication-dispatch",
        "SELECT address FROM message WHERE tenant_id = $1 AND status = 'unknown'",
        tenant,
    )
    return frozenset(row["address"] for row in rows)


async def _tenant_id(server: Server, slug: str) -> UUID:
    connection = await asyncpg.connect(server.postgres.url(database_of(GATEWAY)))
    try:
        return await connection.fetchval("SELECT tenant_id FROM tenant WHERE slug = $1", slug)
    finally:
        await connection.close()


async def _ask(server: Server, service: str, statement: str, tenant: UUID) -> list[Any]:
    connection = await asyncpg.connect(server.postgres.url(database_of(service)))
    try:
        return await connection.fetch(statement, tenant)
    finally:
        await connection.close()
