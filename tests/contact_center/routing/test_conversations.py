"""Whole conversations over HTTP, from the call to the wrap-up, and what is refused on the way."""

from typing import Any

from crm_shared.ids import new_id, public_id


class TestAccept:
    async def test_a_call_reaches_the_agent_and_becomes_a_conversation(self, floor: Any) -> None:
        await floor.queue(requirements={"de": 3})
        agent = await floor.agent(de=5)
        call = await floor.call(subject="Invoice")
        floor.later(seconds=12)
        assert await floor.dispatch() == 1
        taken = await floor.take(agent)
        assert taken["state"] == "accepted"
        found = await floor.get(f"/v1/interactions/{call}")
        assert (found["state"], found["agent_id"]) == ("connected", agent)
        assert [leg["agent_id"] for leg in found["legs"]] == [agent]
        answered = (await floor.facts("interaction.answered"))[0]
        assert answered["wait_s"] == 12
        assert answered["agent"] == agent

    async def test_events_tell_the_story_in_order(self, floor: Any) -> None:
        await floor.queue(wrap_up_s=0)
        agent = await floor.agent()
        call = await floor.call()
        await floor.dispatch()
        await floor.take(agent)
        await floor.end(call)
        told = [kind for kind in await floor.types() if kind.startswith("interaction")]
        assert told == [f"interaction.{step}" for step in ("started", "queued", "offered", "answered", "ended")]

    async def test_twice_is_refused(self, floor: Any) -> None:
        await floor.queue()
        agent = await floor.agent()
        await floor.call()
        await floor.dispatch()
        taken = await floor.take(agent)
        assert await floor.refused(f"/v1/reservations/{taken['id']}/accept") == (409, "reservation_state")

    async def test_after_its_time_is_refused_even_before_the_sweep(self, floor: Any) -> None:
        await floor.queue(offer_timeout_s=20)
        agent = await floor.agent()
        await floor.call()
        await floor.dispatch()
        (offer,) = await floor.desk(agent)
        floor.later(seconds=20)
        assert await floor.refused(f"/v1/reservations/{offer['id']}/accept") == (409, "reservation_expired")

    async def test_an_unknown_reservation_is_not_found(self, floor: Any) -> None:
        unknown = "rsv_" + (await floor.queue()).removeprefix("que_")
        assert await floor.refused(f"/v1/reservations/{unknown}/accept") == (404, "reservation_not_found")


class TestReject:
    async def test_the_next_agent_is_asked_and_the_place_is_kept(self, floor: Any) -> None:
        await floor.queue()
        one = await floor.agent("One")
        first = await floor.call()
        await floor.dispatch()
        floor.later(seconds=1)
        second = await floor.call()
        two = await floor.agent("Two")
        (offer,) = await floor.desk(one)
        await floor.post(f"/v1/reservations/{offer['id']}/reject", {"reason": "no headset"})
        await floor.dispatch()
        assert await floor.offered(two) == [first]
        assert await floor.offered(one) == [second]

    async def test_who_has_refused_is_asked_again_after_a_pause(self, floor: Any) -> None:
        await floor.queue(reject_pause_s=30)
        agent = await floor.agent()
        call = await floor.call()
        await floor.dispatch()
        (offer,) = await floor.desk(agent)
        await floor.post(f"/v1/reservations/{offer['id']}/reject", {})
        assert await floor.dispatch() == 0
        floor.later(seconds=31)
        assert await floor.dispatcher.round() >= 1
        assert await floor.offered(agent) == [call]


class TestTimeout:
    async def test_the_card_is_withdrawn_the_agent_set_on_break_and_the_next_one_asked(self, floor: Any) -> None:
        await floor.queue(offer_timeout_s=15)
        one = await floor.agent("One")
        floor.later(seconds=1)
        two = await floor.agent("Two")
        call = await floor.call()
        await floor.dispatch()
        (offer,) = await floor.desk(one)
        assert offer["card"] is not None
        floor.later(seconds=15)
        assert (await floor.get(f"/v1/reservations/{offer['id']}"))["card"] is None
        await floor.kit.run_timers()
        found = await floor.get(f"/v1/reservations/{offer['id']}")
        assert (found["state"], found["reason"], found["card"]) == ("timeout", "no_answer", None)
        agent = await floor.get(f"/v1/agents/{one}")
        assert (agent["state"], agent["reason"], agent["used"]) == ("break", "missed_offer", 0)
        await floor.dispatch()
        assert await floor.offered(two) == [call]


