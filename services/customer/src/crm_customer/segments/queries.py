"""Questions about segments."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from crm_customer.lifecycle import store as lifecycle
from crm_customer.parties.domain import Customer
from crm_customer.parties.store import aliases, reading
from crm_customer.segments.domain.tree import Rule
from crm_customer.segments.store import segments as store
from crm_customer.segments.store.segments import Member, Segment
from crm_shared.db.pool import Tx
from crm_shared.errors import NotFound
from crm_shared.ids import public_id
from crm_shared.tenancy import Viewer

_FIRST_ID = UUID(int=0)
_LAST_ID = UUID(int=2**128 - 1)


@dataclass(frozen=True, slots=True)
class Found:
    """How many customers a rule finds, and a few of them."""

    count: int
    sample: Sequence[Customer]


async def preview(tx: Tx, rule: Rule, *, as_of: datetime | None, sample: int, now: datetime) -> Found:
    """What a rule would find now, or as of a time."""
    when = as_of or (await lifecycle.rules(tx)).present(now)
    count, ids = await store.preview(tx, rule, when, sample=sample)
    return Found(count, await reading.many(tx, ids))


async def get(tx: Tx, viewer: Viewer, segment_id: UUID) -> Segment | None:
    """One segment."""
    return await store.get(tx, segment_id)


async def page(tx: Tx, viewer: Viewer, *, limit: int, after: tuple[Any, ...] | None) -> list[Segment]:
    """A page of segments, the newest first."""
    return await store.page(tx, limit=limit, before=after[0] if after else _LAST_ID)


async def members(
    tx: Tx, viewer: Viewer, segment_id: UUID, *, limit: int, after: tuple[Any, ...] | None
) -> list[Member]:
    """A page of members by customer id.

    Raises:
        NotFound: there is no such segment.
    """
    if await store.get(tx, segment_id) is None:
        raise NotFound.of("segment", public_id("seg", segment_id))
    return await store.members_page(tx, segment_id, limit=limit, after=after[0] if after else _FIRST_ID)


async def of_customer(tx: Tx, viewer: Viewer, customer_id: UUID) -> list[Member]:
    """The segments a customer is in.

    Raises:
        NotFound: there is no such customer.
    """
    return await store.of_customer(tx, await aliases.answering(tx, customer_id))
