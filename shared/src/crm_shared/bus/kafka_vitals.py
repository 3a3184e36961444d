"""How Apache Kafka is.

The protocol has no question for a broker's time. The time it stamps on a record is one, so a record is written: to a
topic of its own with one partition, which keeps an hour.
"""

import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError

from crm_shared.bus.kafka_settings import KafkaSettings, spare_the_logs
from crm_shared.bus.port import Lag
from crm_shared.bus.vitals import BusVitals
from crm_shared.clock import SystemClock
from crm_shared.db.vitals import Unreachable

PROBE_TOPIC = "crm.doctor"
_REQUEST_TIMEOUT_MS = 10_000
_READ_WITHIN_S = 3.0
_LOOK_MS = 200
_PROBE = {"message.timestamp.type": "LogAppendTime", "retention.ms": "3600000", "segment.ms": "3600000"}
_FETCH_API = 1
_LEAST_FETCH_OF_4 = 4
"""Kafka 4.0 gave up the older forms of this request (KIP-896); the protocol tells no version number."""


async def look_at_kafka(url: str, groups: Mapping[str, Sequence[str]], topics: Sequence[str]) -> BusVitals:
    """Ask the brokers.

    Raises:
        Unreachable: they can't be asked.
    """
    settings = KafkaSettings.parse(url)
    spare_the_logs()
    client: dict[str, Any] = {**settings.client, "request_timeout_ms": _REQUEST_TIMEOUT_MS}
    try:
        async with AsyncExitStack() as stack:
            admin = AIOKafkaAdminClient(**client)
            stack.push_async_callback(admin.close)
            await admin.start()
            spare_the_logs()
            known = set(await admin.list_topics())
            replication = settings.replication or min(len((await admin.describe_cluster())["brokers"]), 3)
            if PROBE_TOPIC not in known:
                await admin.create_topics([NewTopic(PROBE_TOPIC, 1, replication, topic_configs=_PROBE)])
            ahead_s = await _ahead(client)
            consumer = AIOKafkaConsumer(**client, enable_auto_commit=False, auto_offset_reset="earliest")
            stack.push_async_callback(consumer.stop)
            await consumer.start()
            lags = {
                group: await _lag(admin, consumer, group, [topic for topic in read if topic in known], ahead_s or 0.0)
                for group, read in groups.items()
            }
            missing = [topic for topic in topics if topic not in known]
            return BusVitals("Apache Kafka", _outdated(admin), ahead_s, missing, lags)
    except (KafkaError, OSError, TimeoutError) as fault:
        raise Unreachable(f"{settings.servers}: {type(fault).__name__}: {fault}") from None


async def _ahead(client: Mapping[str, Any]) -> float | None:
    try:
        producer = AIOKafkaProducer(**client)
        try:
            await producer.start()
            await producer.send_and_wait(PROBE_TOPIC, b"")  # the first one pays for connecting
            before = time.monotonic()
            ours = SystemClock().now().timestamp()
            stamped = await producer.send_and_wait(PROBE_TOPIC, b"")
            took_s = time.monotonic() - before
        finally:
            await producer.stop()
    except KafkaError:
        return None  # not ours to write to
    return None if stamped.timestamp is None else stamped.timestamp / 1000 - ours - took_s / 2


async def _lag(
    admin: AIOKafkaAdminClient, consumer: AIOKafkaConsumer, group: str, topics: Sequence[str], ahead_s: float
) -> Lag:
    described = await admin.describe_topics(list(topics)) if topics else []
    places = [TopicPartition(topic["topic"], part["partition"]) for topic in described for part in topic["partitions"]]
    ends = await consumer.end_offsets(places)
    starts = await consumer.beginning_offsets(places)
    committed = await admin.list_consumer_group_offsets(group)
    behind: dict[TopicPartition, int] = {}
    records = 0
    for place in places:
        kept = committed.get(place)
        at = max(starts[place], kept.offset if kept is not None else 0)
        if ends[place] > at:
            behind[place] = at
            records += ends[place] - at
    return Lag(records, await _oldest(consumer, behind, ahead_s))


async def _oldest(consumer: AIOKafkaConsumer, behind: Mapping[TopicPartition, int], ahead_s: float) -> float:
    """How old the oldest record is that the group has not yet acknowledged, in seconds."""
    if not behind:
        return 0.0
    consumer.assign(list(behind))
    for place, at in behind.items():
        consumer.seek(place, at)
    oldest = now = SystemClock().now().timestamp() + ahead_s
    unseen, deadline = set(behind), time.monotonic() + _READ_WITHIN_S
    while unseen and time.monotonic() < deadline:
        for place, read in (await consumer.getmany(timeout_ms=_LOOK_MS)).items():
            unseen.discard(place)
            oldest = min(oldest, read[0].timestamp / 1000)
    return now - oldest


def _outdated(admin: AIOKafkaAdminClient) -> str:
    for connection in admin._client._conns.values():  # noqa: SLF001 # aiokafka keeps what it learnt there
        least, _ = connection._versions.get(_FETCH_API, (_LEAST_FETCH_OF_4, 0))  # noqa: SLF001
        if least < _LEAST_FETCH_OF_4:
            return "a broker from before Kafka 4"
    return ""
