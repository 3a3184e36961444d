"""The heaviest jobs of the suite, each started as a client starts it and followed to its end."""

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import orjson

from crm_suite.demo.acts.moving_in import policy
from crm_suite.demo.door import Door, JobFailed, eventually
from crm_suite.demo.purchases import CURRENCY

from .files import SOURCE
from .suite import RunningSuite

_WITHIN_S = 200.0
_LARGE_SPENDERS: dict[str, Any] = {
    "type": "purchase_sum",
    "op": "ge",
    "amount": {"amount": "100.00", "currency": CURRENCY},
}


@dataclass(frozen=True, slots=True)
class Work:
    """A job; `run` carries it to its end and tells how many `units` it has gone through."""

    name: str
    unit: str
    run: Callable[[], Awaitable[int]]


async def ended(door: Door, operation: dict[str, Any]) -> dict[str, Any]:
    """The result of a long job.

    Raises:
        JobFailed: it was cancelled, or failed.
    """

    async def look() -> dict[str, Any] | None:
        found = await door.get(f"/v1/operations/{operation['id']}")
        return found if found["finished_at"] else None

    found = await eventually("a job to end", look, within_s=_WITHIN_S)
    if found["state"] != "succeeded":
        raise JobFailed(str(found["problem"]))
    return found["result"]


async def import_file(door: Door, kind: str, body: bytes) -> int:
    """Import a CSV file; every row must be good."""
    source = f"source={SOURCE}"
    result = await ended(door, await door.post_raw(f"/v1/{kind}-imports?{source}", body, "text/csv"))
    if result["failed"]:
        raise JobFailed(f"{result['failed']} rows were refused")
    return result["rows"]


class Desk:
    """Marketing's desk: what the jobs beyond imports need, made at first need."""

    def __init__(self, suite: RunningSuite) -> None:
        self._suite = suite
        self._door = suite.door
        self._segment = ""

    async def evaluate(self) -> int:
        return (await self._job("/v1/lifecycle/evaluations"))["customers"]

    async def rate(self) -> int:
        return (await self._job("/v1/values/ratings"))["customers"]

    async def republish(self) -> int:
        return (await self._job("/v1/customers/republish"))["customers"]

    async def materialise(self) -> int:
        """All who have spent a lot enter a new segment."""
        segment = await self._door.post(
            "/v1/segments", {"name": secrets.token_hex(4), "kind": "dynamic", "rule": _LARGE_SPENDERS}
        )
        self._segment = segment["id"]
        await self._job(f"/v1/segments/{self._segment}/materialise")
        counts = (await self._door.get("/v1/lifecycle/states"))["items"]
        return sum(count["customers"] for count in counts)

    async def mail(self) -> int:
        """An audience is judged, a campaign planned, and every mail sent."""
        campaign = f"/v1/campaigns/{await self._approved()}"
        await self._door.post(f"{campaign}/schedule", {})

        async def finished() -> dict[str, Any] | None:
            found = await self._door.get(campaign)
            return found if found["status"] == "finished" else None

        return (await eventually("the campaign to finish", finished, within_s=_WITHIN_S))["targeted"]

    async def _job(self, path: str) -> dict[str, Any]:
        return await ended(self._door, await self._door.post(path, {}))

    async def _approved(self) -> str:
        """A campaign that somebody else has approved: nobody approves their own."""
        await self._door.put("/v1/governance/policy", policy())
        wording = orjson.loads((files("crm_suite.demo") / "texts" / "spring.json").read_bytes())
        template = await self._door.post("/v1/templates", {"name": "Spring", "purpose": "marketing", **wording})
        variants = [{"name": "A", "template_id": template["id"]}]
        plan = {"name": "Spring", "purpose": "marketing", "segment_id": self._segment, "variants": variants}
        email, password = f"{secrets.token_hex(4)}@{self._suite.tenant}.example.com", secrets.token_urlsafe(12)
        who = {"email": email, "name": "Alma Approve", "roles": ["marketing_approver"], "password": password}
        await self._door.post("/v1/users", who)
        session = await self._door.post(
            "/v1/sessions", {"tenant": self._suite.tenant, "email": email, "password": password}
        )
        async with Door.opened(self._suite.url, session["token"], agent="crm-bench") as approver:
            await approver.post(f"/v1/templates/{template['id']}/versions/1/approve")
            campaign: str = (await self._door.post("/v1/campaigns", plan))["id"]
            await self._door.post(f"/v1/campaigns/{campaign}/submit")
            await approver.post(f"/v1/campaigns/{campaign}/approve")
        return campaign
