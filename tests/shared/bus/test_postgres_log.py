"""What only the PostgreSQL log has to prove: commit order, leases, retention, waking other processes."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import timedelta

import asyncpg
import pytest

from crm_shared.bus.log_member import shares
from crm_shared.bus.partition import PARTITIONS
from crm_shared.bus.port import Fenced, Record
from crm_shared.bus.postgres_log import PostgresLog
from crm_shared.clock import SystemClock
from crm_shared.ids import new_id
from crm_shared.testing.bus import drain, until

from .conftest import Names


@pytest.fixture
async def admin(log: PostgresLog, log_url: str) -> "AsyncIterator[asyncpg.Connection]":
    connection = await asyncpg.connect(log_url)
    yield connection
    await connection.close()


async def append_by_hand(connection: "asyncpg.Connection", topic_id: int, key: str, value: bytes) -> None:
    await connection.execute(
        "SELECT bus.append(ARRAY[$1::int], ARRAY[0::smallint], ARRAY[$2], ARRAY['{}'], ARRAY[$3::bytea])",
        topic_id,
        key,
        value,
    )


class TestOffsets:
    async def test_follow_commit_order_so_a_late_commit_is_never_passed_over(
        self, log: PostgresLog, log_url: str, names: Names
    ) -> None:
        await log.ensure_topics(names.topics(1))
        early, late = await asyncpg.connect(log_url), await asyncpg.connect(log_url)
        topic_id = await early.fetchval("SELECT id FROM bus.topic WHERE name = $1", names.topic())
        subscription = await log.subscribe(names.group, names.topics(1))
        opened = early.transaction()
        await opened.start()
        await append_by_hand(early, topic_id, "k", b"begun first, committed last")
        overtaking = asyncio.create_task(append_by_hand(late, topic_id, "k", b"begun last"))
        await until(lambda: waits_for_a_lock(log_url))
        # Were the second one numbered and visible now, a reader would move past the first one's number.
        assert await subscription.fetch(10, 0.1) == []
        await opened.commit()
        await overtaking
        got = await drain(subscription, 2)
        assert [record.value for record in got] == [b"begun first, committed last", b"begun last"]
        assert [record.offset for record in got] == [0, 1]
        await asyncio.gather(subscription.aclose(), early.close(), late.close())

    async def test_have_no_hole_after_a_rollback(self, log: PostgresLog, log_url: str, names: Names) -> None:
        await log.ensure_topics(names.topics(1))
        connection = await asyncpg.connect(log_url)
        topic_id = await connection.fetchval("SELECT id FROM bus.topic WHERE name = $1", names.topic())
        undone = connection.transaction()
        await undone.start()
        await append_by_hand(connection, topic_id, "k", b"never")
        await undone.rollback()
        await append_by_hand(connection, topic_id, "k", b"kept")
        await connection.close()
        assert [(r.offset, r.value) async for r in log.replay(names.topic())] == [(0, b"kept")]

    async def test_of_crossing_batches_never_deadlock(self, log: PostgresLog, names: Names) -> None:
        topics = names.topics(4)
        await log.ensure_topics(topics)
        forwards = [Record(topic, f"k{n}", b"") for topic in topics for n in range(20)]
        await asyncio.gather(*(log.publish(forwards if n % 2 else forwards[::-1]) for n in range(20)))
        assert len([r async for r in log.replay(topics[0])]) == 400

    async def test_keep_time_from_running_backwards(
        self, log: PostgresLog, admin: "asyncpg.Connection", names: Names
    ) -> None:
        await log.ensure_topics(names.topics(1))
        await admin.execute(
            "UPDATE bus.head SET last_at = now() + interval '10 minutes' "
            "WHERE topic_id = (SELECT id FROM bus.topic WHERE name = $1)",
            names.topic(),
        )
        await log.publish([Record(names.topic(), "k", b"")])
        (record,) = [r async for r in log.replay(names.topic())]
        assert record.timestamp > SystemClock().now() + timedelta(minutes=9)


async def waits_for_a_lock(log_url: str) -> bool:
    connection = await asyncpg.connect(log_url)
    try:
        return await connection.fetchval(
            "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
    finally:
        await connection.close()


class TestMembers:
    def test_get_fair_shares_of_what_they_subscribe_to(self) -> None:
        one, two, three = (new_id() for _ in range(3))
        topics = {"a": list(range(12)), "b": list(range(12))}
        dealt = shares({one: ["a", "b"], two: ["a", "b"], three: ["a"]}, topics)
        assert {place for places in dealt.values() for place in places} == {(t, p) for t in topics for p in range(12)}
        assert sum(map(len, dealt.values())) == 24
        assert dealt[three] == {place for place in dealt[three] if place[0] == "a"}
        assert {len([p for p in dealt[member] if p[0] == "a"]) for member in dealt} == {4}
        assert {len([p for p in dealt[member] if p[0] == "b"]) for member in (one, two)} == {6}

    async def test_that_die_free_their_partitions_at_once(self, log: PostgresLog, names: Names) -> None:
        await log.ensure_topics(names.topics(1))
        await log.publish([Record(names.topic(), f"k{n}", b"") for n in range(50)])
        killed = await log.subscribe(names.group, names.topics(1))
        assert await killed.fetch(500, 1)
        # What the server sees of a SIGKILL: the connection is gone, nobody has said goodbye.
        killed._connection.terminate()
        heir = await log.subscribe(names.group, names.topics(1))
        started = asyncio.get_running_loop().time()
        assert len(await drain(heir, 50)) == 50
        assert asyncio.get_running_loop().time() - started < 2
        await heir.aclose()

    async def test_that_fall_silent_are_buried_by_the_others(self, log_url: str, names: Names) -> None:
        quick = PostgresLog(log_url, session_s=0.5)
        await quick.ensure_topics(names.topics(1))
        await quick.publish([Record(names.topic(), f"k{n}", b"") for n in range(50)])
        silent = await quick.subscribe(names.group, names.topics(1))
        in_hand = await silent.fetch(500, 1)
        silent._beating.cancel()  # its event loop is blocked, its connection stays
        other = await quick.subscribe(names.group, names.topics(1))
        assert len(await drain(other, 50)) == 50
        with pytest.raises(Fenced):
            await silent.acknowledge(in_hand)
        await other.aclose()
        await silent.aclose()
        await quick.aclose()

    async def test_declared_dead_join_again_by_themselves(self, log: PostgresLog, names: Names, log_url: str) -> None:
        await log.ensure_topics(names.topics(1))
        member = await log.subscribe(names.group, names.topics(1))
        assert await member.fetch(1, 0) == []
        connection = await asyncpg.connect(log_url)
        await connection.execute("DELETE FROM bus.member WHERE group_name = $1", names.group)
        await connection.execute(
            "UPDATE bus.consumer_group SET generation = generation + 1 WHERE name = $1", names.group
        )
        await connection.close()
        await log.publish([Record(names.topic(), "k", b"")])
        assert len(await drain(member, 1)) == 1
        assert len(member.assignment) == PARTITIONS
        await member.aclose()


class TestRetention:
    async def test_deletes_old_records_and_lag_forgets_them(
        self, log: PostgresLog, admin: "asyncpg.Connection", names: Names
    ) -> None:
        await log.ensure_topics(names.topics(1))
        await log.publish([Record(names.topic(), f"k{n}", b"old") for n in range(40)])
        late = await log.subscribe(names.group, names.topics(1))
        assert await log.sweep(now=SystemClock().now() + timedelta(days=4)) == 0
        await admin.execute(
            "UPDATE bus.record SET at = at - interval '6 days' "
            "WHERE topic_id = (SELECT id FROM bus.topic WHERE name = $1)",
            names.topic(),
        )
        await log.publish([Record(names.topic(), "k0", b"new")])
        assert await log.sweep() == 40
        (left,) = await drain(late, 1)
        assert left.value == b"new"

        async def no_lag() -> bool:
            assert await late.fetch(10, 0.05) == []
            return all(part.records == 0 for part in (await late.lag()).values())

        await until(no_lag)
        await late.aclose()


class TestWake:
    async def test_a_waiting_member_is_woken_by_another_process(
        self, log: PostgresLog, log_url: str, names: Names
    ) -> None:
        await log.ensure_topics(names.topics(1))
        member = await log.subscribe(names.group, names.topics(1))
        assert await member.fetch(1, 0) == []
        script = (
            "import asyncio, sys\n"
            "from crm_shared.bus.opening import open_bus\n"
            "from crm_shared.bus.port import Record\n"
            "async def main():\n"
            "    bus = await open_bus(sys.argv[1])\n"
            "    await bus.publish([Record(sys.argv[2], 'k', b'')])\n"
            "    await asyncio.sleep(0.2)\n"
            "    await bus.aclose()\n"
            "asyncio.run(main())\n"
        )
        other = subprocess.Popen([sys.executable, "-c", script, log_url, names.topic()])
        assert len(await member.fetch(1, 20)) == 1
        assert await asyncio.to_thread(other.wait) == 0
        await member.aclose()
