"""Keeping what the services publish, for readers without the bus."""

from collections.abc import Sequence
from uuid import UUID

from crm_gateway.subscriptions import store
from crm_gateway.subscriptions.domain import ERASED
from crm_gateway.subscriptions.store import Arrived
from crm_shared.bus.sequencing import mentioned_ids
from crm_shared.db.pool import Tx
from crm_shared.errors import Invalid
from crm_shared.events import Envelope
from crm_shared.ids import parse_id


async def keep(tx: Tx, envelopes: Sequence[Envelope]) -> None:
    """Keep events as they came; an erasure first removes whatever is kept about the person."""
    arrived: list[Arrived] = []
    for envelope in envelopes:
        if envelope.type.endswith(ERASED):
            await store.forget(tx, envelope.aggregate_id)
        arrived.append(_arrived(envelope))
    if arrived:
        await store.keep(tx, arrived)


def _arrived(envelope: Envelope) -> Arrived:
    return Arrived(envelope.id, envelope.type, envelope.subject, _about(envelope), envelope.to_bytes().decode())


def _about(envelope: Envelope) -> list[UUID]:
    found = {envelope.aggregate_id}
    for text in mentioned_ids(envelope.payload()):
        try:
            found.add(parse_id(text.rpartition("_")[0], text))
        except Invalid:
            continue
    return sorted(found)
