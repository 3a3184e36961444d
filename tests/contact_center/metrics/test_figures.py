"""Figures: exact counts, both readings, and the stored ones equal to a recount of history."""

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest

from crm_contact_center.metrics import store
from crm_contact_center.metrics.domain.figures import (
    INTERVAL,
    MICROSECOND,
    AgentTime,
    Counts,
    agent_time,
    interval_of,
    intervals,
)
from crm_contact_center.metrics.queries import recounted
from crm_shared.ids import parse_id

NINE = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


def minutes(amount: float) -> datetime:
    return NINE + timedelta(minutes=amount)


class TestIntervals:
    def test_begin_at_quarters(self) -> None:
        assert interval_of(minutes(29.9)) == minutes(15)

    def test_of_a_time_are_those_it_touches(self) -> None:
        assert intervals(minutes(14), minutes(30)) == [minutes(0), minutes(15)]


class TestAgentTime:
    def test_idle_is_available_without_a_conversation(self) -> None:
        states = [(minutes(0), "available"), (minutes(10), "wrapping"), (minutes(12), "break")]
        found = agent_time(states, [(minutes(2), minutes(10))], minutes(0), minutes(15))
        assert found == AgentTime(*(timedelta(minutes=part) // MICROSECOND for part in (8, 2, 2, 3)))

    def test_chats_side_by_side_count_once(self) -> None:
        states = [(minutes(-60), "available")]
        talked = [(minutes(1), minutes(6)), (minutes(4), minutes(9)), (minutes(14), None)]
        found = agent_time(states, talked, minutes(0), minutes(15))
        assert (found.engaged_us, found.idle_us) == (9 * 60_000_000, 6 * 60_000_000)

    def test_parts_add_up_to_the_whole(self) -> None:
        states = [(minutes(3), "available"), (minutes(20), "break"), (minutes(33), "available")]
        talked = [(minutes(5), minutes(17)), (minutes(31), minutes(35))]
        whole = agent_time(states, talked, minutes(0), minutes(45))
        parts = [agent_time(states, talked, at, at + INTERVAL) for at in intervals(minutes(0), minutes(45))]
        assert sum(parts, AgentTime()) == whole


async def a_day(floor: Any, chance: Random) -> None:
    """Some traffic of every sort: answered, abandoned, rejected, timed out, transferred, lost and withdrawn."""
    await floor.queue(wrap_up_s=60, service_level_s=20, offer_timeout_s=30)
    other = await floor.queue("other", channels=["email"], requirements={"de": 2}, wrap_up_s=0, service_level_s=40)
    agents = [await floor.agent(f"A{number}", de=3) for number in range(2)]
    live: list[str] = []
    for _ in range(45):
        floor.later(seconds=chance.uniform(1, 40))
        await floor.kit.run_timers()
        for resting in (await floor.get("/v1/agents", state="break"))["items"]:
            await floor.state(resting["id"], "available")
        deed = chance.choice(["call", "call", "call", "accept", "accept", "accept", "end", "abandon", "reject", "move"])
        desks = [one for agent in agents for one in await floor.desk(agent)]
        pending = [one for one in desks if one["state"] == "pending"]
        talking = [one for one in desks if one["state"] == "accepted"]
        if deed == "call":
            live.append(await floor.call(chance.choice(["voice", "chat", "email"]), from_address=None))
        elif deed == "accept" and pending:
            await floor.post(f"/v1/reservations/{pending[0]['id']}/accept")
        elif deed == "reject" and pending:
            await floor.post(f"/v1/reservations/{pending[-1]['id']}/reject", {})
        elif deed == "end" and talking:
            await floor.post(f"/v1/interactions/{talking[0]['interaction_id']}/hold")
            floor.later(seconds=chance.uniform(1, 9))
            await floor.end(talking[0]["interaction_id"])
        elif deed == "move" and talking:
            await floor.post(f"/v1/interactions/{talking[-1]['interaction_id']}/transfer", {"queue_id": other})
        elif deed == "abandon" and live:
            await floor.http.post(f"/v1/interactions/{live.pop(0)}/abandon")
        await floor.dispatch()
    waiting = await floor.call("voice", from_address=None)
    await floor.end(waiting)


class TestRecount:
    async def test_what_is_stored_equals_a_recount_of_history(self, floor: Any) -> None:
        begun = floor.kit.clock.now()
        await a_day(floor, Random(11))
        ended = floor.kit.clock.now()
        asked = {"from": begun.isoformat(), "to": ended.isoformat()}
        live = await floor.get("/v1/service-metrics", **asked)
        spans = intervals(begun, ended)
        async with floor.kit.transaction(floor.tenant) as tx:
            again = await recounted(tx, spans[0], spans[-1] + INTERVAL)
        floor.kit.clock.set(spans[-1] + INTERVAL + timedelta(minutes=2))
        async with floor.kit.transaction(floor.tenant) as tx:
            from crm_contact_center.metrics.commands import close_interval

            for starts_at in spans:
                await close_interval(tx, starts_at, now=floor.kit.clock.now())
                await close_interval(tx, starts_at, now=floor.kit.clock.now())
            kept = await store.kept(tx, spans[0], spans[-1] + INTERVAL)
        stored: dict[Any, Counts] = {}
        for (_, cell), counts in kept.items():
            stored[cell] = stored.get(cell, Counts()) + counts
        assert stored == again
        total = sum(stored.values(), Counts())
        assert min(total.answered, total.abandoned, total.handled, total.withdrawn, total.hold_us) > 0
        assert (await floor.get("/v1/service-metrics", **asked))["total"] == live["total"]

    async def test_an_interval_is_closed_by_its_due_row_and_the_next_follows(self, floor: Any) -> None:
        await floor.queue()
        await floor.agent()
        await floor.kit.apply(await floor.kit.events(floor.tenant, "crm.agent.state-changed.v1"))
        starts_at = interval_of(floor.kit.clock.now())
        floor.kit.clock.set(starts_at + 2 * INTERVAL + timedelta(seconds=61))
        await floor.kit.run_timers()
        async with floor.kit.transaction(floor.tenant) as tx:
            closed = await store.closed_between(tx, starts_at, starts_at + 9 * INTERVAL)
            (time,) = (await store.kept_agents(tx, starts_at + INTERVAL, starts_at + 2 * INTERVAL)).values()
        assert closed == {starts_at, starts_at + INTERVAL}
        assert time.idle_us == INTERVAL // MICROSECOND


class TestReadings:
    @pytest.fixture
    async def hour(self, floor: Any) -> dict[str, Any]:
        """Three answered after 10, 30 and 50 seconds, one who gave up after 15 and one after 60; threshold 20."""
        floor.kit.clock.set(interval_of(floor.kit.clock.now()) + INTERVAL)
        begun = floor.kit.clock.now()
        queue = await floor.queue(wrap_up_s=0, service_level_s=20, offer_timeout_s=600)
        agent = await floor.agent()
        for wait in (10, 30, 50):
            call = await floor.call(from_address=None)
            await floor.dispatch()
            floor.later(seconds=wait)
            await floor.take(agent)
            floor.later(seconds=40)
            await floor.end(call)
        for wait in (15, 60):
            call = await floor.call(from_address=None)
            floor.later(seconds=wait)
            await floor.post(f"/v1/interactions/{call}/abandon")
        asked = {"from": begun.isoformat(), "to": floor.kit.clock.now().isoformat(), "queue": queue}
        return await floor.get("/v1/service-metrics", **asked)

    async def test_every_ambiguous_figure_has_both(self, hour: dict[str, Any]) -> None:
        total = hour["total"]
        assert (total["offered"], total["answered"], total["abandoned"]) == (5, 3, 2)
        assert total["service_level_of_offered"] == pytest.approx(1 / 5)
        assert total["service_level_of_answered"] == pytest.approx(1 / 3)
        assert total["service_level_with_early_abandons"] == pytest.approx(2 / 5)
        assert total["asa_of_answered_s"] == pytest.approx(30)
        assert total["asa_all_waiting_s"] == pytest.approx(55)
        assert total["abandonment_of_offered"] == pytest.approx(2 / 5)
        assert total["abandonment_of_answered"] == pytest.approx(2 / 3)
        assert total["average_handling_s"] == pytest.approx(40)

    async def test_occupancy_is_conversation_over_conversation_and_idle(self, hour: dict[str, Any]) -> None:
        assert hour["engaged_s"] == 120
        assert hour["occupancy"] == pytest.approx(120 / (120 + 90 + 75))

    async def test_nothing_divides_by_nothing(self, floor: Any) -> None:
        found = await floor.get("/v1/service-metrics")
        assert (found["total"]["offered"], found["total"]["service_level_of_offered"], found["occupancy"]) == (
            0,
            None,
            None,
        )

    async def test_a_restart_zeroes_nothing(self, floor: Any, hour: dict[str, Any]) -> None:
        floor.dispatcher.forget(floor.tenant)
        asked = {"from": hour["since"], "to": hour["until"]}
        assert (await floor.get("/v1/service-metrics", **asked))["total"] == hour["total"]

    async def test_kept_promises_are_counted_on_solving(self, floor: Any) -> None:
        begun = floor.kit.clock.now()
        for late in (False, True):
            made = await floor.post("/v1/tickets", {"kind": "query", "subject": "x", "channel": "chat"})
            floor.later(days=7 if late else 0)
            await floor.post(f"/v1/tickets/{made['id']}/solve", {})
        asked = {"from": begun.isoformat(), "to": floor.kit.clock.now().isoformat()}
        total = (await floor.get("/v1/service-metrics", **asked))["total"]
        assert (total["tickets_solved"], total["tickets_in_time"], total["sla_kept"]) == (2, 1, 0.5)

    @pytest.mark.parametrize("bad", [{"from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z"}, {"frm": "x"}])
    async def test_what_makes_no_sense_is_refused(self, floor: Any, bad: dict[str, str]) -> None:
        assert (await floor.http.get("/v1/service-metrics", params=bad)).status_code == 422


async def test_a_repeat_lowers_first_contact_resolution(floor: Any) -> None:
    begun = floor.kit.clock.now()
    await floor.queue()
    customer = await floor.customer()
    for _ in range(2):
        call = await floor.call(customer_id=customer)
        await floor.post(f"/v1/interactions/{call}/abandon")
    asked = {"from": begun.isoformat(), "to": (floor.kit.clock.now() + timedelta(seconds=1)).isoformat()}
    total = (await floor.get("/v1/service-metrics", **asked))["total"]
    assert (total["repeats"], total["first_contact_resolution"]) == (1, 0.5)
    assert (await floor.facts("interaction.started"))[1]["repeat_of"] is not None
    assert parse_id("cus", customer)
