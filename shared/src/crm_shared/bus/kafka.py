"""The bus on Apache Kafka 4, through aiokafka.

Idempotent, acknowledged by all in-sync replicas, no transactions: effects live in databases outside Kafka's. Its
producer never gives up on a batch by itself, so whoever waits is released when the bus closes or after a minute, and
the producer is thrown away: a new one starts with a clean sequence (aiokafka #1017).
"""

import asyncio
from collections.abc import AsyncGenerator, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from typing import Any, ClassVar

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, RecordListTooLargeError, RecordTooLargeError

from crm_shared.bus.catalogue import Topic
from crm_shared.bus.kafka_settings import KafkaSettings, spare_the_logs
from crm_shared.bus.kafka_subscription import KafkaSubscription, delivered_from
from crm_shared.bus.partition import partition_of
from crm_shared.bus.port import (
    MAX_RECORD_BYTES,
    BusError,
    BusUnavailable,
    Delivered,
    Record,
    RecordRefused,
    TopicMissing,
)
from crm_shared.observability.logs import logger

_log = logger("bus.kafka")
_PUBLISH_WITHIN_S = 60.0
_CLOSE_WITHIN_S = 5.0
_REQUEST_TIMEOUT_MS = 15_000
_MAX_REQUEST_BYTES = 1_048_576
_BATCH_BYTES = 131_072
_CREATED_WITHIN_S = 15.0
_ALREADY_EXISTS = 36
_TOO_LARGE = (MessageSizeTooLargeError, RecordListTooLargeError, RecordTooLargeError)


def partition_for(key: bytes, partitions: Sequence[int], _: Sequence[int]) -> int:
    """The contract's partitioner in the form aiokafka asks for."""
    return partitions[partition_of(key.decode(), len(partitions))]


@asynccontextmanager
async def _unavailable_when_away() -> AsyncGenerator[None]:
    try:
        yield
    except (KafkaError, OSError, TimeoutError) as error:
        raise BusUnavailable(f"Kafka is away: {type(error).__name__}: {error}") from error


class _Line:
    """One producer from start to end, and an event for those who wait for it in vain."""

    def __init__(self, settings: KafkaSettings) -> None:
        self.gone = asyncio.Event()
        self.producer = AIOKafkaProducer(
            **settings.client,
            acks="all",
            enable_idempotence=True,
            partitioner=partition_for,
            linger_ms=0,
            max_batch_size=_BATCH_BYTES,
            max_request_size=_MAX_REQUEST_BYTES,
            request_timeout_ms=_REQUEST_TIMEOUT_MS,
        )

    async def send(self, records: Sequence[Record]) -> None:
        """Hand all over, then await every acknowledgement."""
        sent: list[asyncio.Future[Any]] = []
        for record in records:
            headers = [(name, text.encode()) for name, text in record.headers.items()]
            future = await self.producer.send(record.topic, record.value, record.key.encode(), headers=headers)
            # Should nobody wait for it any more, its failure is no news.
            future.add_done_callback(lambda done: done.cancelled() or done.exception())
            sent.append(future)
        # Shielded: aiokafka's own bookkeeping hangs on these futures.
        results = await asyncio.gather(*map(asyncio.shield, sent), return_exceptions=True)
        refused = [at for at, result in enumerate(results) if isinstance(result, _TOO_LARGE)]
        if refused:
            raise RecordRefused(refused, "refused as too large by a broker")
        for result in results:
            if isinstance(result, BaseException):
                raise result

    async def close(self, *, flush: bool) -> None:
        """Stop, and drop what can't be sent in a few seconds: by itself a batch never expires."""
        if flush:
            with suppress(TimeoutError, KafkaError):
                async with asyncio.timeout(_CLOSE_WITHIN_S):
                    await self.producer.flush()
        self.gone.set()
        self.producer._closed = True  # noqa: SLF001 # stop() would wait for those batches
        for closing in (self.producer._sender.close(), self.producer.client.close()):  # noqa: SLF001
            with suppress(TimeoutError, KafkaError, OSError):
                async with asyncio.timeout(_CLOSE_WITHIN_S):
                    await closing


