"""Conversations apart from queues: what is said, whose they are, what they reveal, and who may see them."""

from typing import Any

import pytest

from crm_shared.ids import parse_id


class TestHistory:
    async def test_is_appended_in_order_and_paged(self, floor: Any) -> None:
        call = await floor.call("chat", text="Hello?")
        for word in ("Good day", "How can I help?"):
            await floor.post(f"/v1/interactions/{call}/messages", {"text": word})
        await floor.post(f"/v1/interactions/{call}/messages", {"kind": "note", "text": "Sounds worried"})
        first = await floor.get(f"/v1/interactions/{call}/events", limit=2)
        rest = await floor.get(f"/v1/interactions/{call}/events", limit=9, cursor=first["next_cursor"])
        told = [(entry["sequence"], entry["kind"]) for entry in first["items"] + rest["items"]]
        assert told == [(1, "started"), (2, "message"), (3, "message"), (4, "message"), (5, "note")]

    async def test_of_a_conversation_that_is_over_is_closed(self, floor: Any) -> None:
        call = await floor.call("chat")
        await floor.end(call)
        assert await floor.refused(f"/v1/interactions/{call}/messages", {"text": "x"}) == (409, "interaction_over")


class TestDemand:
    async def test_is_told_to_sales(self, floor: Any) -> None:
        customer = await floor.customer()
        call = await floor.call()
        noted = await floor.post(
            f"/v1/interactions/{call}/demands", {"text": "A second device", "buying_window": "within_6_months"}
        )
        (event,) = await floor.kit.events(floor.tenant, "crm.demand.revealed.v1")
        assert event.subject == noted["id"]
        told = event.payload()
        assert (told["customer_id"], told["interaction_id"]) == (customer, call)
        assert (told["text"], told["buying_window"]) == ("A second device", "within_6_months")

    async def test_of_nobody_is_refused_until_we_know_who(self, floor: Any) -> None:
        call = await floor.call(from_address=None)
        path = f"/v1/interactions/{call}/demands"
        assert await floor.refused(path, {"text": "x"}) == (409, "customer_unknown")
        customer = await floor.customer()
        answer = await floor.http.patch(f"/v1/interactions/{call}", json={"customer_id": customer})
        assert (answer.status_code, answer.json()["recognised"]) == (200, False)
        assert (await floor.http.post(path, json={"text": "x"})).status_code == 201


class TestQueueing:
    async def test_goes_to_the_queue_of_our_address_before_that_of_the_channel(self, floor: Any) -> None:
        await floor.queue("all", channels=["voice"])
        vip = await floor.queue("vip", channels=[], addresses=["+3851000"])
        call = await floor.call(to_address="+3851000")
        assert (await floor.get(f"/v1/interactions/{call}"))["queue_id"] == vip

    async def test_without_a_responsible_queue_it_stays_open_until_somebody_queues_it(self, floor: Any) -> None:
        mail = await floor.queue("mail", channels=[])
        call = await floor.call("email")
        assert (await floor.get(f"/v1/interactions/{call}"))["state"] == "open"
        path = f"/v1/interactions/{call}/enqueue"
        assert await floor.refused(path, {}) == (422, "queue_missing")
        assert (await floor.post(path, {"queue_id": mail}))["state"] == "queued"
        assert await floor.refused(path, {"queue_id": mail}) == (409, "interaction_not_open")

    async def test_the_customers_language_is_a_skill(self, floor: Any) -> None:
        await floor.queue(language_level=3)
        await floor.customer(language="HR")
        agent = await floor.agent("English only", en=9)
        await floor.call()
        assert await floor.dispatch() == 0
        speaks = await floor.agent("Speaks", hr=4)
        await floor.dispatch()
        assert await floor.offered(agent) == []
        assert len(await floor.offered(speaks)) == 1

    async def test_the_agent_whom_the_customer_knows_is_preferred(self, floor: Any) -> None:
        await floor.queue(preferred_wait_s=60, wrap_up_s=0)
        await floor.customer()
        known = await floor.agent("Known")
        first = await floor.call()
        await floor.dispatch()
        await floor.take(known)
        await floor.end(first)
        floor.later(seconds=5)
        stranger = await floor.agent("Longer idle")
        await floor.state(known, "break")
        floor.later(seconds=5)
        await floor.state(known, "available")
        await floor.call()
        await floor.dispatch()
        assert (len(await floor.offered(known)), len(await floor.offered(stranger))) == (1, 0)

    async def test_an_outbound_contact_waits_for_nobody(self, floor: Any) -> None:
        await floor.queue()
        call = await floor.call(direction="outbound", to_address="+385915550000")
        assert (await floor.get(f"/v1/interactions/{call}"))["state"] == "open"


