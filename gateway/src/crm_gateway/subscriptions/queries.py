"""Reading kept events, a bounded piece of work at a time."""

from collections.abc import Collection
from dataclasses import dataclass

from crm_gateway.subscriptions import store
from crm_gateway.subscriptions.domain import Head, KeptEvent
from crm_shared.db.pool import Tx

_LOOKED_THROUGH = 5_000
"""Events that one page looks through for those of the wanted types; a rare type needn't be found in one go."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a reader follows: these types, about this subject or any."""

    types: frozenset[str]
    subject: str | None = None

    def takes(self, event: KeptEvent) -> bool:
        """Whether this event is one of them."""
        return event.type in self.types and (self.subject is None or event.subject == self.subject)


@dataclass(frozen=True, slots=True)
class Batch:
    """Events in their order, how far was looked for them, and how far there was something to look at."""

    events: list[KeptEvent]
    reached: int
    head: Head

    @property
    def at_end(self) -> bool:
        """Whether nothing else was there."""
        return self.reached >= self.head.latest


async def read(tx: Tx, wanted: Wanted, position: int, *, limit: int) -> Batch:
    """The next events after a position."""
    head = await store.head(tx)
    if position >= head.latest:
        return Batch([], position, head)
    # By subject an index finds them however rare they are.
    up_to = head.latest if wanted.subject else min(position + _LOOKED_THROUGH, head.latest)
    types: Collection[str] = wanted.types
    events = await store.read_after(tx, position, limit=limit, types=types, subject=wanted.subject, up_to=up_to)
    return Batch(events, events[-1].position if len(events) == limit else up_to, head)