class KafkaBus:
    """Kafka as one process sees it."""

    system: ClassVar[str] = "kafka"

    def __init__(self, url: str) -> None:
        self._settings = KafkaSettings.parse(url)
        self._line: _Line | None = None
        self._starting = asyncio.Lock()
        self._topics: set[str] = set()
        self._closed = False
        self._closings: set[asyncio.Task[None]] = set()

    async def publish(self, records: Sequence[Record]) -> None:
        """Send all, then await all; a batch's records of one key go out in its order."""
        if not records:
            return
        oversized = [at for at, record in enumerate(records) if len(record.value) > MAX_RECORD_BYTES]
        if oversized:
            raise RecordRefused(oversized, f"larger than {MAX_RECORD_BYTES} bytes")
        async with _unavailable_when_away():
            await self._expect({record.topic for record in records})
            line = await self._started()
            try:
                await self._unless_gone(line, line.send(records))
            except (RecordRefused, asyncio.CancelledError):
                raise  # what was handed over may still arrive: at worst twice
            except BaseException:
                self._discard(line)
                raise

    async def ensure_topics(self, topics: Sequence[str]) -> None:
        """Create those that don't exist yet as the catalogue says; brokers never create any by themselves."""
        async with _unavailable_when_away(), self._admin() as admin:
            missing = [topic for topic in dict.fromkeys(topics) if topic not in set(await admin.list_topics())]
            if not missing:
                return
            replication = self._settings.replication or min(len((await admin.describe_cluster())["brokers"]), 3)
            answer = await admin.create_topics([_as_declared(Topic(name), replication) for name in missing])
            for topic, code, *message in answer.topic_errors:
                if code not in {0, _ALREADY_EXISTS}:
                    raise BusError(f"topic {topic} could not be created: error {code} {' '.join(map(str, message))}")
            await self._until_led(admin, missing)

    async def missing_topics(self, topics: Sequence[str]) -> list[str]:
        """Those that don't exist."""
        async with _unavailable_when_away(), self._admin() as admin:
            known = set(await admin.list_topics())
        self._topics |= known
        return [topic for topic in topics if topic not in known]

    async def subscribe(self, group: str, topics: Sequence[str]) -> KafkaSubscription:
        """Join a group; returns once partitions have been dealt out."""
        async with _unavailable_when_away():
            await self._expect(set(topics))
            subscription = KafkaSubscription(self._settings, group, topics)
            spare_the_logs()
            try:
                await subscription.start()
            except BaseException:
                await subscription.aclose()
                raise
            return subscription

    async def replay(
        self, topic: str, *, from_offsets: Mapping[int, int] | None = None, since: datetime | None = None
    ) -> AsyncGenerator[Delivered, None]:
        """Read the topic's partitions one after the other, up to their ends as of now."""
        await self._expect({topic})
        consumer = AIOKafkaConsumer(
            **self._settings.client, enable_auto_commit=False, auto_offset_reset="earliest", fetch_max_wait_ms=100
        )
        try:
            await consumer.start()
            await consumer._client.force_metadata_update()  # noqa: SLF001 # a lone consumer learns of topics late
            numbers = await self._partitions(topic)
            places = [
                TopicPartition(topic, number) for number in numbers if from_offsets is None or number in from_offsets
            ]
            consumer.assign(places)
            starts, ends = await self._bounds(consumer, places, since)
            for place in places:
                start = max(starts[place], from_offsets[place.partition] if from_offsets is not None else 0)
                if start >= ends[place]:
                    continue
                consumer.assign([place])
                consumer.seek(place, start)
                while await consumer.position(place) < ends[place]:
                    for record in (await consumer.getmany(place, timeout_ms=500)).get(place, ()):
                        if record.offset < ends[place]:
                            yield delivered_from(record)
        finally:
            await consumer.stop()

    async def aclose(self) -> None:
        """Flush what can be flushed in a few seconds, drop the rest, and stop."""
        self._closed = True
        if self._line is not None:
            self._discard(self._line, flush=True)
        if self._closings:
            await asyncio.wait(self._closings, timeout=4 * _CLOSE_WITHIN_S)

    async def _unless_gone(self, line: "_Line", work: Coroutine[Any, Any, None]) -> None:
        """Await `work` unless the producer is thrown away, the bus closes, or a minute passes."""
        working = asyncio.create_task(work)
        gone = asyncio.create_task(line.gone.wait())
        try:
            await asyncio.wait([working, gone], timeout=_PUBLISH_WITHIN_S, return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                raise BusUnavailable("not acknowledged: " + ("the producer is gone" if gone.done() else "no answer"))
            working.result()
        finally:
            for task in (working, gone):
                task.cancel()
            await asyncio.gather(working, gone, return_exceptions=True)

    async def _started(self) -> "_Line":
        async with self._starting:
            if self._closed:
                raise BusUnavailable("the bus is closed")
            if self._line is None:
                line = self._line = _Line(self._settings)
                spare_the_logs()
                try:
                    await self._unless_gone(line, line.producer.start())
                except BaseException:
                    self._discard(line)
                    raise
            return self._line

    def _discard(self, line: "_Line", *, flush: bool = False) -> None:
        """Throw a producer away, once; whoever waits for it is told at once."""
        if self._line is line:
            self._line = None
            task = asyncio.create_task(line.close(flush=flush), name="kafka-producer-close")
            self._closings.add(task)
            task.add_done_callback(self._closings.discard)

    async def _expect(self, topics: set[str]) -> None:
        if not topics <= self._topics:
            missing = await self.missing_topics(sorted(topics))
            if missing:
                raise TopicMissing(missing)

    @asynccontextmanager
    async def _admin(self) -> AsyncGenerator[AIOKafkaAdminClient]:
        admin = AIOKafkaAdminClient(**self._settings.client, request_timeout_ms=_REQUEST_TIMEOUT_MS)
        try:
            await admin.start()
            spare_the_logs()
            yield admin
        finally:
            await admin.close()

    async def _until_led(self, admin: AIOKafkaAdminClient, topics: list[str]) -> None:
        """A topic can be used when each partition has a leader; the broker answers a little earlier."""
        async with asyncio.timeout(_CREATED_WITHIN_S):
            while True:
                found = await admin.describe_topics(topics)
                partitions = [part for topic in found for part in topic["partitions"]]
                if partitions and all(part["error_code"] == 0 and part["leader"] >= 0 for part in partitions):
                    return
                await asyncio.sleep(0.05)

    async def _partitions(self, topic: str) -> list[int]:
        async with self._admin() as admin:
            (found,) = await admin.describe_topics([topic])
        return sorted(part["partition"] for part in found["partitions"])

    async def _bounds(
        self, consumer: AIOKafkaConsumer, places: list[TopicPartition], since: datetime | None
    ) -> tuple[dict[TopicPartition, int], dict[TopicPartition, int]]:
        ends = await consumer.end_offsets(places)
        starts = await consumer.beginning_offsets(places)
        if since is not None:
            found = await consumer.offsets_for_times(dict.fromkeys(places, int(since.timestamp() * 1000)))
            for place in places:
                at = found.get(place)
                starts[place] = at.offset if at is not None else ends[place]
        return starts, ends


def _as_declared(topic: Topic, replication: int) -> NewTopic:
    return NewTopic(
        topic.name,
        topic.partitions,
        replication,
        topic_configs={
            "cleanup.policy": "delete",
            "retention.ms": str(int(topic.retention.total_seconds() * 1000)),
            "segment.ms": str(int(topic.segment.total_seconds() * 1000)),
            # The broker's time: a producer's wrong clock changes neither retention nor replay by time.
            "message.timestamp.type": "LogAppendTime",
            "min.insync.replicas": "2" if replication >= 3 else "1",
        },
    )
