"""What has broken in contact centers elsewhere: double offers, stuck agents, lost places, wrong counts."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from crm_contact_center.routing.dispatcher import LEASE, Dispatcher
from crm_shared.ids import parse_id


async def rows(floor: Any, sql: str, *arguments: object) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(floor.kit.urls.admin)
    try:
        return await connection.fetch(sql, floor.tenant, *arguments)
    finally:
        await connection.close()


@pytest.fixture
def lawless(monkeypatch: pytest.MonkeyPatch) -> None:
    """No lease and no fencing: every dispatcher believes what it first saw. Only the guards of the writes are left."""

    async def held(self: Any, tx: Any, now: Any) -> Any:
        return self._shards.get(tx.tenant) or await self._rebuilt(tx, 1, now)

    monkeypatch.setattr(Dispatcher, "_held", held)


LIVE = "SELECT * FROM reservation WHERE tenant_id = $1 AND state IN ('pending', 'accepted', 'wrapping')"


class TestDoubleOffer:
    async def test_eight_writers_with_one_picture_offer_each_contact_once(self, floor: Any, lawless: None) -> None:
        await floor.queue()
        agents = [await floor.agent(f"A{number}") for number in range(12)]
        for _ in range(20):
            await floor.call()
        rivals = [Dispatcher(floor.kit.worker, floor.kit.clock) for _ in range(8)]
        made = await asyncio.gather(*(rival.dispatch(floor.tenant) for rival in rivals))
        assert sum(made) == 12
        live = await rows(floor, LIVE)
        assert len(live) == 12
        assert len({one["interaction_id"] for one in live}) == 12
        assert [len(await floor.offered(agent)) for agent in agents] == [1] * 12
        assert len(await floor.facts("interaction.offered")) == 12

    async def test_a_stale_index_writes_nothing_untrue(self, floor: Any) -> None:
        """A dispatcher that was suspended while another took over still believes its old picture."""
        await floor.queue()
        agent = await floor.agent()
        old, new = floor.dispatcher, Dispatcher(floor.kit.worker, floor.kit.clock)
        assert await old.dispatch(floor.tenant) == 0
        await floor.call()
        floor.later(seconds=LEASE.total_seconds() + 1)
        assert await new.dispatch(floor.tenant) == 1
        assert await old.dispatch(floor.tenant) == 0
        assert len(await floor.desk(agent)) == 1

    async def test_one_contact_that_has_left_unseen_costs_the_others_of_its_batch_nothing(self, floor: Any) -> None:
        await floor.queue()
        left, *others = [await floor.call() for _ in range(3)]
        assert await floor.dispatch() == 0
        await floor.post(f"/v1/interactions/{left}/abandon")
        await rows(floor, "DELETE FROM routing_change WHERE tenant_id = $1")
        agents = [await floor.agent(f"A{number}") for number in range(3)]
        assert await floor.dispatch() == 2
        offered = [interaction for agent in agents for interaction in await floor.offered(agent)]
        assert sorted(offered) == sorted(others)
        used = await rows(floor, "SELECT used FROM agent WHERE tenant_id = $1 ORDER BY used")
        assert [one["used"] for one in used] == [0, 100, 100]
        assert len(await floor.facts("interaction.offered")) == 2

    async def test_the_database_refuses_a_second_live_reservation(self, floor: Any) -> None:
        await floor.queue()
        await floor.agent("One")
        two = await floor.agent("Two")
        await floor.call()
        await floor.dispatch()
        connection = await asyncpg.connect(floor.kit.urls.admin)
        try:
            with pytest.raises(asyncpg.UniqueViolationError, match="uq_reservation_live_interaction"):
                await connection.execute(
                    "INSERT INTO reservation (tenant_id, id, visit_id, interaction_id, agent_id, queue_id, channel,"
                    " cost, state, created_at, expires_at, wrap_up_s) SELECT tenant_id, gen_random_uuid(), visit_id,"
                    " interaction_id, $2, queue_id, channel, cost, 'pending', created_at, expires_at, 0"
                    " FROM reservation WHERE tenant_id = $1",
                    floor.tenant,
                    parse_id("agt", two),
                )
        finally:
            await connection.close()

    async def test_two_agents_who_accept_one_chat_at_once_get_it_once(self, floor: Any) -> None:
        await floor.queue()
        agent = await floor.agent()
        await floor.call("chat")
        await floor.dispatch()
        (offer,) = await floor.desk(agent)
        answers = await asyncio.gather(*(floor.http.post(f"/v1/reservations/{offer['id']}/accept") for _ in range(6)))
        assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409, 409, 409]
        assert len(await floor.facts("interaction.answered")) == 1

    async def test_accepting_and_hanging_up_at_once_ends_in_one_or_the_other(self, floor: Any) -> None:
        await floor.queue(wrap_up_s=0)
        agent = await floor.agent()
        for _ in range(5):
            call = await floor.call()
            await floor.dispatch()
            (offer,) = await floor.desk(agent)
            taken, left = await asyncio.gather(
                floor.http.post(f"/v1/reservations/{offer['id']}/accept"),
                floor.http.post(f"/v1/interactions/{call}/abandon"),
            )
            assert sorted([taken.status_code, left.status_code]) == [200, 409]
            if taken.status_code == 200:
                await floor.end(call)
            assert (await floor.get(f"/v1/agents/{agent}"))["used"] == 0

    async def test_accepting_at_the_very_end_of_the_offer_ends_in_one_or_the_other(self, floor: Any) -> None:
        await floor.queue(offer_timeout_s=10, wrap_up_s=0)
        agent = await floor.agent()
        call = await floor.call()
        await floor.dispatch()
        (offer,) = await floor.desk(agent)
        soon = floor.kit.clock.now() + timedelta(seconds=10)
        answer, _ = await asyncio.gather(
            floor.http.post(f"/v1/reservations/{offer['id']}/accept"), floor.kit.run_timers(now=soon)
        )
        state = (await floor.get(f"/v1/interactions/{call}"))["state"]
        assert state == ("connected" if answer.status_code == 200 else "queued")


class TestCapacity:
    async def test_never_goes_over_the_cap_with_many_writers(self, floor: Any, lawless: None) -> None:
        await floor.queue()
        agent = await floor.agent()
        for _ in range(9):
            await floor.call("chat")
        rivals = [Dispatcher(floor.kit.worker, floor.kit.clock) for _ in range(4)]
        await asyncio.gather(*(rival.dispatch(floor.tenant) for rival in rivals))
        assert len(await floor.desk(agent)) == 5
        assert (await floor.get(f"/v1/agents/{agent}"))["used"] == 100

    async def test_a_queued_chat_is_not_skipped_when_an_agent_frees(self, floor: Any) -> None:
        await floor.queue(wrap_up_s=0)
        agent = await floor.agent()
        chats = [await floor.call("chat") for _ in range(6)]
        await floor.dispatch()
        await floor.take(agent)
        assert (await floor.desk(agent))[0]["interaction_id"] == chats[0]
        await floor.end(chats[0])
        await floor.dispatch()
        assert chats[5] in await floor.offered(agent)

    async def test_a_changed_cost_holds_for_the_next_ones(self, floor: Any) -> None:
        await floor.queue()
        agent = await floor.agent()
        changed = await floor.http.patch("/v1/agents/capacity", json={"chat": 50})
        assert changed.json()["chat"] == 50
        for _ in range(3):
            await floor.call("chat")
        await floor.dispatch()
        assert len(await floor.desk(agent)) == 2


class TestStuckAgents:
    async def test_a_lost_race_leaves_the_agent_free(self, floor: Any) -> None:
        """The match was made, but the caller had gone before it was written."""
        await floor.queue()
        agent = await floor.agent()
        call = await floor.call()
        await floor.dispatch()
        await floor.post(f"/v1/interactions/{call}/abandon")
        assert (await floor.get(f"/v1/agents/{agent}"))["used"] == 0
        other = await floor.call()
        await floor.dispatch()
        assert await floor.offered(agent) == [other]

    async def test_a_dispatcher_that_dies_after_its_commit_leaves_nobody_reserved(self, floor: Any) -> None:
        await floor.queue(offer_timeout_s=10)
        agent = await floor.agent()
        await floor.call()
        await floor.dispatch()
        floor.dispatcher.forget(floor.tenant)
        floor.later(seconds=10)
        await floor.kit.run_timers()
        assert (await floor.get(f"/v1/agents/{agent}"))["used"] == 0

    async def test_one_expiry_row_sweeps_what_another_had_left(self, floor: Any) -> None:
        await floor.queue(offer_timeout_s=10)
        one = await floor.agent("One")
        await floor.call()
        await floor.dispatch()
        await rows(floor, "DELETE FROM due WHERE tenant_id = $1 AND kind = 'routing.expiry'")
        floor.later(seconds=5)
        await floor.agent("Two")
        await floor.call()
        await floor.dispatch()
        floor.later(seconds=10)
        await floor.kit.run_timers()
        assert (await floor.get(f"/v1/agents/{one}"))["used"] == 0

    async def test_two_workers_never_both_time_an_offer_out(self, floor: Any) -> None:
        await floor.queue(offer_timeout_s=10)
        agent = await floor.agent()
        await floor.call("chat")
        await floor.call("chat")
        await floor.dispatch()
        soon = floor.kit.clock.now() + timedelta(seconds=10)
        await asyncio.gather(floor.kit.run_timers(now=soon), floor.kit.run_timers(now=soon))
        assert (await floor.get(f"/v1/agents/{agent}"))["used"] == 0
        assert [fact["state"] for fact in await floor.facts("agent.state-changed")] == ["available", "break"]


class TestPresence:
    async def test_a_lost_lease_takes_the_offer_back_and_keeps_the_place(self, floor: Any) -> None:
        await floor.queue(offer_timeout_s=600)
        gone = await floor.agent("Gone", lease_s=30)
        first = await floor.call()
        await floor.dispatch()
        floor.later(seconds=10)
        await floor.call()
        floor.later(seconds=20)
        await floor.kit.run_timers()
        found = await floor.get(f"/v1/agents/{gone}")
        assert (found["state"], found["reason"], found["used"]) == ("offline", "presence_lost", 0)
        other = await floor.agent("Other")
        await floor.dispatch()
        assert await floor.offered(other) == [first]

    async def test_a_lost_lease_puts_a_conversation_back_at_its_old_place(self, floor: Any) -> None:
        await floor.queue()
        gone = await floor.agent("Gone", lease_s=30)
        call = await floor.call()
        await floor.dispatch()
        await floor.take(gone)
        floor.later(seconds=10)
        later = await floor.call()
        floor.later(seconds=25)
        await floor.kit.run_timers()
        assert (await floor.get(f"/v1/interactions/{call}"))["state"] == "queued"
        other = await floor.agent("Other")
        await floor.dispatch()
        assert await floor.offered(other) == [call]
        assert later

    async def test_a_heartbeat_prolongs_the_lease(self, floor: Any) -> None:
        agent = await floor.agent(lease_s=30)
        floor.later(seconds=25)
        await floor.post(f"/v1/agents/{agent}/heartbeat", {"lease_s": 30})
        floor.later(seconds=10)
        await floor.kit.run_timers()
        assert (await floor.get(f"/v1/agents/{agent}"))["state"] == "available"
        floor.later(seconds=25)
        await floor.kit.run_timers()
        assert (await floor.get(f"/v1/agents/{agent}"))["state"] == "offline"
        assert await floor.refused(f"/v1/agents/{agent}/heartbeat", {}) == (409, "agent_offline")

    async def test_a_break_takes_the_offer_back(self, floor: Any) -> None:
        await floor.queue()
        one = await floor.agent("One")
        call = await floor.call()
        await floor.dispatch()
        (offer,) = await floor.desk(one)
        await floor.state(one, "break")
        assert (await floor.get(f"/v1/reservations/{offer['id']}"))["state"] == "rescinded"
        two = await floor.agent("Two")
        await floor.dispatch()
        assert await floor.offered(two) == [call]

    async def test_going_in_the_middle_of_a_conversation_is_refused(self, floor: Any) -> None:
        await floor.queue()
        agent = await floor.agent()
        await floor.call()
        await floor.dispatch()
        await floor.take(agent)
        path = f"/v1/agents/{agent}/state"
        assert await floor.refused(path, {"state": "offline"}) == (409, "agent_in_conversation")
        assert await floor.refused(path, {"state": "wrapping"}) == (422, "invalid_request")

    async def test_a_user_who_is_deactivated_leaves_the_desk(self, floor: Any) -> None:
        await floor.queue()
        user = floor.kit.tenant()
        told = {"name": "Ana", "email": "ana@example.org", "roles": ["agent"]}
        await floor.kit.deliver(floor.tenant, "crm.user.created.v1", user, told)
        from crm_shared.ids import public_id

        agent = public_id("agt", user)
        await floor.state(agent, "available")
        call = await floor.call()
        await floor.dispatch()
        await floor.take(agent)
        await floor.kit.deliver(floor.tenant, "crm.user.deactivated.v1", user, {})
        assert (await floor.get(f"/v1/agents/{agent}"))["retired"] is True
        assert (await floor.get(f"/v1/interactions/{call}"))["state"] == "queued"


class TestRestart:
    async def test_nobody_loses_their_place_or_becomes_abandoned(self, floor: Any) -> None:
        await floor.queue()
        calls = []
        for _ in range(4):
            calls.append(await floor.call())
            floor.later(seconds=1)
        await floor.dispatch()
        floor.later(seconds=LEASE.total_seconds() + 1)
        fresh = Dispatcher(floor.kit.worker, floor.kit.clock)
        order: list[str] = []
        for number in range(4):
            agent = await floor.agent(f"A{number}")
            await fresh.dispatch(floor.tenant)
            order += await floor.offered(agent)
        assert order == calls
        assert await floor.facts("interaction.abandoned") == []

    async def test_relaxation_that_fell_due_while_nobody_dispatched_happens(self, floor: Any) -> None:
        await floor.queue(requirements={"de": 5}, steps=[{"after_s": 30, "relax": {"de": None}}])
        agent = await floor.agent()
        call = await floor.call()
        await floor.dispatch()
        floor.later(seconds=31)
        fresh = Dispatcher(floor.kit.worker, floor.kit.clock)
        await fresh.round()
        assert await floor.offered(agent) == [call]

    async def test_a_lease_that_is_held_is_respected(self, floor: Any) -> None:
        await floor.queue()
        await floor.agent()
        await floor.dispatch()
        await floor.call()
        assert await Dispatcher(floor.kit.worker, floor.kit.clock).dispatch(floor.tenant) == 0
        assert await floor.dispatch() == 1

    async def test_every_change_of_hands_raises_the_epoch(self, floor: Any) -> None:
        await floor.queue()
        await floor.agent()
        await floor.dispatch()
        floor.later(seconds=LEASE.total_seconds() + 1)
        await Dispatcher(floor.kit.worker, floor.kit.clock).dispatch(floor.tenant)
        (shard,) = await rows(floor, "SELECT epoch FROM routing_shard WHERE tenant_id = $1")
        assert shard["epoch"] == 2

    async def test_a_step_that_fails_leaves_no_trace_and_no_stale_index(self, floor: Any, monkeypatch: Any) -> None:
        await floor.queue()
        agent = await floor.agent()
        call = await floor.call()

        async def broken(*args: object, **more: object) -> None:
            raise RuntimeError("the disk is full")

        with monkeypatch.context() as patch:
            patch.setattr("crm_contact_center.routing.dispatcher.offer", broken)
            with pytest.raises(RuntimeError):
                await floor.dispatch()
        assert (await floor.get(f"/v1/agents/{agent}"))["used"] == 0
        await floor.dispatch()
        assert await floor.offered(agent) == [call]

    async def test_one_tenants_trouble_does_not_stop_anothers_offers(self, floor: Any, monkeypatch: Any) -> None:
        await floor.queue()
        agent = await floor.agent()
        await floor.call()
        dispatcher = floor.dispatcher
        ours = dispatcher.dispatch

        async def sometimes(tenant: UUID) -> int:
            if tenant != floor.tenant:
                raise RuntimeError("their trouble")
            return await ours(tenant)

        stranger = floor.kit.tenant()
        async with floor.kit.client(stranger) as client:
            await client.post("/v1/queues", json={"name": "q", "channels": ["voice"]})
            await client.post("/v1/interactions", json={"channel": "voice"})
        monkeypatch.setattr(dispatcher, "dispatch", sometimes)
        await dispatcher.round()
        assert len(await floor.desk(agent)) == 1
