"""Which topics there are: derived from the event types that services declare, created before anyone publishes."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from crm_shared.bus.partition import PARTITIONS
from crm_shared.bus.port import RETENTION
from crm_shared.events import EventPayload, topic_of


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic as every adapter creates it.

    Whole segments are dropped, so a record lives for `retention` and one `segment` more at most.
    """

    name: str
    partitions: int = PARTITIONS
    retention: timedelta = RETENTION
    segment: timedelta = timedelta(days=1)


def catalogue(events: Iterable[type[EventPayload]]) -> list[Topic]:
    """The topics that carry these event types, by name."""
    return [Topic(name) for name in sorted({topic_of(event.TYPE) for event in events})]
