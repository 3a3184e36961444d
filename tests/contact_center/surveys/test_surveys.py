"""Asking customers and hearing them, over HTTP and by our own events."""

import asyncio
from typing import Any

import httpx
import pytest

from crm_contact_center.surveys.domain import is_sampled
from crm_shared.ids import new_id, parse_id


async def survey(floor: Any, **more: Any) -> str:
    made = await floor.post("/v1/surveys", {"name": "s", "kind": "csat", "question": "How was it?", **more})
    return made["id"]


async def conversation(floor: Any, customer: str, channel: str = "voice") -> str:
    """A whole conversation, with its events come back to us as they would over the bus."""
    agent = await floor.agent()
    call = await floor.call(channel, customer_id=customer)
    await floor.dispatch()
    await floor.take(agent)
    await floor.end(call)
    await floor.state(agent, "break")
    await hear(floor, call)
    return call


async def hear(floor: Any, subject: str) -> None:
    """Our own events of one interaction or ticket come back to us over the bus."""
    await floor.kit.apply([event for event in await floor.kit.events(floor.tenant) if event.subject == subject])


async def asked(floor: Any, **filters: Any) -> list[dict[str, Any]]:
    return (await floor.get("/v1/surveys/invitations", **filters))["items"]


class TestAsking:
    async def test_after_a_conversation_once(self, floor: Any) -> None:
        await floor.queue(wrap_up_s=0)
        customer = await floor.customer()
        await survey(floor)
        call = await conversation(floor, customer)
        await hear(floor, call)
        (one,) = await asked(floor)
        assert (one["interaction_id"], one["customer_id"], one["state"]) == (call, customer, "invited")

    async def test_after_a_solved_ticket_once_however_often_it_is_solved(self, floor: Any) -> None:
        customer = await floor.customer()
        await survey(floor, trigger="ticket")
        ticket = await floor.post("/v1/tickets", {"kind": "query", "subject": "x", "customer_id": customer})
        for step in ("solve", "reopen", "solve"):
            await floor.post(f"/v1/tickets/{ticket['id']}/{step}", {})
        await hear(floor, ticket["id"])
        assert len(await asked(floor)) == 1

    async def test_a_customer_is_left_in_peace_for_a_while_on_any_channel(self, floor: Any) -> None:
        await floor.queue(wrap_up_s=0)
        customer = await floor.customer()
        await survey(floor, rest_days=30)
        await conversation(floor, customer)
        floor.later(days=29)
        await conversation(floor, customer, "chat")
        assert len(await asked(floor)) == 1
        floor.later(days=2)
        await conversation(floor, customer)
        assert len(await asked(floor)) == 2

    async def test_only_after_the_channels_it_is_for(self, floor: Any) -> None:
        await floor.queue(wrap_up_s=0)
        await survey(floor, channels=["chat"])
        await conversation(floor, await floor.customer())
        assert await asked(floor) == []

    async def test_a_conversation_with_nobody_is_not_asked_about(self, floor: Any) -> None:
        await survey(floor)
        call = await floor.call("email", customer_id=await floor.customer())
        await floor.end(call)
        await hear(floor, call)
        assert await asked(floor) == []

    async def test_the_sample_is_as_large_as_it_says_and_the_same_each_time(self, floor: Any) -> None:
        from crm_contact_center.surveys.domain import Survey

        one = Survey(
            new_id(),
            "s",
            "csat",
            "q",
            "interaction",
            (),
            20,
            0,
            None,
            True,
            1,
            floor.kit.clock.now(),
        )
        contacts = [new_id() for _ in range(4_000)]
        sampled = [contact for contact in contacts if is_sampled(one, contact)]
        assert 650 < len(sampled) < 950
        assert sampled == [contact for contact in contacts if is_sampled(one, contact)]

    async def test_the_same_contact_twice_by_hand_is_refused(self, floor: Any) -> None:
        one = await survey(floor, trigger="manual")
        customer = await floor.customer()
        call = await floor.call("email", customer_id=customer)
        body = {"customer_id": customer, "interaction_id": call}
        await floor.post(f"/v1/surveys/{one}/invitations", body)
        assert await floor.refused(f"/v1/surveys/{one}/invitations", body) == (409, "survey_asked_already")


