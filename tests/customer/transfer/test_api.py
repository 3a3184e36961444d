from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import httpx
import pytest

from crm_customer.transfer.jobs import walking
from crm_shared.db.operations import Job
from crm_shared.ids import public_id
from crm_shared.testing.kit import ServiceKit

Register = Callable[..., Awaitable[UUID]]
CSV = {"content-type": "text/csv"}
PEOPLE = """external_id,display_name,email,phone,country,consent.news.email,registered_at
1,Ada,ada@example.com,030 123456,DE,granted,2020-01-01
2,Bert,not an address,,DE,,
3,"Cer,
es",c@example.com,,FR,revoked,
4,Dora
"""


async def sent(
    kit: ServiceKit, http: httpx.AsyncClient, body: str, what: str = "customer", **options: Any
) -> tuple[dict[str, Any], str]:
    """The operation after its end, and the import's address."""
    answer = await http.post(
        f"/v1/{what}-imports", content=body.encode(), params={"source": "erp", **options}, headers=CSV
    )
    assert answer.status_code == 202, answer.text
    await kit.run_jobs()
    operation = (await http.get(answer.headers["location"])).json()
    assert operation["state"] == "succeeded", operation
    return operation["result"], f"/v1/{what}-imports/{operation['id'].replace('opcus_', 'imp_')}"


