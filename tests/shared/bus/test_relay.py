"""The relay: order, fair shares, rows that can't be sent, a bus or a database that is away."""

import asyncio
from collections.abc import Sequence

import asyncpg
import orjson
import pytest

from crm_shared.bus import relay as relay_module
from crm_shared.bus.port import BusUnavailable, Record, RecordRefused, TopicMissing
from crm_shared.bus.relay import Relay
from crm_shared.events import Envelope, partition_key
from crm_shared.ids import new_id, public_id
from crm_shared.testing.bus import Line, until


class Recorder:
    """A bus that notes what it is given, and refuses what it is told to."""

    system = "recorder"

    def __init__(self) -> None:
        self.sent: list[Envelope] = []
        self.records: list[Record] = []
        self.refused: set[str] = set()
        self.missing: set[str] = set()
        self.away = False
        self.attempts = 0
        self.answers = asyncio.Event()
        self.answers.set()

    async def publish(self, records: Sequence[Record]) -> None:
        self.attempts += 1
        await self.answers.wait()
        if self.away:
            raise BusUnavailable("away")
        if absent := {record.topic for record in records} & self.missing:
            raise TopicMissing(sorted(absent))
        bad = [at for at, record in enumerate(records) if record.key in self.refused]
        if bad:
            raise RecordRefused(bad, "too large")
        self.records += records
        self.sent += [Envelope.from_bytes(record.value) for record in records]


def relay_to(line: Line, bus: Recorder) -> Relay:
    return Relay(line.producing, bus, direct_url=line.urls[0].worker, source="probe")  # type: ignore[arg-type]


def numbers(envelopes: Sequence[Envelope]) -> list[int]:
    return [envelope.payload()["number"] for envelope in envelopes]


async def test_a_row_becomes_a_cloud_event(log_line: Line) -> None:
    bus = Recorder()
    tenant, item = new_id(), new_id()
    log_line.begin(relay_to(log_line, bus))
    await log_line.emit(tenant, item, 7)
    await until(log_line.outbox_empty)
    (record,) = bus.records
    assert (record.topic, record.key) == (log_line.topic, partition_key(tenant, item))
    fields = orjson.loads(record.value)
    assert fields["specversion"] == "1.0"
    assert (fields["type"], fields["source"]) == (log_line.counted.TYPE, "probe")
    assert (fields["tenantid"], fields["partitionkey"]) == (str(tenant), record.key)
    assert (fields["epoch"], int(fields["sequence"]), fields["data"]) == (0, 1, {"number": 7})
    assert fields["subject"] == public_id("item", item)
    assert record.headers["ce_id"] == fields["id"]
    assert record.headers["content-type"] == "application/cloudevents+json"


async def test_events_of_a_key_are_published_in_the_order_of_their_commits(log_line: Line) -> None:
    bus = Recorder()
    log_line.begin(relay_to(log_line, bus))
    tenant, items = new_id(), [new_id() for _ in range(6)]
    for number in range(10):
        await asyncio.gather(*(log_line.emit(tenant, item, number) for item in items))
    await until(log_line.outbox_empty)
    for item in items:
        of_item = [event for event in bus.sent if event.aggregate_id == item]
        assert [event.sequence for event in of_item] == list(range(1, 11))
        assert numbers(of_item) == list(range(10))


async def test_slots_are_shared_fairly_and_inherited(log_line: Line) -> None:
    relays = [relay_to(log_line, Recorder()) for _ in range(3)]
    tasks = [log_line.begin(relay) for relay in relays]

    async def shared(*most: int) -> bool:
        held = [relay.slots for relay in relays]
        fair = all(len(slots) <= limit for slots, limit in zip(held, most, strict=True))
        return fair and sorted(slot for slots in held for slot in slots) == list(range(16))

    # Who asks at the same moment as another may get a slot less than its share: 4, 6, 6 is as fair as 5, 5, 6.
    await until(lambda: shared(6, 6, 6))
    await relays[0].stop()
    await until(lambda: shared(0, 8, 8))
    tasks[1].cancel()
    await until(lambda: shared(0, 0, 16))


async def test_a_row_that_cannot_be_sent_stops_its_own_key_only(log_line: Line) -> None:
    bus = Recorder()
    tenant, bad, good = new_id(), new_id(), new_id()
    bus.refused = {partition_key(tenant, bad)}
    relay = relay_to(log_line, bus)
    log_line.begin(relay)
    await log_line.emit(tenant, bad, 1)
    for number in range(5):
        await log_line.emit(tenant, good, number)
        await log_line.emit(tenant, bad, number + 2)

    async def only_the_bad_are_left() -> bool:
        rows = await log_line.ask(0, "SELECT aggregate_id, parked_at, park_reason FROM outbox ORDER BY id")
        return len(rows) == 6 and rows[0]["park_reason"] == "too large"

    await until(only_the_bad_are_left)
    assert numbers(bus.sent) == list(range(5))
    bus.refused.clear()
    await log_line.ask(0, "UPDATE outbox SET parked_at = parked_at - interval '1 minute' WHERE parked_at IS NOT NULL")
    await until(log_line.outbox_empty)
    assert numbers([event for event in bus.sent if event.aggregate_id == bad]) == list(range(1, 7))


