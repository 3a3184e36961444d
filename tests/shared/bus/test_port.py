"""What the bus port promises, asked of every adapter."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence

import pytest

from crm_shared.bus.opening import open_bus
from crm_shared.bus.partition import PARTITIONS, partition_of
from crm_shared.bus.port import Bus, Delivered, Fenced, Record, RecordRefused, Subscription, TopicMissing
from crm_shared.clock import SystemClock
from crm_shared.testing.bus import drain, until

from .conftest import Names


def records(topic: str, numbers: Sequence[int], *, keys: int = 20) -> list[Record]:
    return [Record(topic, f"key-{number % keys}", str(number).encode()) for number in numbers]


def numbers_of(delivered: Sequence[Delivered]) -> list[int]:
    return [int(record.value) for record in delivered]


async def everything(bus: Bus, topic: str) -> list[Delivered]:
    return [record async for record in bus.replay(topic)]


async def fetched(subscription: Subscription, wanted: int) -> list[Delivered]:
    got: list[Delivered] = []

    async def enough() -> bool:
        got.extend(await subscription.fetch(500, 0.2))
        return len(got) >= wanted

    await until(enough)
    return got


class TestTopics:
    async def test_are_created_once_however_often_asked(self, bus: Bus, names: Names) -> None:
        assert await bus.missing_topics(names.topics(2)) == names.topics(2)
        await bus.ensure_topics(names.topics(1))
        await bus.ensure_topics(names.topics(2))
        await bus.ensure_topics(names.topics(2))
        assert await bus.missing_topics(names.topics(3)) == [names.topic(2)]

    async def test_two_processes_may_create_them_at_once(self, bus_url: str, names: Names) -> None:
        buses = [await open_bus(bus_url) for _ in range(2)]
        try:
            await asyncio.gather(*(one.ensure_topics(names.topics(3)) for one in buses))
            assert await buses[0].missing_topics(names.topics(3)) == []
        finally:
            await asyncio.gather(*(one.aclose() for one in buses))

    async def test_are_never_created_by_publishing_or_subscribing(self, bus: Bus, names: Names) -> None:
        with pytest.raises(TopicMissing) as caught:
            await bus.publish(records(names.topic(), [1]))
        assert caught.value.topics == (names.topic(),)
        with pytest.raises(TopicMissing):
            await bus.subscribe(names.group, names.topics(1))
        assert await bus.missing_topics(names.topics(1)) == names.topics(1)


class TestPublish:
    async def test_keeps_key_value_headers_and_chooses_the_partition_by_murmur2(self, bus: Bus, names: Names) -> None:
        await bus.ensure_topics(names.topics(1))
        odd = Record(names.topic(), "schlüssel:✓", bytes(range(256)), {"traceparent": "00-1-2-03", "ü": "✓"})
        await bus.publish([odd])
        (got,) = await everything(bus, names.topic())
        assert (got.key, got.value, dict(got.headers)) == (odd.key, odd.value, odd.headers)
        assert got.partition == partition_of(odd.key)
        assert abs((got.timestamp - SystemClock().now()).total_seconds()) < 60

    async def test_refuses_what_is_too_large_and_says_which(self, bus: Bus, names: Names) -> None:
        await bus.ensure_topics(names.topics(1))
        batch = [*records(names.topic(), [1]), Record(names.topic(), "big", b"x" * 1_100_000)]
        with pytest.raises(RecordRefused) as caught:
            await bus.publish(batch)
        assert caught.value.positions == (1,)
        assert await everything(bus, names.topic()) == []

    async def test_takes_an_event_of_the_largest_size(self, bus: Bus, names: Names) -> None:
        await bus.ensure_topics(names.topics(1))
        await bus.publish([Record(names.topic(), "big", b"x" * 950_000)])
        (got,) = await everything(bus, names.topic())
        assert len(got.value) == 950_000

    async def test_cancelled_by_its_caller_disturbs_no_other_publisher(self, bus: Bus, names: Names) -> None:
        await bus.ensure_topics(names.topics(1))
        await bus.publish(records(names.topic(), [0]))
        publishing = [asyncio.create_task(bus.publish(records(names.topic(), [n], keys=50))) for n in range(1, 41)]
        await asyncio.sleep(0)
        for task in publishing[::2]:
            task.cancel()
        results = await asyncio.wait_for(asyncio.gather(*publishing, return_exceptions=True), 10)
        assert results[1::2] == [None] * 20
        assert {0, *range(2, 41, 2)} <= set(numbers_of(await everything(bus, names.topic())))

    async def test_nothing_is_a_batch_too(self, bus: Bus) -> None:
        await bus.publish([])


class TestOrder:
    async def test_of_a_key_is_the_order_of_publishing(self, bus: Bus, names: Names) -> None:
        await bus.ensure_topics(names.topics(1))

        async def publish_own_keys(nth: int) -> None:
            for start in range(0, 100, 25):
                own = [Record(names.topic(), f"{nth}-{n % 3}", str(n).encode()) for n in range(start, start + 25)]
                await bus.publish(own)

        await asyncio.gather(*(publish_own_keys(nth) for nth in range(6)))
        subscription = await bus.subscribe(names.group, names.topics(1))
        by_key: dict[str, list[int]] = defaultdict(list)
        for record in await drain(subscription, 600):
            by_key[record.key].append(int(record.value))
        await subscription.aclose()
        assert len(by_key) == 18
        assert all(numbers == sorted(numbers) for numbers in by_key.values())

    async def test_offsets_of_a_partition_ascend_without_repetition(self, bus: Bus, names: Names) -> None:
        await bus.ensure_topics(names.topics(1))
        await asyncio.gather(*(bus.publish(records(names.topic(), range(50))) for _ in range(4)))
        seen: dict[int, list[int]] = defaultdict(list)
        for record in await everything(bus, names.topic()):
            seen[record.partition].append(record.offset)
        assert all(offsets == sorted(set(offsets)) for offsets in seen.values())


class TestGroups:
    async def test_each_get_everything(self, bus: Bus, names: Names) -> None:
        await bus.ensure_topics(names.topics(2))
        batch = records(names.topic(0), range(40)) + records(names.topic(1), range(40, 80))
        await bus.publish(batch)
        for group in ("first", "second"):
            subscription = await bus.subscribe(f"{names.group}-{group}", names.topics(2))
            assert sorted(numbers_of(await drain(subscription, 80))) == list(range(80))
            await subscription.aclose()

    async def test_go_on_after_what_was_acknowledged(self, bus_url: str, names: Names) -> None:
        first = await open_bus(bus_url)
        await first.ensure_topics(names.topics(1))
        await first.publish(records(names.topic(), range(60)))
        subscription = await first.subscribe(names.group, names.topics(1))
        assert len(await drain(subscription, 60)) == 60
        await first.publish(records(names.topic(), range(60, 80)))
        await subscription.aclose()
        await first.aclose()
        second = await open_bus(bus_url)
        subscription = await second.subscribe(names.group, names.topics(1))
        assert sorted(numbers_of(await drain(subscription, 20))) == list(range(60, 80))
        await subscription.aclose()
        await second.aclose()

    async def test_get_again_what_was_not_acknowledged(self, bus: Bus, names: Names) -> None:
        await bus.ensure_topics(names.topics(1))
        await bus.publish(records(names.topic(), range(30), keys=1))
        subscription = await bus.subscribe(names.group, names.topics(1))
        got = await fetched(subscription, 30)
        await subscription.acknowledge(got[:10])
        await subscription.aclose()
        subscription = await bus.subscribe(names.group, names.topics(1))
        assert numbers_of(await drain(subscription, 20)) == list(range(10, 30))
        await subscription.aclose()

    async def test_an_empty_fetch_returns_in_time(self, bus: Bus, names: Names) -> None:
        await bus.ensure_topics(names.topics(1))
        subscription = await bus.subscribe(names.group, names.topics(1))
        started = asyncio.get_running_loop().time()
        assert await subscription.fetch(10, 0.3) == []
        assert asyncio.get_running_loop().time() - started < 2
        await subscription.acknowledge([])
        await subscription.aclose()

    async def test_know_how_far_they_are_behind(self, bus: Bus, names: Names) -> None:
        await bus.ensure_topics(names.topics(1))
        await bus.publish(records(names.topic(), range(30)))
        subscription = await bus.subscribe(names.group, names.topics(1))
        got = await fetched(subscription, 30)
        lag = await subscription.lag()
        assert sum(part.records for part in lag.values()) == 30
        assert all(part.seconds >= 0 for part in lag.values())
        await subscription.acknowledge(got)
        assert all(part.records == 0 for part in (await subscription.lag()).values())
        await subscription.aclose()


class TestRebalance:
    async def test_two_members_share_all_partitions_and_all_records(self, bus: Bus, names: Names) -> None:
        await bus.ensure_topics(names.topics(2))
        members = [await bus.subscribe(names.group, names.topics(2))]
        assert await members[0].fetch(10, 0.1) == []
        assert len(members[0].assignment) == 2 * PARTITIONS

        async def join() -> None:
            members.append(await bus.subscribe(names.group, names.topics(2)))

        joining = asyncio.create_task(join())
        got: dict[int, list[int]] = {0: [], 1: []}

        async def shared() -> bool:
            for nth, member in enumerate(members):
                batch = await member.fetch(100, 0.1)
                await member.acknowledge(batch)
                got[nth] += numbers_of(batch)
            return joining.done() and [len(member.assignment) for member in members] == [PARTITIONS, PARTITIONS]

        await until(shared)
        assert not members[0].assignment & members[1].assignment
        await bus.publish(records(names.topic(0), range(200), keys=50))

        async def all_read() -> bool:
            await shared()
            return len(got[0]) + len(got[1]) >= 200

        await until(all_read)
        assert sorted(got[0] + got[1]) == list(range(200))
        assert got[0]
        assert got[1]
        await members[1].aclose()

        async def alone() -> bool:
            await members[0].acknowledge(await members[0].fetch(100, 0.1))
            return len(members[0].assignment) == 2 * PARTITIONS

        await until(alone)
        await members[0].aclose()

    @pytest.mark.usefixtures("short_grace")
    async def test_what_a_fenced_member_acknowledges_is_refused(self, bus: Bus, names: Names) -> None:
        await bus.ensure_topics(names.topics(1))
        await bus.publish(records(names.topic(), range(100), keys=50))
        slow = await bus.subscribe(names.group, names.topics(1))
        in_hand = await fetched(slow, 100)
        quick = await bus.subscribe(names.group, names.topics(1))
        again = await drain(quick, 1)

        async def taken_over() -> bool:
            again.extend(await drain(quick, 0))
            return len(quick.assignment) == PARTITIONS // 2 and len(again) > 20

        await until(taken_over)
        lost = [record for record in in_hand if (record.topic, record.partition) in quick.assignment]
        assert lost
        with pytest.raises(Fenced):
            await slow.acknowledge(lost)
        assert set(numbers_of(again)) >= set(numbers_of(lost))
        await slow.aclose()
        await quick.aclose()

    @pytest.mark.usefixtures("short_grace")
    async def test_what_a_member_got_before_it_lost_a_partition_counts_no_more_when_it_has_it_back(
        self, bus: Bus, names: Names
    ) -> None:
        await bus.ensure_topics(names.topics(1))
        await bus.publish(records(names.topic(), range(100), keys=50))
        slow = await bus.subscribe(names.group, names.topics(1))
        in_hand = (await fetched(slow, 100))[:50]
        quick = await bus.subscribe(names.group, names.topics(1))
        again = await drain(quick, 1)

        async def taken_over() -> bool:
            again.extend(await drain(quick, 0))
            return len(quick.assignment) == PARTITIONS // 2 and len(again) > 20

        await until(taken_over)
        lost = [record for record in in_hand if (record.topic, record.partition) in quick.assignment]
        assert lost
        await quick.aclose()

        async def has_them_back() -> bool:
            return len(slow.assignment) == PARTITIONS

        await until(has_them_back)
        with pytest.raises(Fenced):
            await slow.acknowledge(lost)
        await slow.aclose()


class TestReplay:
    async def test_reads_from_offsets_to_the_present_end(self, bus: Bus, names: Names) -> None:
        await bus.ensure_topics(names.topics(1))
        await bus.publish(records(names.topic(), range(50), keys=1))
        partition = partition_of("key-0")
        got = [record async for record in bus.replay(names.topic(), from_offsets={partition: 30})]
        assert numbers_of(got) == list(range(30, 50))
        assert [record.offset for record in got] == list(range(30, 50))
        assert [r async for r in bus.replay(names.topic(), from_offsets={(partition + 1) % PARTITIONS: 0})] == []

    async def test_reads_from_a_time(self, bus: Bus, names: Names) -> None:
        await bus.ensure_topics(names.topics(1))
        await bus.publish(records(names.topic(), range(20)))
        await asyncio.sleep(0.05)  # Kafka's timestamps are whole milliseconds
        first = min([r.timestamp async for r in bus.replay(names.topic())])
        await bus.publish(records(names.topic(), range(20, 60)))
        later = min([r.timestamp async for r in bus.replay(names.topic()) if int(r.value) >= 20])
        assert sorted(numbers_of([r async for r in bus.replay(names.topic(), since=later)])) == list(range(20, 60))
        assert len([r async for r in bus.replay(names.topic(), since=first)]) == 60
        assert [r async for r in bus.replay(names.topic(), since=SystemClock().now())] == []

    async def test_disturbs_no_group(self, bus: Bus, names: Names) -> None:
        await bus.ensure_topics(names.topics(1))
        await bus.publish(records(names.topic(), range(20)))
        subscription = await bus.subscribe(names.group, names.topics(1))
        assert len(await everything(bus, names.topic())) == 20
        assert len(await drain(subscription, 20)) == 20
        await subscription.aclose()