class TestBadInput:
    @pytest.mark.parametrize(
        ("path", "body", "pointer"),
        [
            ("/v1/interactions", {"channel": "pigeon"}, "/channel"),
            ("/v1/interactions", {"channel": "voice", "colour": 1}, "/colour"),
            ("/v1/interactions", {"channel": "voice", "queue_id": "que_nothing"}, "/queue_id"),
            ("/v1/interactions", {"channel": "voice", "skills": {"de": 11}}, "/skills/de"),
            ("/v1/queues", {"name": ""}, "/name"),
            ("/v1/queues", {"name": "q", "steps": [{"after_s": 5}, {"after_s": 5}]}, "/steps/1/after_s"),
            ("/v1/agents", {"name": "A", "email": "nobody"}, "/email"),
            ("/v1/agents", {"name": "A", "skills": {"Not A Slug": 1}}, None),
            ("/v1/calendars", {"name": "c", "zone": "Mars/Olympus", "weekly": {}}, "/zone"),
            ("/v1/tickets", {"kind": "riddle"}, "/kind"),
            ("/v1/surveys", {"name": "s", "kind": "csat", "question": "q", "low_at": 9}, "/low_at"),
        ],
    )
    async def test_names_the_field(self, floor: Any, path: str, body: dict[str, Any], pointer: str | None) -> None:
        answer = await floor.http.post(path, json=body)
        problem = answer.json()
        assert answer.status_code == 422, problem
        assert answer.headers["content-type"].startswith("application/problem+json")
        if pointer is not None:
            assert pointer in [error["pointer"] for error in problem["errors"]]

    async def test_a_repeated_request_is_carried_out_once(self, floor: Any) -> None:
        body = {"channel": "voice", "from_address": "+385915550000"}
        one = await floor.post("/v1/interactions", body, **{"Idempotency-Key": "k1"})
        two = await floor.post("/v1/interactions", body, **{"Idempotency-Key": "k1"})
        assert one == two
        assert len((await floor.get("/v1/interactions"))["items"]) == 1


class TestWall:
    async def test_another_tenant_finds_nothing(self, floor: Any) -> None:
        queue = await floor.queue()
        agent = await floor.agent()
        call = await floor.call()
        await floor.dispatch()
        (offer,) = await floor.desk(agent)
        ticket = await floor.post("/v1/tickets", {"kind": "query", "subject": "x"})
        async with floor.kit.client(floor.kit.tenant()) as stranger:
            for path in (
                f"/v1/interactions/{call}",
                f"/v1/interactions/{call}/events",
                f"/v1/queues/{queue}",
                f"/v1/agents/{agent}",
                f"/v1/agents/{agent}/reservations",
                f"/v1/reservations/{offer['id']}",
                f"/v1/tickets/{ticket['id']}",
            ):
                assert (await stranger.get(path)).status_code == 404, path
            assert (await stranger.post(f"/v1/reservations/{offer['id']}/accept")).status_code == 404
            assert (await stranger.get("/v1/interactions")).json()["items"] == []

    async def test_a_scope_that_is_missing_is_named(self, floor: Any) -> None:
        async with floor.kit.client(floor.tenant, "interactions:read") as reader:
            answer = await reader.post("/v1/interactions", json={"channel": "voice"})
        assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing")


async def test_lists_are_filtered_and_paged_newest_first(floor: Any) -> None:
    calls = []
    for channel in ("voice", "email", "voice", "voice"):
        calls.append(await floor.call(channel))
        floor.later(seconds=1)
    first = await floor.get("/v1/interactions", channel="voice", limit=2)
    rest = await floor.get("/v1/interactions", channel="voice", limit=2, cursor=first["next_cursor"])
    found = [item["id"] for item in first["items"] + rest["items"]]
    assert found == [calls[3], calls[2], calls[0]]
    assert parse_id("int", found[0])
