"""How a key that waits goes on: the missing event, a snapshot, a retry, an audited skip; and what an erasure does."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest
from pydantic import BaseModel

from crm_shared.bus import metrics
from crm_shared.bus.consumer import INBOX_KEPT, Consumer
from crm_shared.bus.handlers import Received
from crm_shared.bus.port import Delivered
from crm_shared.clock import SystemClock
from crm_shared.db import parking
from crm_shared.db.inbox import key_states, sweep_inbox
from crm_shared.db.parking import backoff
from crm_shared.db.pool import NO_TENANT, Tx
from crm_shared.errors import NotFound, Unavailable
from crm_shared.events import Envelope
from crm_shared.ids import new_id, public_id
from crm_shared.testing.bus import Line
from crm_shared.testing.clock import ManualClock


class Anything(BaseModel):
    number: int = 0


@dataclass(slots=True)
class Hand:
    """Hands events to a consumer's intake as the test likes, for one aggregate unless told otherwise."""

    line: Line
    consumer: Consumer
    clock: ManualClock
    tenant: UUID
    item: UUID
    offset: int = 0

    @property
    def key(self) -> str:
        return f"{self.line.aggregate}:{self.item}"

    def event(self, seq: int, number: int = 0, *, what: str = "counted", epoch: int = 0, **more: Any) -> Envelope:
        return Envelope(
            id=new_id(),
            type=f"crm.{self.line.aggregate}.{what}.v1",
            source="test",
            subject=public_id("item", self.item),
            time=self.clock.now(),
            tenant=self.tenant,
            aggregate_id=self.item,
            epoch=epoch,
            sequence=seq,
            traceparent=None,
            data=orjson.dumps({"number": number} | more).decode(),
        )

    def delivered(self, envelope: Envelope | bytes) -> Delivered:
        self.offset += 1
        raw = envelope if isinstance(envelope, bytes) else envelope.to_bytes()
        return Delivered(self.line.topic, "k", raw, {"a": "b"}, 3, self.offset, self.clock.now())

    async def give(self, *envelopes: Envelope | bytes) -> None:
        batch = [self.delivered(envelope) for envelope in envelopes]
        await self.consumer.parked.heal(await self.consumer.intake.take(batch))

    async def applied(self) -> list[int]:
        return [seq for item, seq, _ in await self.line.ledger() if item == self.item]

    async def total(self) -> int | None:
        return (await self.line.balances()).get(self.item)

    async def waiting(self) -> str | None:
        found = [key for key in await self.line.parked() if key["key"] == self.key]
        return found[0]["reason"] if found else None

    async def after(self, wait: timedelta) -> None:
        self.clock.advance(wait)
        await self.consumer.parked.retry_due()


@pytest.fixture
async def hand(log_line: Line) -> Hand:
    clock = ManualClock()
    log_line.clock = clock
    log_line.count_in_ledger()
    return Hand(log_line, log_line.consumer(), clock, new_id(), new_id())