async def test_a_missing_topic_holds_up_no_other(log_line: Line) -> None:
    bus = Recorder()
    bus.missing = {log_line.topic}
    log_line.begin(relay_to(log_line, bus))
    await log_line.emit(new_id(), new_id(), 1)

    async def parked() -> bool:
        return bool(await log_line.ask(0, "SELECT 1 FROM outbox WHERE park_reason LIKE 'missing topics%'"))

    await until(parked)
    bus.missing.clear()
    await log_line.ask(0, "UPDATE outbox SET parked_at = parked_at - interval '1 minute'")
    await until(log_line.outbox_empty)


async def test_a_bus_that_is_away_is_waited_for(log_line: Line) -> None:
    bus = Recorder()
    bus.away = True
    log_line.begin(relay_to(log_line, bus))
    await log_line.emit(new_id(), new_id(), 1, 2, 3)

    async def tried() -> bool:
        return bus.attempts >= 2

    await until(tried)
    bus.away = False
    await until(log_line.outbox_empty)
    assert numbers(bus.sent) == [1, 2, 3]


async def test_a_lost_session_gives_its_slots_back_and_is_replaced(log_line: Line) -> None:
    relay = relay_to(log_line, Recorder())
    log_line.begin(relay)

    async def all_held() -> bool:
        return len(relay.slots) == 16

    await until(all_held)
    await log_line.ask(
        0,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE application_name = 'crm-relay-probe' AND datname = current_database()",
    )
    await log_line.emit(new_id(), new_id(), 1)
    await until(log_line.outbox_empty)
    assert len(relay.slots) == 16


async def test_a_stopped_process_loses_its_slots_to_the_others(log_line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its connection lives, and with it its locks: nobody else would ever publish the rows of its slots."""
    stopped = await asyncpg.connect(log_line.urls[0].worker)
    await stopped.execute(f"SELECT pg_advisory_lock_shared({relay_module._LOCKS}, {relay_module._PRESENCE})")
    await stopped.execute(f"SELECT pg_advisory_lock({relay_module._LOCKS}, s) FROM generate_series(0, 15) AS s")
    monkeypatch.setattr(relay_module, "SILENT_AFTER_S", 0.3)
    monkeypatch.setattr(relay_module, "_BALANCE_EVERY_S", 0.1)
    log_line.begin(relay_to(log_line, Recorder()))
    await log_line.emit(new_id(), new_id(), 1)
    await until(log_line.outbox_empty)
    assert stopped.is_closed()


async def test_a_relay_that_waits_long_for_the_bus_is_not_taken_for_a_stopped_one(
    log_line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_module, "SILENT_AFTER_S", 0.5)
    monkeypatch.setattr(relay_module, "_BALANCE_EVERY_S", 0.1)
    monkeypatch.setattr(relay_module, "_SPEAK_EVERY_S", 0.05)
    bus = Recorder()
    bus.answers.clear()
    patient, other = relay_to(log_line, bus), relay_to(log_line, Recorder())
    log_line.begin(patient)
    await log_line.emit(new_id(), new_id(), 1)

    async def publishing() -> bool:
        return bus.attempts == 1

    await until(publishing)
    log_line.begin(other)
    await asyncio.sleep(1.5)
    assert bus.attempts == 1
    bus.answers.set()
    await until(log_line.outbox_empty)
    assert numbers(bus.sent) == [1]


async def test_stopping_makes_a_last_pass(log_line: Line) -> None:
    bus = Recorder()
    relay = relay_to(log_line, bus)
    task = asyncio.create_task(relay.run())

    async def all_held() -> bool:
        return len(relay.slots) == 16

    await until(all_held)
    await log_line.emit(new_id(), new_id(), 1)
    await relay.stop()
    await task
    assert numbers(bus.sent) == [1]
    assert relay.slots == frozenset()


async def test_a_transaction_open_in_another_database_delays_nothing(log_line: Line) -> None:
    """A cursor below `pg_snapshot_xmin` would wait for it: that horizon is the whole server's."""
    bus = Recorder()
    relay = relay_to(log_line, bus)
    log_line.begin(relay)
    log_line.producing.wakers.append(relay.wake)
    async with log_line.consuming.transaction(new_id()) as tx:
        await tx.connection.fetchval("SELECT pg_current_xact_id()")
        await log_line.emit(new_id(), new_id(), 1)
        await until(log_line.outbox_empty, within_s=5)
