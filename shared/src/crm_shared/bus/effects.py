"""Handing events to a service's handlers, inside somebody else's transaction."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from uuid import UUID

from crm_shared.bus import metrics
from crm_shared.bus.handlers import Projections, Reactions, Tap, received
from crm_shared.bus.sequencing import ERASED, Step, mentioned_ids
from crm_shared.bus.spans import Place, processing
from crm_shared.clock import Clock
from crm_shared.db.inbox import erased_among, mark_erased
from crm_shared.db.parking import blank_mentions
from crm_shared.db.pool import Tx
from crm_shared.errors import Invalid
from crm_shared.events import Envelope, is_told_by_others, topic_of
from crm_shared.ids import parse_id


class Effects:
    """What one service does with events: its taps, its projections, then its reactions."""

    def __init__(
        self, projections: Projections, reactions: Reactions, clock: Clock, *, taps: Sequence[Tap] = ()
    ) -> None:
        self._projections = projections
        self._reactions = reactions
        self._clock = clock
        self.place = Place()
        self._taps = taps
        handled = {topic_of(kind) for kind in (*projections.handlers, *reactions.handlers)}
        self._tapped = frozenset[str]().union(*(tap.topics for tap in taps))
        self._only_tapped = self._tapped - handled
        self.topics = sorted(handled | self._tapped)

    def in_sequence(self, topic: str) -> bool:
        """Whether an event of this topic has to wait for those before it."""
        return topic not in self._only_tapped and not is_told_by_others(topic)

    async def apply(self, tx: Tx, steps: Sequence[Step]) -> None:
        """Apply one round: at most one event of each key."""
        wanted = [step for step in steps if self._concerns(step)]
        if not wanted:
            return
        wanted = await self._without_erased(tx, wanted)
        for tap in self._taps:
            await tap.take(tx, [step.envelope for step in wanted if step.envelope.topic in tap.topics])
        await self._project(tx, [step.envelope for step in wanted if step.projections])
        for step in wanted:
            if step.reactions:
                await self._react(tx, step.envelope)

    def _concerns(self, step: Step) -> bool:
        kind = step.envelope.type
        handled = kind in self._projections.handlers or kind in self._reactions.handlers
        return handled or kind.endswith(ERASED) or step.envelope.topic in self._tapped

    async def _without_erased(self, tx: Tx, steps: Sequence[Step]) -> list[Step]:
        """Leave out what speaks of an erased person, so that a late receipt recreates nobody."""
        for step in steps:
            if step.envelope.type.endswith(ERASED):
                await mark_erased(tx, step.envelope.aggregate_id, now=self._clock.now())
                await blank_mentions(tx, step.envelope.subject)
        ids = {id(step): _ids(step.envelope) for step in steps}
        gone = await erased_among(tx, set[UUID]().union(*ids.values()))
        return [step for step in steps if step.envelope.type.endswith(ERASED) or not (ids[id(step)] & gone)]

    async def _project(self, tx: Tx, envelopes: Sequence[Envelope]) -> None:
        by_type: dict[str, list[Envelope]] = {}
        for envelope in envelopes:
            by_type.setdefault(envelope.type, []).append(envelope)
        for kind, group in by_type.items():
            for handler in self._projections.handlers.get(kind, ()):
                with processing(self.place, group, handler.call), _timed(self.place, kind):
                    await handler.call(tx, [received(envelope, handler.model) for envelope in group])

    async def _react(self, tx: Tx, envelope: Envelope) -> None:
        for handler in self._reactions.handlers.get(envelope.type, ()):
            with processing(self.place, (envelope,), handler.call), _timed(self.place, envelope.type):
                await handler.call(tx, received(envelope, handler.model), now=self._clock.now())


def _timed(place: Place, kind: str) -> AbstractContextManager[object]:
    return metrics.HANDLER_SECONDS.labels(place.service, kind).time()


def _ids(envelope: Envelope) -> set[UUID]:
    """The event's aggregate and whatever public ids its data mentions."""
    found = {envelope.aggregate_id}
    for text in mentioned_ids(envelope.payload()):
        try:
            found.add(parse_id(text.rpartition("_")[0], text))
        except Invalid:
            continue
    return found