class TestAnswering:
    async def invited(self, floor: Any, **more: Any) -> dict[str, Any]:
        one = await survey(floor, trigger="manual", **more)
        return await floor.post(f"/v1/surveys/{one}/invitations", {"customer_id": await floor.customer()})

    @pytest.fixture
    async def outside(self, floor: Any) -> Any:
        """A browser: no token of ours but the one in its address."""
        transport = httpx.ASGITransport(app=floor.kit.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            yield client

    async def test_the_customer_answers_with_the_token_alone(self, floor: Any, outside: httpx.AsyncClient) -> None:
        one = await self.invited(floor)
        path = f"/v1/surveys/public/{one['token']}"
        question = (await outside.get(path)).json()
        assert question == {
            "question": "How was it?", "kind": "csat", "scale_min": 1, "scale_max": 5, "answered": False
        }  # fmt: skip
        answer = await outside.post(path, json={"score": 5, "comment": "Fine"})
        assert (answer.status_code, answer.json()["answered"]) == (200, True)
        (told,) = await floor.facts("survey.answered")
        assert (told["score"], told["scale_max"], told["comment"]) == (5, 5, "Fine")
        again = await outside.post(path, json={"score": 1})
        assert (again.status_code, again.json()["code"]) == (409, "survey_answered")

    async def test_a_token_of_another_tenant_or_a_changed_one_is_worth_nothing(
        self, floor: Any, outside: httpx.AsyncClient
    ) -> None:
        token = (await self.invited(floor))["token"]
        swapped = ("A" if token[0] != "A" else "B") + token[1:]
        flipped = token[:-3] + ("A" if token[-3] != "A" else "B") + token[-2:]
        for bad in (swapped, flipped, token[:-4], "x", "é"):
            assert (await outside.get(f"/v1/surveys/public/{bad}")).status_code == 404

    async def test_a_score_off_the_scale_is_refused_and_nothing_is_kept(self, floor: Any) -> None:
        one = await self.invited(floor)
        path = f"/v1/surveys/invitations/{one['id']}/answer"
        assert await floor.refused(path, {"score": 0}) == (422, "score_out_of_range")
        assert await floor.refused(path, {"score": 6}) == (422, "score_out_of_range")
        assert (await asked(floor))[0]["state"] == "invited"

    async def test_too_late_is_refused(self, floor: Any) -> None:
        one = await self.invited(floor)
        floor.later(days=14)
        assert await floor.refused(f"/v1/surveys/invitations/{one['id']}/answer", {"score": 3}) == (
            409,
            "survey_expired",
        )

    async def test_a_low_score_opens_one_follow_up_with_many_clicks(self, floor: Any) -> None:
        one = await self.invited(floor, low_at=2)
        path = f"/v1/surveys/invitations/{one['id']}/answer"
        answers = await asyncio.gather(*(floor.http.post(path, json={"score": 1}) for _ in range(4)))
        assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]
        (ticket,) = (await floor.get("/v1/tickets"))["items"]
        assert (ticket["kind"], ticket["customer_id"]) == ("complaint", one["customer_id"])
        assert (await asked(floor))[0]["follow_up_id"] == ticket["id"]

    async def test_results_are_counted_by_kind(self, floor: Any) -> None:
        one = await survey(floor, kind="nps", trigger="manual", name="n")
        for score in (10, 9, 8, 3):
            customer = await floor.customer()
            made = await floor.post(f"/v1/surveys/{one}/invitations", {"customer_id": customer})
            await floor.post(f"/v1/surveys/invitations/{made['id']}/answer", {"score": score})
        found = await floor.get(f"/v1/surveys/{one}/results")
        assert (found["answered"], found["mean"], found["nps"]) == (4, 7.5, 25.0)

    async def test_an_erased_persons_comment_is_gone(self, floor: Any) -> None:
        one = await self.invited(floor)
        await floor.post(f"/v1/surveys/invitations/{one['id']}/answer", {"score": 3, "comment": "Call me: 091"})
        await floor.kit.deliver(
            floor.tenant, "crm.customer.erased.v1", parse_id("cus", one["customer_id"]), {"erased_at": "x"}
        )
        (left,) = await asked(floor)
        assert (left["score"], left["comment"]) == (3, None)
