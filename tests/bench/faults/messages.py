"""What a bus may deliver although it should not: repetitions, swaps, rubbish; and events that nobody can handle."""

import asyncio
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from prometheus_client import REGISTRY
from tests.bench.figures import Figure, at_most

from crm_shared.bus.handlers import Received
from crm_shared.bus.port import Bus, Delivered, Record, Subscription
from crm_shared.db.parking import UNDECODABLE
from crm_shared.db.pool import NO_TENANT, Tx
from crm_shared.errors import Unavailable
from crm_shared.testing.bus import Counted, until
from crm_shared.testing.probe.app import SERVICE

from .checker import Outcome, at_rest, examine, longest_lag_s
from .load import load
from .stage import Played, Stage

_SLICE = 5
_RUBBISH = [b"", b"{", b"\xff\x00", b'{"specversion":"1.0"}', b"[]" * 1_000]


class _Unfaithful:
    """A bus that delivers every record twice and each two neighbours the wrong way round, a few at a time."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bus, name)

    async def subscribe(self, group: str, topics: Sequence[str]) -> Subscription:
        return cast(Subscription, _UnfaithfulMember(await self._bus.subscribe(group, topics)))


class _UnfaithfulMember:
    def __init__(self, member: Subscription) -> None:
        self._member = member
        self._fetched: list[Delivered] = []
        self._held: list[Delivered] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._member, name)

    async def fetch(self, max_records: int, timeout_s: float) -> list[Delivered]:
        if not self._held:
            self._fetched = await self._member.fetch(max_records, timeout_s)
            for at in range(0, len(self._fetched), 2):
                pair = self._fetched[at : at + 2]
                self._held += [*reversed(pair), *pair]
        given, self._held = self._held[:_SLICE], self._held[_SLICE:]
        return given

    async def acknowledge(self, delivered: Sequence[Delivered]) -> None:
        if not self._held:
            await self._member.acknowledge(self._fetched)


async def repeated_and_swapped(stage: Stage) -> Outcome:
    """Every record twice, neighbours swapped: repetitions are recognised, gaps park their keys and heal."""
    async with stage.line() as played:
        line = played.line
        line.count_in_ledger()
        repeated, gaps = _counted("crm_events_duplicate_total"), _counted("crm_event_gaps_total")
        relay, consumer = line.relay(), line.consumer(cast(Bus, _Unfaithful(line.bus)))
        line.begin(relay)
        line.begin(consumer)
        for nth in range(len(played.items) // 20):
            await asyncio.gather(
                *(line.write(played.tenant, item, nth, nth + 1, nth + 2) for item in played.items[nth % 7 :: 10])
            )
        await at_rest(line)
        await consumer.stop()
        await relay.stop()
        more = [
            Figure("repetitions recognised", _counted("crm_events_duplicate_total") - repeated, ""),
            Figure("gaps counted", _counted("crm_event_gaps_total") - gaps, ""),
        ]
        return Outcome(await examine(line), int(min(figure.value for figure in more)), more=more)


async def poison(stage: Stage) -> Outcome:
    """One key in a hundred has an event that always fails, one record in a hundred is none: no other key is late."""
    async with stage.line() as played:
        line = played.line
        sick = {item: nth % 2 for nth, item in enumerate(played.items[: max(len(played.items) // 100, 2)])}
        cured = asyncio.Event()
        line.count_in_ledger(failing=lambda event: sick.get(event.aggregate_id) == 0 and not cured.is_set())

        async def refuse(tx: Tx, event: Received[Counted], *, now: datetime) -> None:
            if sick.get(event.aggregate_id) == 1 and not cured.is_set():
                raise Unavailable("never before the cure \x00")

        line.reactions.on(line.counted.TYPE, Counted)(refuse)
        relay, consumer = line.relay(), line.consumer()
        line.begin(relay)
        line.begin(consumer)
        async with load(played):
            rubbish = await _throw_rubbish(played, stage.scale.load_s)

        await until(lambda: _all_but(played, sick))
        lag_s = await longest_lag_s(line, but=sick)
        waiting = await line.parked()
        names = {f"{line.aggregate}:{item}" for item in sick}
        healthy = [key for key in waiting if key["reason"] != UNDECODABLE and key["key"] not in names]
        cured.set()
        for key in waiting:
            place = (key["tenant_id"], key["key"])
            if key["tenant_id"] == NO_TENANT:
                await consumer.parked.skip(*place, actor="usr_operator", reason="rubbish")
            else:
                await consumer.parked.retry(*place, actor="usr_operator", reason="cured")
        await at_rest(line)
        await consumer.stop()
        await relay.stop()
        more = [Figure("healthy keys parked", len(healthy), "", at_most(0))]
        parked_as_due = int(len(waiting) - len(healthy) == len(sick) + rubbish)
        return Outcome(await examine(line), parked_as_due, lag_s=lag_s, more=more)


async def _throw_rubbish(played: Played, seconds: float) -> int:
    """Two undecodable records a second among 200; says how many in all."""
    thrown = 0
    for thrown, raw in enumerate((_RUBBISH * int(seconds))[: max(int(2 * seconds), 2)], 1):
        await played.line.bus.publish([Record(played.line.topic, f"{played.tenant}:{thrown}", raw)])
        await asyncio.sleep(0.5)
    return thrown


async def _all_but(played: Played, sick: Collection[UUID]) -> bool:
    """Whether every event of a healthy key is applied."""
    query = "SELECT count(*) AS n FROM {} WHERE aggregate_id <> ALL($1)"
    (made,) = await played.line.ask(0, query.format("committed"), list(sick))
    (done,) = await played.line.ask(1, query.format("ledger"), list(sick))
    return made["n"] <= done["n"]


def _counted(name: str) -> float:
    return REGISTRY.get_sample_value(name, {"service": SERVICE.name}) or 0.0