class TestEnd:
    async def test_a_call_is_wrapped_up_before_the_next_is_offered(self, floor: Any) -> None:
        await floor.queue(wrap_up_s=30)
        agent = await floor.agent()
        first = await floor.call()
        await floor.dispatch()
        taken = await floor.take(agent)
        floor.later(seconds=90)
        await floor.end(first)
        assert (await floor.get(f"/v1/agents/{agent}"))["state"] == "wrapping"
        second = await floor.call()
        assert await floor.dispatch() == 0
        await floor.post(f"/v1/reservations/{taken['id']}/complete")
        assert await floor.dispatch() == 1
        assert await floor.offered(agent) == [second]
        ended = (await floor.facts("interaction.ended"))[0]
        assert (ended["talk_s"], ended["disposition"]) == (90, "helped")

    async def test_the_wrap_up_ends_by_itself(self, floor: Any) -> None:
        await floor.queue(wrap_up_s=30)
        agent = await floor.agent()
        call = await floor.call()
        await floor.dispatch()
        taken = await floor.take(agent)
        await floor.end(call)
        floor.later(seconds=30)
        await floor.kit.run_timers()
        assert (await floor.get(f"/v1/reservations/{taken['id']}"))["state"] == "completed"
        found = await floor.get(f"/v1/agents/{agent}")
        assert (found["state"], found["used"]) == ("available", 0)

    async def test_time_on_hold_is_no_talk(self, floor: Any) -> None:
        await floor.queue(wrap_up_s=0)
        agent = await floor.agent()
        call = await floor.call()
        await floor.dispatch()
        await floor.take(agent)
        floor.later(seconds=60)
        await floor.post(f"/v1/interactions/{call}/hold")
        floor.later(seconds=20)
        await floor.post(f"/v1/interactions/{call}/resume")
        floor.later(seconds=10)
        await floor.post(f"/v1/interactions/{call}/hold")
        floor.later(seconds=5)
        await floor.end(call)
        ended = (await floor.facts("interaction.ended"))[0]
        assert (ended["talk_s"], ended["hold_s"]) == (70, 25)

    async def test_twice_is_refused(self, floor: Any) -> None:
        call = await floor.call()
        await floor.end(call)
        assert await floor.refused(f"/v1/interactions/{call}/end", {}) == (409, "interaction_over")

    async def test_one_that_waits_is_withdrawn_and_not_counted_as_abandoned(self, floor: Any) -> None:
        await floor.queue()
        agent = await floor.agent()
        call = await floor.call()
        await floor.dispatch()
        await floor.end(call, "spam")
        assert await floor.desk(agent) == []
        assert await floor.facts("interaction.abandoned") == []


class TestAbandon:
    async def test_the_agent_being_asked_is_free_at_once(self, floor: Any) -> None:
        await floor.queue()
        agent = await floor.agent()
        call = await floor.call()
        await floor.dispatch()
        (offer,) = await floor.desk(agent)
        floor.later(seconds=7)
        await floor.post(f"/v1/interactions/{call}/abandon")
        assert (await floor.get(f"/v1/reservations/{offer['id']}"))["state"] == "canceled"
        assert (await floor.get(f"/v1/agents/{agent}"))["used"] == 0
        assert (await floor.facts("interaction.abandoned"))[0]["wait_s"] == 7
        other = await floor.call()
        await floor.dispatch()
        assert await floor.offered(agent) == [other]

    async def test_a_caller_who_has_left_is_offered_to_nobody(self, floor: Any) -> None:
        await floor.queue()
        call = await floor.call()
        await floor.dispatch()
        await floor.post(f"/v1/interactions/{call}/abandon")
        await floor.agent()
        assert await floor.dispatch() == 0

    async def test_during_a_conversation_is_refused(self, floor: Any) -> None:
        await floor.queue()
        agent = await floor.agent()
        call = await floor.call()
        await floor.dispatch()
        await floor.take(agent)
        assert await floor.refused(f"/v1/interactions/{call}/abandon") == (409, "interaction_not_queued")


