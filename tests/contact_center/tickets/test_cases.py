"""Tickets over HTTP: numbers, states, hand-offs, and promises kept or broken."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crm_shared.ids import parse_id

ALWAYS = {
    day: [{"opens": "00:00", "closes": "24:00"}]
    for day in ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
}


async def always_open(floor: Any, **policy: Any) -> None:
    """A policy over a calendar that never closes, so that a test needn't care what time its clock shows."""
    hours = await floor.post("/v1/calendars", {"name": "always", "zone": "UTC", "weekly": ALWAYS})
    targets = {"first_response": {"seconds": 600}, "resolution": {"seconds": 3600}}
    await floor.post("/v1/sla-policies", {"name": "p", "targets": targets, "calendar_id": hours["id"], **policy})


async def ticket(floor: Any, kind: str = "query", **more: Any) -> str:
    made = await floor.post("/v1/tickets", {"kind": kind, "subject": "Wrong size", **more})
    return made["id"]


async def clocks(floor: Any, ticket_id: str) -> dict[str, dict[str, Any]]:
    found = await floor.get(f"/v1/tickets/{ticket_id}")
    return {clock["clock"]: clock for clock in found["clocks"]}


class TestOpen:
    async def test_numbers_run_without_gaps_even_with_many_writers(self, floor: Any) -> None:
        await asyncio.gather(*(ticket(floor) for _ in range(8)))
        found = await floor.get("/v1/tickets")
        assert sorted(one["number"] for one in found["items"]) == list(range(1, 9))

    async def test_from_an_interaction_takes_customer_channel_and_subject(self, floor: Any) -> None:
        customer = await floor.customer("Iva")
        call = await floor.call("email", from_address="+385915550000", customer_id=customer, subject="Broken")
        made = await floor.post("/v1/tickets", {"kind": "fault", "interaction_id": call})
        assert (made["customer_id"], made["channel"], made["subject"]) == (customer, "email", "Broken")
        assert (await floor.facts("ticket.opened"))[0]["interaction_id"] == call

    async def test_without_a_subject_is_refused(self, floor: Any) -> None:
        assert await floor.refused("/v1/tickets", {"kind": "query"}) == (422, "subject_missing")

    async def test_shows_on_the_next_callers_card(self, floor: Any) -> None:
        await floor.queue()
        agent = await floor.agent()
        customer = await floor.customer("Iva")
        opened = await ticket(floor, customer_id=customer)
        solved = await ticket(floor, customer_id=customer)
        await floor.post(f"/v1/tickets/{solved}/solve", {})
        await floor.call()
        await floor.dispatch()
        (card,) = [one["card"] for one in await floor.desk(agent)]
        assert [one["id"] for one in card["open_tickets"]] == [opened]

    async def test_a_high_value_customer_falls_under_the_policy_for_them(self, floor: Any) -> None:
        await always_open(floor)
        await floor.post(
            "/v1/sla-policies",
            {"name": "champions", "value_group": "champions", "targets": {"first_response": {"seconds": 60}}},
        )
        customer = await floor.customer("Iva")
        await floor.kit.deliver(
            floor.tenant, "crm.customer.value-rated.v1", parse_id("cus", customer), {"group": "champions"}
        )
        found = await clocks(floor, await ticket(floor, customer_id=customer))
        assert found["first_response"]["target_s"] == 60
        assert (await clocks(floor, await ticket(floor)))["first_response"]["target_s"] == 600