class TestGap:
    async def test_is_healed_by_the_missing_event_and_followers_go_in_order(self, hand: Hand) -> None:
        await hand.give(hand.event(1, 1), hand.event(3, 3), hand.event(5, 5), hand.event(4, 4))
        assert (await hand.applied(), await hand.waiting()) == ([1], parking.GAP)
        await hand.give(hand.event(2, 2))
        assert (await hand.applied(), await hand.total()) == ([1, 2, 3, 4, 5], 15)
        assert await hand.waiting() is None
        await hand.give(hand.event(6, 6))
        assert await hand.applied() == [1, 2, 3, 4, 5, 6]

    async def test_is_healed_by_a_snapshot_and_what_it_overtook_is_still_reacted_to(self, hand: Hand) -> None:
        await hand.give(hand.event(1, 1), hand.event(3, 3), hand.event(4, 4), hand.event(6, 6))
        await hand.give(hand.event(5, 100, what="snapshot"))
        assert (await hand.applied(), await hand.total()) == ([1, 3, 4, 6], 106)
        assert await hand.waiting() is None

    async def test_is_not_healed_by_a_snapshot_from_before_it(self, hand: Hand) -> None:
        await hand.give(hand.event(1, 1), hand.event(2, 2), hand.event(4, 4))
        await hand.give(hand.event(1, 100, what="snapshot"))
        assert (await hand.total(), await hand.waiting()) == (3, parking.GAP)

    async def test_is_healed_by_an_operators_skip_which_is_audited(self, hand: Hand) -> None:
        await hand.give(hand.event(1, 1), hand.event(4, 4), hand.event(5, 5))
        await hand.consumer.parked.skip(hand.tenant, hand.key, actor="usr_op", reason="2 and 3 were lost")
        assert (await hand.applied(), await hand.waiting()) == ([1, 4, 5], None)
        (row,) = await hand.line.ask(1, "SELECT action, key, seq, actor, reason FROM parking_audit")
        assert tuple(row) == ("skip", hand.key, 3, "usr_op", "2 and 3 were lost")
        with pytest.raises(NotFound):
            await hand.consumer.parked.skip(hand.tenant, hand.key, actor="usr_op", reason="again")

    async def test_lets_the_late_event_of_a_skipped_one_be_an_alarm_only(self, hand: Hand) -> None:
        await hand.give(hand.event(1, 1), hand.event(3, 3))
        await hand.consumer.parked.skip(hand.tenant, hand.key, actor="usr_op", reason="lost")
        before = metrics.STALE.labels("probe")._value.get()
        await hand.give(hand.event(2, 2))
        assert metrics.STALE.labels("probe")._value.get() == before + 1
        assert await hand.applied() == [1, 3]

    async def test_is_healed_although_a_follower_is_being_put_behind_it(self, hand: Hand) -> None:
        await hand.give(hand.event(1, 1), hand.event(3, 3))
        healing = await hand.consumer.intake.take([hand.delivered(hand.event(2, 2))])
        async with hand.line.consuming.transaction(hand.tenant) as follower:
            await key_states(follower, [hand.key])  # locked, as by an intake
            healed = asyncio.create_task(hand.consumer.parked.heal(healing))
            await asyncio.sleep(0.05)
            assert not healed.done()
        await healed
        assert await hand.applied() == [1, 2, 3]
        assert await hand.waiting() is None

    async def test_that_nothing_fills_is_looked_at_ever_more_rarely(self, hand: Hand) -> None:
        await hand.give(hand.event(2, 2))
        assert await hand.waiting() == parking.WAITS_FOR_SNAPSHOT
        for _ in range(3):
            await hand.after(timedelta(hours=1))
        ((attempts, wait),) = await hand.line.ask(1, "SELECT attempts, next_at - now() AS wait FROM consumer_key")
        assert attempts == 3
        assert backoff(3) == timedelta(seconds=40)
        assert backoff(99) == timedelta(hours=1)
        assert wait is not None


class TestFirstSight:
    async def test_in_the_middle_waits_for_the_snapshot(self, hand: Hand) -> None:
        await hand.give(hand.event(8, 8), hand.event(9, 9))
        assert (await hand.applied(), await hand.waiting()) == ([], parking.WAITS_FOR_SNAPSHOT)
        await hand.give(hand.event(7, 70, what="snapshot"))
        assert (await hand.applied(), await hand.total(), await hand.waiting()) == ([8, 9], 87, None)

    async def test_of_a_snapshot_starts_the_key_there(self, hand: Hand) -> None:
        await hand.give(hand.event(7, 70, what="snapshot"), hand.event(8, 8))
        assert (await hand.applied(), await hand.total()) == ([8], 78)


class TestSnapshot:
    async def test_replaces_what_a_projection_has_and_a_lower_one_does_not(self, hand: Hand) -> None:
        await hand.give(hand.event(1, 1), hand.event(2, 2))
        await hand.give(hand.event(2, 1_000, what="snapshot"))
        assert await hand.total() == 1_000
        await hand.give(hand.event(1, 5, what="snapshot"))
        assert await hand.total() == 1_000
        assert await hand.applied() == [1, 2]

    async def test_of_a_lower_epoch_cannot_bring_an_old_state_back(self, hand: Hand) -> None:
        await hand.give(hand.event(1, 1), hand.event(1, 2, epoch=1))
        await hand.give(hand.event(9, 1_000, what="snapshot"))
        assert await hand.total() == 3


class TestEpoch:
    async def test_starts_the_numbers_anew(self, hand: Hand) -> None:
        await hand.give(hand.event(1, 1), hand.event(2, 2), hand.event(1, 3, epoch=1), hand.event(2, 4, epoch=1))
        assert (await hand.applied(), await hand.waiting()) == ([1, 2, 1, 2], None)


