"""One member of a Kafka consumer group, by the rules that aiokafka's known faults call for.

`getmany` in a loop, never `async for`, which resets the idle clock inside aiokafka (#1187). No lock is shared between
the rebalance listener and the fetching task (#335): the listener only waits until nothing is in hand.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import (
    CommitFailedError,
    IllegalGenerationError,
    IllegalStateError,
    KafkaError,
    RebalanceInProgressError,
    UnknownMemberIdError,
)

from crm_shared.bus.kafka_settings import KafkaSettings
from crm_shared.bus.port import BusUnavailable, Delivered, Fenced, Lag, Place
from crm_shared.bus.wake import is_set_within
from crm_shared.clock import SystemClock

FINISH_WITHIN_S = 10.0
_REBALANCE_WITHIN_MS = 30_000
_POLL_WITHIN_MS = 300_000
_FENCED = (CommitFailedError, IllegalGenerationError, IllegalStateError, RebalanceInProgressError, UnknownMemberIdError)


def delivered_from(record: Any) -> Delivered:
    """A record of Kafka's as the port shows it; a foreign producer's odd bytes are shown as well as they can be."""
    return Delivered(
        topic=record.topic,
        key=(record.key or b"").decode(errors="replace"),
        value=record.value or b"",
        headers={name: value.decode(errors="replace") for name, value in record.headers},
        partition=record.partition,
        offset=record.offset,
        timestamp=datetime.fromtimestamp(record.timestamp / 1000, UTC),
    )


class _Listener(ConsumerRebalanceListener):
    """Gives what is in hand ten seconds to be finished and acknowledged before partitions go elsewhere."""

    def __init__(self, subscription: "KafkaSubscription") -> None:
        self._subscription = subscription

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Wait until nothing is in hand."""
        await self._subscription.finish_in_hand()

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Forget what was known about offsets."""
        self._subscription.forget_offsets()


class KafkaSubscription:
    """A group member."""

    def __init__(self, settings: KafkaSettings, group: str, topics: Sequence[str]) -> None:
        self._group = group
        self._topics = list(topics)
        self._nothing_in_hand = asyncio.Event()
        self._nothing_in_hand.set()
        self._deals = self._fetched_at_deal = 0
        self._committed: dict[TopicPartition, int] = {}
        self._oldest: dict[TopicPartition, float] = {}
        self._behind_since: dict[TopicPartition, float] = {}
        self._consumer = AIOKafkaConsumer(
            **settings.client,
            group_id=group,
            group_instance_id=settings.group_instance_id,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=int(settings.session_timeout_s * 1000),
            heartbeat_interval_ms=int(settings.session_timeout_s * 200),
            rebalance_timeout_ms=_REBALANCE_WITHIN_MS,
            max_poll_interval_ms=_POLL_WITHIN_MS,
            fetch_max_wait_ms=100,
        )

    async def start(self) -> None:
        """Join the group."""
        self._consumer.subscribe(self._topics, listener=_Listener(self))
        await self._consumer.start()

    @property
    def assignment(self) -> frozenset[Place]:
        """The partitions this member owns now."""
        return frozenset((place.topic, place.partition) for place in self._consumer.assignment())

    async def fetch(self, max_records: int, timeout_s: float) -> list[Delivered]:
        """New records of the partitions this member owns."""
        self._nothing_in_hand.set()
        self._oldest.clear()
        try:
            found = await self._consumer.getmany(timeout_ms=int(timeout_s * 1000), max_records=max_records)
        except (KafkaError, OSError) as error:
            raise BusUnavailable(f"Kafka is away: {type(error).__name__}: {error}") from error
        self._fetched_at_deal = self._deals
        records = [delivered_from(record) for part in found.values() for record in part]
        if records:
            self._nothing_in_hand.clear()
            self._oldest = {place: part[0].timestamp / 1000 for place, part in found.items() if part}
        return records

    async def acknowledge(self, delivered: Sequence[Delivered]) -> None:
        """Commit the offsets just after these records."""
        nexts: dict[TopicPartition, int] = {}
        for record in delivered:
            place = TopicPartition(record.topic, record.partition)
            nexts[place] = max(nexts.get(place, 0), record.offset + 1)
        if not nexts:
            return
        try:
            # A partition that was taken away and given back has been read on meanwhile: its offset would go back.
            if self._fetched_at_deal != self._deals or not nexts.keys() <= self._consumer.assignment():
                raise Fenced(f"{self._group}: a partition has been taken away")
            await self._consumer.commit(nexts)
        except _FENCED as error:
            raise Fenced(f"{self._group}: {type(error).__name__}: {error}") from error
        except (KafkaError, OSError) as error:
            raise BusUnavailable(f"Kafka is away: {type(error).__name__}: {error}") from error
        finally:
            self._nothing_in_hand.set()
            self._oldest.clear()
        self._committed |= nexts

    async def lag(self) -> Mapping[Place, Lag]:
        """Records behind and, as well as it can be known, the age of the oldest one, per owned partition."""
        places = sorted(self._consumer.assignment())
        try:
            ends = await self._consumer.end_offsets(places)
            for place in places:
                if place not in self._committed:
                    self._committed[place] = await self._first_wanted(place)
        except (KafkaError, OSError) as error:
            raise BusUnavailable(f"Kafka is away: {type(error).__name__}: {error}") from error
        now_s = SystemClock().now().timestamp()
        lags: dict[Place, Lag] = {}
        for place in places:
            behind = max(ends[place] - self._committed.get(place, ends[place]), 0)
            if behind:
                since_s = self._oldest.get(place, self._behind_since.setdefault(place, now_s))
            else:
                self._behind_since.pop(place, None)
                since_s = now_s
            lags[place.topic, place.partition] = Lag(behind, max(now_s - since_s, 0.0))
        return lags

    async def aclose(self) -> None:
        """Leave the group."""
        self._nothing_in_hand.set()
        with suppress(KafkaError, OSError, TimeoutError):
            async with asyncio.timeout(FINISH_WITHIN_S):
                await self._consumer.stop()

    async def finish_in_hand(self) -> None:
        """Wait, ten seconds at most, until what was fetched has been acknowledged or given up."""
        await is_set_within(self._nothing_in_hand, FINISH_WITHIN_S)

    def forget_offsets(self) -> None:
        """Partitions have been dealt anew."""
        self._deals += 1
        self._committed.clear()
        self._behind_since.clear()

    async def _first_wanted(self, place: TopicPartition) -> int:
        committed = await self._consumer.committed(place)
        if committed is not None:
            return committed
        return (await self._consumer.beginning_offsets([place]))[place]