class TestStates:
    async def test_the_whole_way(self, floor: Any) -> None:
        one = await ticket(floor)
        path = f"/v1/tickets/{one}"
        await floor.post(f"{path}/reply", {"text": "Which size?"})
        await floor.post(f"{path}/wait", {"on": "customer"})
        assert (await floor.post(f"{path}/customer-reply", {"text": "42"}))["state"] == "open"
        await floor.post(f"{path}/hand-off", {"department": "warehouse", "question": "Is 42 there?"})
        await floor.post(f"{path}/resume", {"text": "Yes"})
        await floor.post(f"{path}/solve", {"text": "It is on its way."})
        assert (await floor.post(f"{path}/customer-reply", {"text": "Not arrived"}))["state"] == "reopened"
        await floor.post(f"{path}/solve", {})
        await floor.post(f"{path}/close")
        told = [kind for kind in await floor.types() if kind.startswith("ticket")]
        assert told == [
            "ticket.opened", "ticket.pending", "ticket.pending", "ticket.solved", "ticket.reopened", "ticket.solved",
            "ticket.closed",
        ]  # fmt: skip
        kinds = [entry["kind"] for entry in (await floor.get(f"{path}/events"))["items"]]
        assert kinds[-4:] == ["customer_replied", "reopened", "solved", "closed"]

    @pytest.mark.parametrize(
        ("before", "step", "code"),
        [
            (["solve"], "solve", "ticket_solved"),
            (["close"], "reply", "ticket_closed"),
            (["close"], "customer-reply", "ticket_closed"),
            ([], "reopen", "ticket_state"),
            ([], "resume", "ticket_state"),
        ],
    )
    async def test_what_makes_no_sense_is_refused(self, floor: Any, before: list[str], step: str, code: str) -> None:
        one = await ticket(floor)
        for done in before:
            await floor.post(f"/v1/tickets/{one}/{done}", None if done == "close" else {})
        body = {"text": "x"}
        assert await floor.refused(f"/v1/tickets/{one}/{step}", body) == (409, code)

    async def test_a_solved_ticket_is_closed_after_a_week_of_silence(self, floor: Any) -> None:
        one = await ticket(floor)
        await floor.post(f"/v1/tickets/{one}/solve", {})
        floor.later(days=7)
        await floor.kit.run_timers()
        assert (await floor.get(f"/v1/tickets/{one}"))["state"] == "closed"

    async def test_a_stale_change_is_refused(self, floor: Any) -> None:
        one = await ticket(floor)
        answer = await floor.http.patch(f"/v1/tickets/{one}", json={"priority": "high"}, headers={"If-Match": '"99"'})
        assert answer.status_code == 412

    async def test_a_merged_customers_tickets_are_found_under_either_id(self, floor: Any) -> None:
        old, new = await floor.customer("Old", points=[]), await floor.customer("New", points=[])
        one = await ticket(floor, customer_id=old)
        merged = {"survivor_id": new, "merged_id": old}
        await floor.kit.deliver(floor.tenant, "crm.customer.merged.v1", parse_id("cus", new), merged)
        for asked in (old, new):
            found = await floor.get("/v1/tickets", customer_id=asked)
            assert [item["id"] for item in found["items"]] == [one]
        restored = {"survivor_id": new, "restored_id": old}
        await floor.kit.deliver(floor.tenant, "crm.customer.unmerged.v1", parse_id("cus", new), restored)
        assert (await floor.get("/v1/tickets", customer_id=new))["items"] == []

    async def test_an_erased_persons_words_are_gone(self, floor: Any) -> None:
        customer = await floor.customer("Iva")
        one = await ticket(floor, customer_id=customer, description="I live at 5 Main Street")
        await floor.post(f"/v1/tickets/{one}/customer-reply", {"text": "Call 091 555"})
        await floor.kit.deliver(floor.tenant, "crm.customer.erased.v1", parse_id("cus", customer), {"erased_at": "x"})
        shown = str(await floor.get(f"/v1/tickets/{one}")) + str(await floor.get(f"/v1/tickets/{one}/events"))
        assert "Main Street" not in shown
        assert "091" not in shown