class TestFailure:
    async def test_is_retried_after_a_while_and_goes_on_in_order(self, hand: Hand) -> None:
        sick = [True]
        hand.line.projections.handlers.clear()

        async def fragile(tx: Tx, events: Sequence[Received[Anything]]) -> None:
            if sick[0] and any(event.data.number == 13 for event in events):
                raise ValueError("poison")

        hand.line.projections.on(hand.line.counted.TYPE, Anything)(fragile)
        await hand.give(hand.event(1, 1), hand.event(2, 13), hand.event(3, 3))
        assert (await hand.applied(), await hand.waiting()) == ([1], parking.FAILED)
        await hand.after(timedelta(seconds=6))
        assert (await hand.applied(), await hand.waiting()) == ([1], parking.FAILED)
        sick[0] = False
        await hand.after(timedelta(seconds=1))
        assert await hand.applied() == [1]
        await hand.after(timedelta(seconds=10))
        assert (await hand.applied(), await hand.waiting()) == ([1, 2, 3], None)

    async def test_may_be_skipped_and_the_followers_go_on(self, hand: Hand) -> None:
        hand.line.count_in_ledger(failing=lambda event: event.data.number == 13)
        await hand.give(hand.event(1, 1), hand.event(2, 13), hand.event(3, 3))
        await hand.consumer.parked.skip(hand.tenant, hand.key, actor="usr_op", reason="nonsense")
        assert await hand.waiting() is None
        assert sorted(set(await hand.applied())) == [1, 3]

    async def test_of_the_model_parks_as_a_handlers_does(self, hand: Hand) -> None:
        wrong = replace(hand.event(1), data='{"number":"many"}')
        await hand.give(wrong, hand.event(2, 2))
        assert (await hand.applied(), await hand.waiting()) == ([], parking.FAILED)

    async def test_of_many_keys_leaves_all_others_alone(self, hand: Hand) -> None:
        hand.line.projections.handlers.clear()
        hand.line.reactions.handlers.clear()
        hand.line.count_in_ledger(failing=lambda event: event.data.number == 13)
        batch: list[Envelope] = []
        for nth in range(200):
            hand.item = new_id()
            batch += [hand.event(1, 13 if nth % 50 == 7 else 1), hand.event(2, 1)]
        await hand.give(*batch)
        assert len(await hand.line.ledger()) == 392
        assert len(await hand.line.parked()) == 4
        assert len(await hand.line.ask(1, "SELECT 1 FROM parked")) == 8

    async def test_that_takes_for_ever_is_cut_off_and_parked(self, hand: Hand, monkeypatch: pytest.MonkeyPatch) -> None:
        from crm_shared.bus import intake

        monkeypatch.setattr(intake, "TAKE_DEADLINE_S", 0.2)
        monkeypatch.setattr(intake, "_RETRY_FOR_S", 0.1)
        other = new_id()

        async def stuck(tx: Tx, event: Received[Anything], *, now: datetime) -> None:
            if event.data.number == 13:
                await asyncio.Event().wait()

        hand.line.reactions.on(hand.line.counted.TYPE, Anything)(stuck)
        healthy = replace(hand.event(1, 1), aggregate_id=other)
        await hand.give(hand.event(1, 13), healthy)
        assert await hand.waiting() == parking.FAILED
        assert [item for item, _, _ in await hand.line.ledger()] == [other]

    async def test_whose_error_quotes_what_no_column_takes_parks_all_the_same(self, hand: Hand) -> None:
        async def quoting(tx: Tx, event: Received[Anything], *, now: datetime) -> None:
            raise ValueError("odd input: \x00\ud800")

        hand.line.reactions.on(hand.line.counted.TYPE, Anything)(quoting)
        await hand.give(hand.event(1, 1))
        assert await hand.waiting() == parking.FAILED
        await hand.after(timedelta(seconds=6))
        assert await hand.waiting() == parking.FAILED

    async def test_that_a_dependency_keeps_refusing_holds_up_nobody_for_long(
        self, hand: Hand, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def refused(tx: Tx, event: Received[Anything], *, now: datetime) -> None:
            if event.data.number == 13:
                raise Unavailable("never")

        hand.line.reactions.on(hand.line.counted.TYPE, Anything)(refused)
        others = [replace(hand.event(1, 1), aggregate_id=new_id()) for _ in range(20)]
        started = time.monotonic()
        await hand.give(hand.event(1, 13), *others)
        assert time.monotonic() - started < 5
        assert await hand.waiting() == parking.FAILED
        assert len(await hand.line.ledger()) == len(others)


class TestUndecodable:
    @pytest.mark.parametrize("raw", [b"", b"{", b"[]", b'{"specversion":"1.0"}', b"\xff\x00", b'{"specversion":"9"}'])
    async def test_is_parked_under_its_place_with_its_bytes(self, hand: Hand, raw: bytes) -> None:
        await hand.give(raw, hand.event(1, 1))
        assert await hand.applied() == [1]
        place = f"{hand.line.topic}:3:1"
        (waiting,) = await hand.line.parked()
        assert (waiting["tenant_id"], waiting["key"], waiting["reason"]) == (NO_TENANT, place, parking.UNDECODABLE)
        (event,) = await hand.line.ask(1, "SELECT raw, off, headers FROM parked WHERE key = $1", place)
        assert tuple(event) == (raw, 1, '{"a":"b"}')
        hand.offset = 0
        await hand.give(raw)
        assert len(await hand.line.ask(1, "SELECT 1 FROM parked")) == 1
        await hand.consumer.parked.skip(NO_TENANT, place, actor="usr_op", reason="rubbish")
        assert await hand.line.parked() == []
        assert await hand.line.ask(1, "SELECT 1 FROM parked") == []

    async def test_is_read_again_by_a_version_that_understands_it(self, hand: Hand) -> None:
        await hand.give(b"newer than we are")
        await hand.line.ask(1, "UPDATE parked SET raw = $1", hand.event(1, 1).to_bytes())
        await hand.after(timedelta(seconds=6))
        assert await hand.applied() == [1]
        assert await hand.line.parked() == []


class TestErasure:
    async def test_ends_a_key_and_no_late_event_brings_it_back(self, hand: Hand) -> None:
        gone: list[str] = []

        async def forget(tx: Tx, events: Sequence[Received[Anything]]) -> None:
            gone.extend(event.type for event in events)

        hand.line.projections.on(f"crm.{hand.line.aggregate}.erased.v1", Anything)(forget)
        await hand.give(hand.event(1, 1), hand.event(2, what="erased"), hand.event(3, 3))
        assert await hand.applied() == [1]
        assert len(gone) == 1
        assert await hand.waiting() is None

    async def test_of_a_person_leaves_out_what_others_say_about_them(self, hand: Hand) -> None:
        person, hand.item = hand.item, new_id()
        erased = replace(hand.event(1, what="erased"), aggregate_id=person)
        about = hand.event(1, 1, customer_id=public_id("cus", person))
        await hand.give(erased, about, hand.event(2, 2))
        assert (await hand.applied(), await hand.total()) == ([2], 2)

    async def test_does_not_wait_behind_a_gap_and_empties_what_waits(self, hand: Hand) -> None:
        await hand.give(hand.event(1, 1), hand.event(3, 3), hand.event(5, what="erased"))
        assert (await hand.applied(), await hand.waiting()) == ([1], None)
        assert await hand.line.ask(1, "SELECT 1 FROM parked") == []

    async def test_blanks_other_keys_waiting_messages_about_the_person(self, hand: Hand) -> None:
        person, hand.item = hand.item, new_id()
        subject = public_id("item", person)
        await hand.give(hand.event(2, 2, customer_id=subject), hand.event(3, 3))
        erased = replace(hand.event(1, what="erased"), aggregate_id=person, subject=subject)
        await hand.give(erased)
        rows = await hand.line.ask(1, "SELECT seq, raw FROM parked ORDER BY seq")
        assert [(row["seq"], len(row["raw"]) > 0) for row in rows] == [(2, False), (3, True)]
        await hand.give(hand.event(1, 1))
        assert (await hand.applied(), await hand.waiting()) == ([1, 3], None)


class TestInbox:
    async def test_forgets_only_what_no_topic_holds_any_more(self, hand: Hand) -> None:
        await hand.give(hand.event(1, 1))
        now = SystemClock().now()
        assert await sweep_inbox(hand.line.consuming, before=now - INBOX_KEPT) == 0
        assert await sweep_inbox(hand.line.consuming, before=now + timedelta(seconds=1)) == 1

    async def test_counts_events_that_nobody_handles_so_that_no_gap_is_seen(self, hand: Hand) -> None:
        await hand.give(hand.event(1, 1), hand.event(2, what="renamed"), hand.event(3, 3))
        assert (await hand.applied(), await hand.waiting()) == ([1, 3], None)

    async def test_takes_an_event_that_is_twice_in_a_batch_once(self, hand: Hand) -> None:
        event = hand.event(1, 1)
        await hand.give(event, event)
        assert (await hand.applied(), await hand.total()) == ([1], 1)

    async def test_knows_no_tenant_from_another(self, hand: Hand) -> None:
        await hand.give(hand.event(1, 1), replace(hand.event(1, 5), tenant=new_id()))
        assert await hand.total() == 6
        assert len(await hand.line.ask(1, "SELECT 1 FROM consumer_key")) == 2
