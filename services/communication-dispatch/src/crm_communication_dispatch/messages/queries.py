"""Reading the ledger: messages, why they went or didn't, and how much a customer already got."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from crm_communication_dispatch.customers import store as customers
from crm_communication_dispatch.governance import store as governance
from crm_communication_dispatch.governance.domain import (
    LOOK_BACK,
    Cap,
    QuietHours,
    Suppression,
    Window,
    quiet_until,
    window_bounds,
    zone_of,
)
from crm_communication_dispatch.messages.domain import Attempt, Message, Receipt
from crm_communication_dispatch.messages.store import ledger
from crm_shared.db.pool import Tx
from crm_shared.tenancy import Viewer


class Filters(Protocol):
    """Which messages."""

    @property
    def customer_id(self) -> UUID | None: ...

    @property
    def campaign_id(self) -> UUID | None: ...

    @property
    def status(self) -> str | None: ...

    @property
    def purpose(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a message was sent or wasn't, and all that was tried and said."""

    message: Message
    attempts: list[Attempt]
    receipts: list[Receipt]


@dataclass(frozen=True, slots=True)
class Pressure:
    """How much a customer got, against the caps of the customer's own calendar."""

    customer_id: UUID
    time_zone: str
    windows: Mapping[Window, int]
    caps: list[tuple[Cap, int]]
    quiet: Mapping[str, tuple[QuietHours, datetime | None]]
    suppressions: list[Suppression]


async def get_message(tx: Tx, viewer: Viewer, message_id: UUID) -> Message | None:
    """One message."""
    del viewer
    return await ledger.get(tx, message_id)


async def list_messages(
    tx: Tx, viewer: Viewer, filters: Filters, *, limit: int, after: tuple[Any, ...] | None
) -> list[Message]:
    """Messages, newest first."""
    del viewer
    where = {
        "customer_id": filters.customer_id,
        "campaign_id": filters.campaign_id,
        "status": filters.status,
        "purpose": filters.purpose,
    }
    return await ledger.list_messages(tx, where, limit=limit, after=after)


async def explain_message(tx: Tx, viewer: Viewer, message_id: UUID) -> Explanation | None:
    """Why a message was sent or wasn't."""
    del viewer
    message = await ledger.get(tx, message_id)
    if message is None:
        return None
    return Explanation(message, await ledger.attempts_of(tx, message_id), await ledger.receipts_of(tx, message_id))


async def get_pressure(tx: Tx, viewer: Viewer, customer_id: UUID, *, now: datetime) -> Pressure | None:
    """How much a customer got, and what the policy leaves."""
    del viewer
    customer = await customers.get_customer(tx, customer_id)
    if customer is None:
        return None
    policy = await governance.get_policy(tx)
    zone = zone_of(customer.time_zone, policy.time_zone)
    both = [customer_id, *([customer.id] if customer.id != customer_id else [])]
    found = await ledger.sent_to(tx, both, since=now - LOOK_BACK)
    sent = [one for of_id in found.values() for one in of_id]
    windows = {window: window_bounds(window, zone, now) for window in Window}
    counted = {window: sum(1 for one in sent if start <= one.at < end) for window, (start, end) in windows.items()}
    caps: list[tuple[Cap, int]] = []
    for cap in policy.caps:
        start, end = windows[cap.window]
        used = [one for one in sent if start <= one.at < end and one.purpose not in policy.urgent]
        caps.append((cap, sum(1 for one in used if cap.counts(one.channel, one.purpose))))
    suppressions: list[Suppression] = []
    for channel in ("email", "sms"):
        address = customer.address(channel)
        suppressions += await governance.suppressions_for(
            tx, channel=channel, customers=both, addresses=[address.lower()] if address else []
        )
    quiet = {channel: (hours, quiet_until(hours, zone, now)) for channel, hours in policy.quiet_hours.items()}
    return Pressure(customer_id, zone.key, counted, caps, quiet, suppressions)