class TestServiceLevels:
    async def test_warn_and_breach_exactly_once_with_two_workers(self, floor: Any) -> None:
        await always_open(floor)
        one = await ticket(floor)
        floor.later(minutes=8)
        await asyncio.gather(floor.kit.run_timers(), floor.kit.run_timers())
        floor.later(minutes=2)
        await asyncio.gather(floor.kit.run_timers(), floor.kit.run_timers())
        floor.later(hours=2)
        await asyncio.gather(*(floor.kit.run_timers() for _ in range(3)))
        warned = await floor.facts("ticket.sla-warned")
        breached = await floor.facts("ticket.sla-breached")
        assert [fact["clock"] for fact in warned] == ["first_response"]
        assert sorted(fact["clock"] for fact in breached) == ["first_response", "resolution"]
        assert (await floor.get(f"/v1/tickets/{one}"))["next_due_at"] is None

    async def test_a_breach_nobody_was_awake_for_is_said_when_somebody_acts(self, floor: Any) -> None:
        await always_open(floor)
        one = await ticket(floor)
        floor.later(minutes=30)
        await floor.post(f"/v1/tickets/{one}/solve", {})
        assert [fact["clock"] for fact in await floor.facts("ticket.sla-breached")] == ["first_response"]
        await floor.kit.run_timers()
        assert len(await floor.facts("ticket.sla-breached")) == 1
        solved = (await floor.facts("ticket.solved"))[0]
        assert (solved["first_response_kept"], solved["resolution_kept"]) == (False, True)

    async def test_a_timely_answer_stops_the_clock_for_good(self, floor: Any) -> None:
        await always_open(floor)
        one = await ticket(floor)
        floor.later(minutes=5)
        await floor.post(f"/v1/tickets/{one}/reply", {"text": "At once"})
        floor.later(hours=5)
        found = await clocks(floor, one)
        assert (found["first_response"]["kept"], found["resolution"]["kept"]) == (True, False)

    async def test_waiting_for_the_customer_pauses_and_nothing_falls_due(self, floor: Any) -> None:
        await always_open(floor)
        one = await ticket(floor)
        await floor.post(f"/v1/tickets/{one}/wait", {"on": "customer"})
        floor.later(days=3)
        await floor.kit.run_timers()
        assert await floor.facts("ticket.sla-breached") == []
        assert (await clocks(floor, one))["resolution"]["running"] is False

    async def test_a_complaint_runs_on_while_a_department_works(self, floor: Any) -> None:
        await always_open(floor, kind="complaint")
        one = await ticket(floor, "complaint")
        await floor.post(f"/v1/tickets/{one}/hand-off", {"department": "warehouse"})
        floor.later(hours=2)
        await floor.kit.run_timers()
        assert len(await floor.facts("ticket.sla-breached")) == 2

    async def test_another_priority_brings_another_promise_and_keeps_the_pause(self, floor: Any) -> None:
        await always_open(floor)
        hours = (await floor.get("/v1/calendars"))["items"][0]["id"]
        urgent = {"name": "urgent", "priority": "urgent", "targets": {"resolution": {"seconds": 1800}}}
        await floor.post("/v1/sla-policies", {**urgent, "calendar_id": hours})
        one = await ticket(floor)
        floor.later(minutes=5)
        await floor.post(f"/v1/tickets/{one}/wait", {"on": "customer"})
        floor.later(minutes=60)
        await floor.post(f"/v1/tickets/{one}/resume", {})
        answer = await floor.http.patch(f"/v1/tickets/{one}", json={"priority": "urgent"})
        assert answer.status_code == 200
        found = await clocks(floor, one)
        assert (found["resolution"]["elapsed_s"], found["resolution"]["target_s"]) == (300, 1800)
        assert "first_response" not in found

    async def test_a_changed_calendar_does_not_move_what_was_promised(self, floor: Any) -> None:
        await always_open(floor)
        hours = (await floor.get("/v1/calendars"))["items"][0]["id"]
        one = await ticket(floor)
        before = (await clocks(floor, one))["resolution"]["due_at"]
        shut = {"name": "always", "zone": "UTC", "weekly": {"monday": [{"opens": "08:00", "closes": "08:01"}]}}
        assert (await floor.http.put(f"/v1/calendars/{hours}", json=shut)).status_code == 200
        assert (await clocks(floor, one))["resolution"]["due_at"] == before
        other = await clocks(floor, await ticket(floor))
        assert other["resolution"]["due_at"] > before

    async def test_built_in_promises_hold_where_nothing_was_said(self, floor: Any) -> None:
        monday = datetime(2100, 1, 4, 9, 0, tzinfo=UTC)
        now = floor.kit.clock.now()
        floor.kit.clock.set(monday)
        try:
            query = await clocks(floor, await ticket(floor))
            mail = await clocks(floor, await ticket(floor, channel="email"))
            complaint = await clocks(floor, await ticket(floor, "complaint", channel="email"))
        finally:
            floor.kit.clock.set(now)
        assert query["first_response"]["target_s"] == 600
        assert mail["first_response"]["target_s"] == 4 * 3600
        assert complaint["resolution"]["due_at"] == "2100-01-04T14:00:00Z"  # 3 h before lunch, 1 h after
        assert timedelta(seconds=complaint["resolution"]["target_s"]) == timedelta(hours=4)


class TestPolicies:
    async def test_a_target_is_either_time_or_days(self, floor: Any) -> None:
        body = {"name": "p", "targets": {"resolution": {"seconds": 5, "working_days": 1}}}
        assert (await floor.http.post("/v1/sla-policies", json=body)).status_code == 422

    async def test_without_a_target_is_refused(self, floor: Any) -> None:
        assert await floor.refused("/v1/sla-policies", {"name": "p", "targets": {}}) == (422, "targets_missing")

    async def test_a_change_leaves_running_tickets_under_the_old_version(self, floor: Any) -> None:
        await always_open(floor)
        policy = (await floor.get("/v1/sla-policies"))["items"][0]
        one = await ticket(floor)
        changed = await floor.http.patch(
            f"/v1/sla-policies/{policy['id']}", json={"targets": {"first_response": {"seconds": 60}}}
        )
        assert changed.json()["version"] == 2
        assert (await clocks(floor, one))["first_response"]["target_s"] == 600
        assert (await clocks(floor, await ticket(floor)))["first_response"]["target_s"] == 60

    async def test_a_retired_one_leaves_the_field_to_the_built_in(self, floor: Any) -> None:
        await always_open(floor)
        policy = (await floor.get("/v1/sla-policies"))["items"][0]
        assert (await floor.http.delete(f"/v1/sla-policies/{policy['id']}")).status_code == 204
        assert "resolution" not in await clocks(floor, await ticket(floor))