class TestCustomers:
    async def test_good_rows_come_in_and_bad_ones_are_named(self, kit: ServiceKit, http: httpx.AsyncClient) -> None:
        result, address = await sent(kit, http, PEOPLE)
        assert {name: result[name] for name in ("rows", "created", "failed")} == {"rows": 4, "created": 2, "failed": 2}
        errors = (await http.get(f"{address}/errors")).json()["items"]
        assert [(error["row"], error["code"]) for error in errors] == [
            (2, "contact_point_invalid"),
            (4, "columns_differ"),
        ]
        ada = (await http.get("/v1/customers/by-external-id/erp/1")).json()
        assert [point["value"] for point in ada["contact_points"]] == ["ada@example.com", "+4930123456"]
        assert ada["registered_at"] == "2020-01-01T00:00:00Z"
        assert (await http.get("/v1/customers/by-external-id/erp/3")).json()["display_name"] == "Cer,\nes"
        state = (await http.get(f"/v1/customers/{ada['id']}/consents")).json()["items"]
        assert [(each["purpose"], each["status"]) for each in state] == [("news", "granted")]
        assert (await http.get(address)).json()["finished_at"] is not None

    async def test_a_second_time_changes_nothing_and_regrants_nothing(
        self, kit: ServiceKit, http: httpx.AsyncClient, tenant: UUID
    ) -> None:
        await sent(kit, http, PEOPLE)
        ada = (await http.get("/v1/customers/by-external-id/erp/1")).json()["id"]
        revoked = {"purpose": "news", "channel": "email", "status": "revoked"}
        await http.post(f"/v1/customers/{ada}/consents", json=revoked)
        told = len(await kit.events(tenant))
        result, _ = await sent(kit, http, PEOPLE)
        assert (result["created"], result["updated"], result["unchanged"]) == (0, 0, 2)
        assert len(await kit.events(tenant)) == told
        check = await http.get(f"/v1/customers/{ada}/consents/check", params={"purpose": "news", "channel": "email"})
        assert check.json()["allowed"] is False

    async def test_a_dry_run_counts_and_keeps_nothing(
        self, kit: ServiceKit, http: httpx.AsyncClient, tenant: UUID
    ) -> None:
        result, address = await sent(kit, http, PEOPLE, dry_run="true")
        assert (result["created"], result["failed"], result["dry_run"]) == (2, 2, True)
        assert len((await http.get(f"{address}/errors")).json()["items"]) == 2
        assert (await http.get("/v1/customers")).json()["items"] == []
        assert await kit.events(tenant) == []

    async def test_json_lines_with_a_mapping_and_typed_attributes(
        self, kit: ServiceKit, http: httpx.AsyncClient
    ) -> None:
        await http.put("/v1/customers/attributes/tier", json={"type": "number", "label": "Tier"})
        body = b'{"id": "7", "who": "Ada", "attributes.tier": 3}\n\n{"id": "8", "who": 5, "x": 1}\nnope\n'
        answer = await http.post(
            "/v1/customer-imports",
            content=body,
            params={"source": "erp", "mapping": '{"id": "external_id", "who": "display_name"}'},
            headers={"content-type": "application/x-ndjson"},
        )
        await kit.run_jobs()
        operation = (await http.get(answer.headers["location"])).json()
        assert (operation["result"]["created"], operation["result"]["failed"]) == (1, 2)
        assert (await http.get("/v1/customers/by-external-id/erp/7")).json()["attributes"] == {"tier": 3}

    async def test_what_cannot_be_read_at_all_is_said_at_once(self, http: httpx.AsyncClient) -> None:
        async def refused(body: bytes, kind: str = "text/csv") -> tuple[int, str]:
            answer = await http.post(
                "/v1/customer-imports", content=body, params={"source": "erp"}, headers={"content-type": kind}
            )
            return answer.status_code, answer.json()["code"]

        assert await refused(b"a,b\n1,2\n") == (422, "columns_unsuitable")
        assert await refused(b"") == (422, "header_missing")
        assert await refused(b"external_id,display_name\n") == (422, "file_empty")
        assert await refused(b"x", "application/pdf") == (422, "media_type_unknown")

    async def test_a_run_that_was_cut_off_goes_on_where_it_stopped(
        self, kit: ServiceKit, http: httpx.AsyncClient, tenant: UUID, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(walking, "BATCH", 10)
        rows = "".join(f"{n},Name {n}\n" for n in range(35))
        answer = await http.post(
            "/v1/customer-imports",
            content=f"external_id,display_name\n{rows}".encode(),
            params={"source": "erp"},
            headers=CSV,
        )
        saved = 0
        keep = Job.progress

        async def cut_off(self: Job, *arguments: Any, **more: Any) -> None:
            nonlocal saved
            saved += 1
            await keep(self, *arguments, **more)
            if saved == 3:  # like a worker killed before its commit
                raise KeyboardInterrupt

        with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
            patched.setattr(Job, "progress", cut_off)
            await kit.run_jobs()
        kit.clock.advance(walking_lease())
        await kit.run_jobs()
        operation = (await http.get(answer.headers["location"])).json()
        assert operation["state"] == "succeeded", operation
        assert (operation["result"]["rows"], operation["result"]["created"]) == (35, 35)
        assert len(await kit.events(tenant, "crm.customer.registered.v1")) == 35

    async def test_a_cancelled_import_stops(self, kit: ServiceKit, http: httpx.AsyncClient) -> None:
        answer = await http.post(
            "/v1/customer-imports",
            content=b"external_id,display_name\n1,A\n",
            params={"source": "erp"},
            headers=CSV,
        )
        await http.post(f"{answer.headers['location']}/cancel")
        await kit.run_jobs()
        assert (await http.get(answer.headers["location"])).json()["state"] == "cancelled"
        assert (await http.get("/v1/customers")).json()["items"] == []


def walking_lease() -> Any:
    from datetime import timedelta

    return timedelta(minutes=5)


class TestPurchases:
    async def test_purchases_count_once_and_move_each_customer_once(
        self, kit: ServiceKit, http: httpx.AsyncClient, tenant: UUID
    ) -> None:
        await sent(kit, http, PEOPLE)
        body = "customer_external_id,occurred_at,amount,quantity\n" + "".join(
            f"{1 if n < 6 else 3},2026010{1 + n % 3},{n}.50,1\n" for n in range(8)
        )
        body += "99,20260101,5.00,1\n1,20260101,-5.00,1\n1,2026-13-01,5.00,1\n"
        result, address = await sent(kit, http, body, "purchase", currency="EUR", rows_as_ids="true")
        assert (result["created"], result["failed"]) == (8, 3)
        codes = [error["code"] for error in (await http.get(f"{address}/errors")).json()["items"]]
        assert codes == ["customer_not_found", "amount_negative", "date_malformed"]
        ada = (await http.get("/v1/customers/by-external-id/erp/1")).json()["id"]
        sums = (await http.get(f"/v1/customers/{ada}/behaviour")).json()
        assert sums["purchases"] == 6
        assert sums["amounts"][0]["purchased"] == {"amount": "18.00", "currency": "EUR"}
        moves = await kit.events(tenant, "crm.customer.lifecycle-changed.v1")
        assert len(moves) == 2
        again, _ = await sent(kit, http, body, "purchase", currency="EUR", rows_as_ids="true")
        assert (again["created"], again["unchanged"], again["failed"]) == (0, 8, 3)

    async def test_a_file_without_what_it_needs_is_refused(self, http: httpx.AsyncClient) -> None:
        answer = await http.post("/v1/purchase-imports", content=b"amount\n1\n", params={"source": "erp"}, headers=CSV)
        assert [error["pointer"] for error in answer.json()["errors"]] == [
            "column:customer_external_id",
            "column:external_id",
            "column:occurred_at",
        ]


async def test_republishing_snapshots_everybody_without_taking_a_sequence(
    kit: ServiceKit, http: httpx.AsyncClient, tenant: UUID, register: Register
) -> None:
    first, second = await register(display_name="A"), await register(display_name="B")
    body = {"purpose": "news", "channel": "email", "status": "granted"}
    await http.post(f"/v1/customers/{public_id('cus', first)}/consents", json=body)
    await http.post(
        f"/v1/customers/{public_id('cus', first)}/merge",
        json={"merged_id": public_id("cus", second), "reason": "same"},
    )
    before = {event.aggregate_id: event.sequence for event in await kit.events(tenant)}
    assert (await http.post("/v1/customers/republish")).status_code == 202
    await kit.run_jobs()
    snapshots = {event.aggregate_id: event for event in await kit.events(tenant, "crm.customer.snapshot.v1")}
    assert {each: event.sequence for each, event in snapshots.items()} == before
    assert snapshots[first].payload()["consents"][0]["status"] == "granted"
    assert snapshots[second].payload()["merged_into"] == public_id("cus", first)
