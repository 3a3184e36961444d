"""Agents: how they come to be, what they can do, and what they cost."""

import asyncio
from typing import Any

from crm_shared.ids import public_id


class TestUsers:
    async def test_a_user_with_the_role_is_an_agent_under_the_same_id_once(self, floor: Any) -> None:
        user = floor.kit.tenant()
        told = {"name": "Ana", "email": "ana@example.org", "roles": ["agent", "supervisor"]}
        await floor.kit.deliver(floor.tenant, "crm.user.created.v1", user, told)
        await floor.kit.deliver(floor.tenant, "crm.user.created.v1", user, told)
        found = await floor.get(f"/v1/agents/{public_id('agt', user)}")
        assert (found["name"], found["user_id"], found["state"]) == ("Ana", public_id("usr", user), "offline")

    async def test_other_users_are_not(self, floor: Any) -> None:
        told = {"name": "Eva", "email": "eva@example.org", "roles": ["seller"]}
        await floor.kit.deliver(floor.tenant, "crm.user.created.v1", floor.kit.tenant(), told)
        assert (await floor.get("/v1/agents"))["items"] == []


class TestProfile:
    async def test_skills_are_replaced_and_the_catalogue_grows(self, floor: Any) -> None:
        agent = await floor.agent(here=False, de=3, faults=2)
        changed = await floor.http.patch(f"/v1/agents/{agent}", json={"skills": {"de": 9}}, headers={"If-Match": '"1"'})
        assert (changed.status_code, changed.json()["skills"], changed.headers["etag"]) == (200, {"de": 9}, '"2"')
        skills = {one["name"]: one["agents"] for one in (await floor.get("/v1/skills"))["items"]}
        assert skills == {"de": 1, "faults": 0}
        described = await floor.http.put("/v1/skills/de", json={"kind": "language", "description": "German"})
        assert described.status_code == 204
        assert (await floor.get("/v1/skills"))["items"][0]["kind"] == "language"

    async def test_a_new_skill_brings_the_waiting_at_once(self, floor: Any) -> None:
        await floor.queue(requirements={"de": 5})
        agent = await floor.agent(de=2)
        call = await floor.call()
        assert await floor.dispatch() == 0
        await floor.http.patch(f"/v1/agents/{agent}", json={"skills": {"de": 6}})
        await floor.dispatch()
        assert await floor.offered(agent) == [call]

    async def test_conversations_do_not_spoil_an_administrators_version(self, floor: Any) -> None:
        await floor.queue()
        agent = await floor.agent()
        before = (await floor.http.get(f"/v1/agents/{agent}")).headers["etag"]
        await floor.call()
        await floor.dispatch()
        assert (await floor.http.get(f"/v1/agents/{agent}")).headers["etag"] == before

    async def test_capacity_below_what_is_in_use_is_refused(self, floor: Any) -> None:
        await floor.queue()
        agent = await floor.agent()
        await floor.call("chat")
        await floor.call("chat")
        await floor.dispatch()
        answer = await floor.http.patch(f"/v1/agents/{agent}", json={"capacity": 30})
        assert (answer.status_code, answer.json()["code"]) == (409, "capacity_in_use")

    async def test_who_has_left_cannot_come_back(self, floor: Any) -> None:
        agent = await floor.agent()
        await floor.post(f"/v1/agents/{agent}/retire")
        assert await floor.refused(f"/v1/agents/{agent}/state", {"state": "available"}) == (409, "agent_retired")
        assert (await floor.get("/v1/agents"))["items"] == []
        assert len((await floor.get("/v1/agents", retired=True))["items"]) == 1


class TestQueues:
    async def test_new_rules_hold_for_those_who_wait(self, floor: Any) -> None:
        queue = await floor.queue(requirements={"de": 5})
        agent = await floor.agent(de=2)
        call = await floor.call()
        await floor.dispatch()
        floor.later(seconds=10)
        steps = {"steps": [{"after_s": 5, "relax": {"de": 1}}]}
        assert (await floor.http.patch(f"/v1/queues/{queue}", json=steps)).json()["version"] == 2
        await floor.dispatch()
        assert await floor.offered(agent) == [call]

    async def test_status_counts_who_waits(self, floor: Any) -> None:
        queue = await floor.queue()
        await asyncio.gather(*(floor.call() for _ in range(3)))
        floor.later(seconds=9)
        assert await floor.get(f"/v1/queues/{queue}/status") == {"waiting": 3, "longest_wait_s": 9.0, "open": True}

    async def test_priority_goes_first(self, floor: Any) -> None:
        await floor.queue()
        await floor.call()
        floor.later(seconds=30)
        urgent = await floor.call(priority=1)
        agent = await floor.agent()
        await floor.dispatch()
        assert await floor.offered(agent) == [urgent]


class TestCalendars:
    async def test_a_lunch_break_and_a_holiday_come_back_as_given(self, floor: Any) -> None:
        body = {
            "name": "Zagreb",
            "zone": "Europe/Zagreb",
            "weekly": {"monday": [{"opens": "09:00", "closes": "12:00"}, {"opens": "13:00", "closes": "24:00"}]},
            "special_days": [{"day": "2026-12-25", "windows": []}],
        }
        made = await floor.post("/v1/calendars", body)
        assert made["weekly"]["monday"] == body["weekly"]["monday"]
        assert made["special_days"] == body["special_days"]
        path = f"/v1/calendars/{made['id']}/opening"
        lunch = await floor.get(path, at="2026-11-23T11:30:00Z")
        assert (lunch["open"], lunch["next_opening"]) == (False, "2026-11-23T12:00:00Z")
