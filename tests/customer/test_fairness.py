"""Long jobs give way: whatever they do over many customers, no step of theirs keeps the event loop for long."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest
from tests.loop_steps import steps_watched

from crm_customer.app import SERVICE
from crm_shared.testing.kit import ServiceKit

PEOPLE = 750
RULE = {"type": "purchase_sum", "op": "ge", "amount": {"amount": "1.00", "currency": "EUR"}}
CSV = {"content-type": "text/csv"}


@dataclass
class Desk:
    """What starts the jobs."""

    http: httpx.AsyncClient
    started: list[str] = field(default_factory=list[str])

    async def post(self, path: str, body: Any) -> dict[str, Any]:
        answer = await self.http.post(path, json=body)
        assert answer.status_code < 300, answer.text
        if "location" in answer.headers and answer.status_code == 202:
            self.started.append(answer.headers["location"])
        return answer.json()

    async def file(self, what: str, text: str) -> None:
        answer = await self.http.post(f"/v1/{what}-imports?source=erp", content=text.encode(), headers=CSV)
        assert answer.status_code == 202, answer.text
        self.started.append(answer.headers["location"])

    async def all_succeeded(self) -> None:
        for operation in self.started:
            found = (await self.http.get(operation)).json()
            assert found["state"] == "succeeded", found


async def import_customers(desk: Desk, count: int) -> None:
    rows = [f"{n},Ann,Lee {n},c{n}@example.org,Main Street {n},DE,granted" for n in range(count)]
    header = "external_id,given_name,family_name,email,postal,country,consent.marketing.email"
    await desk.file("customer", "\n".join([header, *rows]))


async def import_purchases(desk: Desk, count: int) -> None:
    rows = [f"p{n},{n},2026-01-{n % 28 + 1:02}T00:00:00Z,{n % 90 + 1}.00,EUR" for n in range(count)]
    await desk.file("purchase", "\n".join(["external_id,customer_external_id,occurred_at,amount,currency", *rows]))


async def evaluate(desk: Desk, count: int) -> None:
    await desk.post("/v1/lifecycle/evaluations", {})


async def rate(desk: Desk, count: int) -> None:
    await desk.post("/v1/values/ratings", {})


async def materialise(desk: Desk, count: int) -> None:
    segment = await desk.post("/v1/segments", {"name": f"S{count}", "kind": "dynamic", "rule": RULE})
    await desk.post(f"/v1/segments/{segment['id']}/materialise", {})


async def republish(desk: Desk, count: int) -> None:
    await desk.post("/v1/customers/republish", {})


JOBS: dict[str, Callable[[Desk, int], Awaitable[None]]] = {
    "customer.import": import_customers,
    "purchase.import": import_purchases,
    "lifecycle.evaluation": evaluate,
    "value.rating": rate,
    "segment.materialisation": materialise,
    "customer.republish": republish,
}
"""What starts each kind of job, in an order in which each finds what it works on."""


def test_every_kind_of_job_is_watched() -> None:
    assert JOBS.keys() == SERVICE.jobs.handlers.keys()


async def test_no_job_keeps_the_event_loop_for_long(
    kit: ServiceKit, tenant: UUID, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk(http)
    for start in JOBS.values():  # statements are compiled at their first use
        await start(desk, 3)
        await finish(kit)
    for kind, start in JOBS.items():
        await start(desk, PEOPLE)
        with steps_watched(monkeypatch) as steps:
            await finish(kit)
        await desk.all_succeeded()
        assert not steps.long, f"{kind}: {steps}"
        await everything_published(kit)


async def finish(kit: ServiceKit) -> None:
    while await kit.run_jobs() + await kit.run_timers():
        pass


async def everything_published(kit: ServiceKit) -> None:
    """A job would wait for the relay, which doesn't run here."""
    connection = await asyncpg.connect(kit.urls.admin)
    try:
        await connection.execute("DELETE FROM outbox")
    finally:
        await connection.close()
