"""Which record answers for which, given all merges in force."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Merge:
    """One record was found to be the same customer as another; undone by retracting it."""

    id: UUID
    survivor_id: UUID
    merged_id: UUID
    merged_at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Alias:
    """A record and the customer that answers for it, since when."""

    alias_id: UUID
    customer_id: UUID
    merged_at: datetime


def aliases(merges: Iterable[Merge]) -> dict[UUID, Alias]:
    """The records that don't answer for themselves: each is followed to the end of its chain of merges.

    The result depends on nothing but the merges in force. So retracting one gives exactly what would be if it had never
    been made, whatever was merged in between.
    """
    upward = {merge.merged_id: merge for merge in merges}
    return {alias_id: _followed(alias_id, upward) for alias_id in upward}


def _followed(alias_id: UUID, upward: Mapping[UUID, Merge]) -> Alias:
    merge = upward[alias_id]
    since = merge.merged_at
    while merge.survivor_id in upward:
        merge = upward[merge.survivor_id]
        since = max(since, merge.merged_at)
    return Alias(alias_id, merge.survivor_id, since)
