"""Questions to the consent ledger."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from crm_customer.consent import store
from crm_customer.consent.domain import Answer, Entry, Member, answer
from crm_customer.consent.store import State
from crm_customer.parties.store import aliases
from crm_shared.db.pool import Tx
from crm_shared.tenancy import Viewer


@dataclass(frozen=True, slots=True)
class Question:
    """Was this allowed at `at`, by what was known at `known_at`?"""

    purpose: str
    channel: str
    at: datetime
    known_at: datetime


async def check(tx: Tx, viewer: Viewer, customer_id: UUID, asked: Question) -> Answer:
    """Whether something was allowed at a time, as it was known at a time, and what proves it.

    Raises:
        NotFound: there is no such customer.
    """
    answering, ids = await aliases.family(tx, customer_id)
    merged = (await aliases.families(tx, [answering]))[answering]
    since = merged.get(customer_id)
    if since is not None and since > min(asked.at, asked.known_at):
        ids = [customer_id]  # before the merge the record stood for itself
    entries: defaultdict[UUID, list[Entry]] = defaultdict(list)
    for entry in await store.of_customers(tx, ids):
        if (entry.purpose, entry.channel) == (asked.purpose, asked.channel):
            entries[entry.customer_id].append(entry)
    alone = len(ids) == 1
    members = [Member(each, entries[each], None if alone else merged.get(each)) for each in ids]
    return answer(members, asked.at, known_at=asked.known_at)


async def current(tx: Tx, viewer: Viewer, customer_id: UUID) -> Sequence[State]:
    """What holds now, purpose by purpose.

    Raises:
        NotFound: there is no such customer.
    """
    answering = await aliases.answering(tx, customer_id)
    states = await store.states(tx, [answering])
    return sorted(states.values(), key=lambda state: (state.purpose, state.channel))


async def ledger(
    tx: Tx, viewer: Viewer, customer_id: UUID, *, limit: int, after: tuple[Any, ...] | None
) -> list[Entry]:
    """A page of all that was ever recorded, the latest first.

    Raises:
        NotFound: there is no such customer.
    """
    _, ids = await aliases.family(tx, customer_id)
    return await store.page(tx, ids, limit=limit, before=after[-1] if after else store.LAST_ID)