class TestTransfer:
    async def test_to_another_queue_keeps_the_place(self, floor: Any) -> None:
        await floor.queue(wrap_up_s=0)
        second = await floor.queue("second line", channels=[], requirements={"faults": 1})
        agent = await floor.agent()
        call = await floor.call()
        await floor.dispatch()
        await floor.take(agent)
        floor.later(seconds=60)
        later = await floor.call(queue_id=second)
        await floor.post(f"/v1/interactions/{call}/transfer", {"queue_id": second})
        expert = await floor.agent("Expert", faults=4)
        await floor.dispatch()
        assert await floor.offered(expert) == [call]
        assert (await floor.get(f"/v1/agents/{agent}"))["used"] == 0
        assert (await floor.get(f"/v1/interactions/{later}"))["state"] == "queued"

    async def test_to_a_colleague_waits_for_that_one(self, floor: Any) -> None:
        await floor.queue(wrap_up_s=0)
        one = await floor.agent("One")
        call = await floor.call()
        await floor.dispatch()
        await floor.take(one)
        two, three = await floor.agent("Two"), await floor.agent("Three")
        await floor.post(f"/v1/interactions/{call}/transfer", {"agent_id": three})
        await floor.dispatch()
        assert await floor.offered(three) == [call]
        assert await floor.offered(two) == []
        assert (await floor.facts("interaction.transferred"))[0]["to_agent"] == three

    async def test_nowhere_is_refused(self, floor: Any) -> None:
        await floor.queue()
        agent = await floor.agent()
        call = await floor.call()
        await floor.dispatch()
        await floor.take(agent)
        assert await floor.refused(f"/v1/interactions/{call}/transfer", {}) == (422, "transfer_target_missing")
        nobody = {"agent_id": public_id("agt", new_id())}
        assert await floor.refused(f"/v1/interactions/{call}/transfer", nobody) == (404, "agent_not_found")


class TestCard:
    async def test_shows_who_calls_with_history_when_the_offer_is_made(self, floor: Any) -> None:
        await floor.queue(wrap_up_s=0)
        agent = await floor.agent()
        customer = await floor.customer("Iva", language="hr")
        before = await floor.call()
        await floor.dispatch()
        await floor.take(agent)
        await floor.end(before)
        await floor.call(subject="Again")
        await floor.dispatch()
        card = (await floor.desk(agent))[0]["card"]
        assert card["caller"]["recognised"] is True
        assert (card["customer"]["id"], card["customer"]["display_name"]) == (customer, "Iva")
        assert [one["id"] for one in card["recent_interactions"]] == [before]

    async def test_of_an_unknown_caller_shows_the_address_only(self, floor: Any) -> None:
        await floor.queue()
        agent = await floor.agent()
        await floor.call(from_address="+49301234567")
        await floor.dispatch()
        card = (await floor.desk(agent))[0]["card"]
        assert (card["customer"], card["caller"]["address"]) == (None, "+49301234567")

    async def test_follows_a_merge(self, floor: Any) -> None:
        await floor.queue()
        agent = await floor.agent()
        old = await floor.customer("Old record", points=[])
        new = await floor.customer("Iva")
        ticket_of_old = await floor.call("email", customer_id=old, subject="Before")
        from crm_shared.ids import parse_id

        merged = {"survivor_id": new, "merged_id": old}
        await floor.kit.deliver(floor.tenant, "crm.customer.merged.v1", parse_id("cus", new), merged)
        await floor.call(customer_id=new)
        await floor.dispatch()
        card = (await floor.desk(agent))[0]["card"]
        assert [one["id"] for one in card["recent_interactions"]] == [ticket_of_old]

    async def test_of_an_erased_person_is_gone(self, floor: Any) -> None:
        from crm_shared.ids import parse_id

        await floor.queue()
        agent = await floor.agent()
        customer = await floor.customer("Iva")
        call = await floor.call(text="My number is 12")
        await floor.dispatch()
        await floor.kit.deliver(floor.tenant, "crm.customer.erased.v1", parse_id("cus", customer), {"erased_at": "x"})
        assert (await floor.desk(agent))[0]["card"] is None
        said = await floor.get(f"/v1/interactions/{call}/events")
        assert "My number" not in str(said)
        assert (await floor.get(f"/v1/interactions/{call}"))["from_address"] is None


class TestWhyDidIWait:
    async def test_tells_each_reason_in_turn(self, floor: Any) -> None:
        await floor.queue(requirements={"de": 5}, steps=[{"after_s": 60, "relax": {"de": 2}}])
        await floor.agent("Far", here=False, de=9)
        call = await floor.call()
        floor.later(seconds=20)
        busy = await floor.agent("Near", de=3)
        other = await floor.queue("other", channels=[])
        await floor.call(queue_id=other)
        await floor.dispatch()
        floor.later(seconds=60)
        (wait,) = (await floor.get(f"/v1/interactions/{call}/wait"))["waits"]
        assert [stretch["why"] for stretch in wait["stretches"]] == [
            "nobody_suitable_signed_in",
            "all_suitable_agents_engaged",
        ]
        assert wait["stretches"][1]["since"] > wait["entered_at"]
        assert (wait["ahead"], wait["stretches"][1]["engaged"], wait["stretches"][1]["offline"]) == (0, 1, 1)
        assert busy

    async def test_of_one_that_never_queued_is_not_found(self, floor: Any) -> None:
        call = await floor.call()
        assert (await floor.http.get(f"/v1/interactions/{call}/wait")).status_code == 404
