from typing import Any
from uuid import UUID

import httpx
from sqlalchemy import select

from crm_customer.parties.schemas.records import CustomerRead
from crm_customer.parties.tables import contact_key
from crm_shared.ids import public_id
from crm_shared.testing.kit import ServiceKit

ADA = {
    "given_name": "Ada",
    "family_name": "Löwe",
    "language": "de",
    "country": "DE",
    "external_source": "erp",
    "external_id": "4711",
    "contact_points": [
        {"channel": "email", "value": "Ada.Loewe@Example.COM", "preferred": True},
        {"channel": "phone", "value": "030 123456"},
    ],
}


async def made(http: httpx.AsyncClient, **fields: Any) -> dict[str, Any]:
    answer = await http.post(
        "/v1/customers", json=fields if "given_name" in fields else {"display_name": "Somebody", **fields}
    )
    assert answer.status_code == 201, answer.text
    return answer.json()


async def search(http: httpx.AsyncClient, words: str) -> list[str]:
    answer = await http.get("/v1/customers/search", params={"q": words})
    return [item["id"] for item in answer.json()["items"]]


async def test_an_answer_is_byte_for_byte_what_its_model_would_have_written(http: httpx.AsyncClient) -> None:
    points = [{"channel": "phone", "value": "+49 30 1234567", "valid_from": "2026-01-01", "verified": True}]
    one = await made(http, **{**ADA, "birth_date": "1990-02-03", "owner": "usr_1", "contact_points": points})
    answer = await http.get(f"/v1/customers/{one['id']}")
    assert CustomerRead.model_validate_json(answer.content).model_dump_json().encode() == answer.content
    page = await http.get("/v1/customers")
    assert page.json() == {"items": [answer.json()], "next_cursor": None}


class TestRegister:
    async def test_answers_with_the_normalised_customer_and_emits_it_whole(
        self, kit: ServiceKit, http: httpx.AsyncClient, tenant: UUID
    ) -> None:
        answer = await http.post("/v1/customers", json=ADA)
        assert answer.status_code == 201
        body = answer.json()
        assert answer.headers["etag"] == '"1"'
        assert answer.headers["location"] == f"/v1/customers/{body['id']}"
        assert body["display_name"] == "Ada Löwe"
        assert [point["value"] for point in body["contact_points"]] == ["Ada.Loewe@example.com", "+4930123456"]
        assert 0 < body["completeness"] < 100
        (event,) = await kit.events(tenant, "crm.customer.registered.v1")
        assert event.sequence == 1
        assert event.subject == body["id"]
        assert event.payload()["contact_points"][0]["preferred"] is True
        assert (await http.get(answer.headers["location"])).json() == body

    async def test_names_each_contact_point_that_cannot_be_one(self, http: httpx.AsyncClient) -> None:
        points = [{"channel": "email", "value": "ada@"}, {"channel": "phone", "value": "030 123456"}]
        answer = await http.post("/v1/customers", json={"display_name": "X", "contact_points": points})
        assert answer.status_code == 422
        assert [error["pointer"] for error in answer.json()["errors"]] == [
            "/contact_points/0/value",
            "/contact_points/1/value",
        ]

    async def test_needs_a_name(self, http: httpx.AsyncClient) -> None:
        answer = await http.post("/v1/customers", json={"kind": "person"})
        assert (answer.status_code, answer.json()["code"]) == (422, "name_missing")

    async def test_refuses_an_external_id_twice(self, http: httpx.AsyncClient) -> None:
        await made(http, **ADA)
        answer = await http.post("/v1/customers", json=ADA)
        assert (answer.status_code, answer.json()["code"]) == (409, "uq_customer_external_key")

    async def test_a_nul_character_is_the_senders_mistake(self, http: httpx.AsyncClient) -> None:
        answer = await http.post("/v1/customers", json={"display_name": "a\x00b"})
        assert answer.status_code == 422


class TestChange:
    async def test_audits_old_and_new_and_emits_what_changed(
        self, kit: ServiceKit, http: httpx.AsyncClient, tenant: UUID
    ) -> None:
        customer = await made(http, **ADA)
        path = f"/v1/customers/{customer['id']}"
        answer = await http.patch(path, json={"family_name": "Byron"}, headers={"If-Match": '"1"'})
        assert answer.status_code == 200, answer.text
        assert answer.json()["display_name"] == "Ada Byron"
        assert answer.headers["etag"] == '"2"'
        (event,) = await kit.events(tenant, "crm.customer.updated.v1")
        assert event.payload()["changed"] == ["display_name", "family_name"]
        assert event.sequence == 2
        changed, registered = (await http.get(f"{path}/audit")).json()["items"]
        assert registered["action"] == "registered"
        assert changed["actor"] == "usr_test"
        assert changed["changes"][1] == {"field": "family_name", "old": "Löwe", "new": "Byron"}

    async def test_refuses_a_stale_version(self, http: httpx.AsyncClient) -> None:
        customer = await made(http)
        path = f"/v1/customers/{customer['id']}"
        await http.patch(path, json={"language": "fr"}, headers={"If-Match": '"1"'})
        answer = await http.patch(path, json={"language": "it"}, headers={"If-Match": '"1"'})
        assert answer.status_code == 412

    async def test_without_a_difference_nothing_happens(
        self, kit: ServiceKit, http: httpx.AsyncClient, tenant: UUID
    ) -> None:
        customer = await made(http, **ADA)
        points = [{"channel": "email", "value": "ada.loewe@EXAMPLE.com", "preferred": True}]
        answer = await http.patch(f"/v1/customers/{customer['id']}", json={"language": "de"})
        assert answer.json()["version"] == 1
        assert await kit.events(tenant, "crm.customer.updated.v1") == []
        assert points

    async def test_a_national_phone_number_is_read_in_the_customers_country(self, http: httpx.AsyncClient) -> None:
        customer = await made(http, country="DE")
        points = [{"channel": "phone", "value": "030 987654"}]
        answer = await http.patch(f"/v1/customers/{customer['id']}", json={"contact_points": points})
        assert answer.json()["contact_points"][0]["value"] == "+4930987654"

    async def test_a_verified_point_stays_verified_when_the_list_is_replaced(self, http: httpx.AsyncClient) -> None:
        customer = await made(http, **ADA)
        path = f"/v1/customers/{customer['id']}"
        proven = await http.post(
            f"{path}/verify-contact-point", json={"channel": "email", "value": "ada.loewe@example.com"}
        )
        assert proven.json()["contact_points"][0]["verified"] is True
        answer = await http.patch(
            path, json={"contact_points": [{"channel": "email", "value": "ADA.LOEWE@example.com"}]}
        )
        assert answer.json()["contact_points"][0]["verified"] is True

    async def test_refuses_to_empty_a_name(self, http: httpx.AsyncClient) -> None:
        customer = await made(http)
        answer = await http.patch(f"/v1/customers/{customer['id']}", json={"display_name": None})
        assert (answer.status_code, answer.json()["code"]) == (422, "not_nullable")


class TestTenants:
    async def test_another_tenants_customer_is_not_there(self, kit: ServiceKit, http: httpx.AsyncClient) -> None:
        customer = await made(http)
        async with kit.client(kit.tenant()) as other:
            assert (await other.get(f"/v1/customers/{customer['id']}")).status_code == 404
            assert (await other.patch(f"/v1/customers/{customer['id']}", json={})).status_code == 404
            assert (await other.get("/v1/customers")).json()["items"] == []
            assert (await other.get("/v1/customers/search", params={"q": "somebody"})).json()["items"] == []


class TestList:
    async def test_pages_newest_first_with_filters(self, http: httpx.AsyncClient) -> None:
        for n in range(5):
            await made(http, display_name=f"N{n}", country="DE" if n % 2 else "FR")
        first = (await http.get("/v1/customers", params={"limit": 2})).json()
        assert [item["display_name"] for item in first["items"]] == ["N4", "N3"]
        rest = (await http.get("/v1/customers", params={"limit": 10, "cursor": first["next_cursor"]})).json()
        assert rest["next_cursor"] is None or len(rest["items"]) == 3
        german = (await http.get("/v1/customers", params={"country": "DE"})).json()
        assert [item["display_name"] for item in german["items"]] == ["N3", "N1"]

    async def test_by_name_prefix_pages_in_the_names_order(self, http: httpx.AsyncClient) -> None:
        for name in ("Žofia", "zoe", "Zora", "Anna"):
            await made(http, display_name=name)
        first = (await http.get("/v1/customers", params={"name": "ZO", "limit": 2})).json()
        assert [item["display_name"] for item in first["items"]] == ["zoe", "Žofia"]
        cursor = first["next_cursor"]
        second = (await http.get("/v1/customers", params={"name": "ZO", "limit": 2, "cursor": cursor})).json()
        assert [item["display_name"] for item in second["items"]] == ["Zora"]

    async def test_by_custom_attribute(self, http: httpx.AsyncClient) -> None:
        await http.put("/v1/customers/attributes/tier", json={"type": "number", "label": "Tier"})
        await made(http, display_name="One", attributes={"tier": 1})
        await made(http, display_name="Two", attributes={"tier": 2})
        found = (await http.get("/v1/customers", params={"attribute": "tier=2"})).json()
        assert [item["display_name"] for item in found["items"]] == ["Two"]


class TestSearch:
    async def test_finds_by_name_part_mail_phone_number_and_slip(self, http: httpx.AsyncClient) -> None:
        ada = await made(http, **ADA)
        await made(http, display_name="Bert Bär")
        for query in ("ada", "löwe ada", "loew", "ada.loewe@ex", "+4930123", f"c-{ada['number']}", "4711", "ada lowee"):
            found = (await http.get("/v1/customers/search", params={"q": query})).json()["items"]
            assert [item["id"] for item in found] == [ada["id"]], query

    async def test_a_name_is_found_by_each_of_its_words_and_no_longer_by_one_it_has_lost(
        self, kit: ServiceKit, http: httpx.AsyncClient, tenant: UUID
    ) -> None:
        ada = await made(http, **ADA)
        await http.patch(f"/v1/customers/{ada['id']}", json={"display_name": "Ada Löwe-Stern von Kurz"})
        found = {word: await search(http, word) for word in ("stern", "kurz", "von k", "löwe-stern")}
        assert all(ids == [ada["id"]] for ids in found.values()), found
        async with kit.transaction(tenant) as tx:
            rows = await tx.all(select(contact_key.c.folded).where(contact_key.c.channel == "name"))
        assert sorted(row["folded"] for row in rows) == ["ada", "kurz", "lowe-stern", "von"]

    async def test_wildcards_of_like_mean_themselves(self, http: httpx.AsyncClient) -> None:
        await made(http, display_name="Plain Name")
        assert (await http.get("/v1/customers/search", params={"q": "%%%"})).json()["items"] == []


class TestUpsert:
    async def test_registers_once_and_then_updates(self, http: httpx.AsyncClient) -> None:
        path = "/v1/customers/by-external-id/erp/77"
        first = await http.put(path, json={"display_name": "First", "country": "DE"})
        second = await http.put(path, json={"display_name": "Second"})
        assert first.json()["id"] == second.json()["id"]
        assert (second.json()["display_name"], second.json()["country"]) == ("Second", "DE")
        assert (await http.put(path, json={"display_name": "Second"})).json()["version"] == 2
        assert (await http.get(path)).json()["id"] == first.json()["id"]


class TestBulk:
    async def test_each_item_has_its_own_outcome(self, kit: ServiceKit, http: httpx.AsyncClient, tenant: UUID) -> None:
        known = await made(http, **ADA)
        items: list[dict[str, Any]] = [
            {"display_name": "New", "external_source": "erp", "external_id": "1"},
            {"display_name": "Ada Löwe", "external_source": "erp", "external_id": "4711", "given_name": "Ada"},
            {"display_name": "Ada L.", "external_source": "erp", "external_id": "4711"},
            {"display_name": "Bad", "contact_points": [{"channel": "email", "value": "nope"}]},
            {"display_name": "New again", "external_source": "erp", "external_id": "1"},
            {"display_name": "Odd", "attributes": {"unknown": 1}},
        ]
        answer = await http.post("/v1/customers/bulk", json={"items": items})
        assert answer.status_code == 207, answer.text
        outcomes = answer.json()["items"]
        assert [(item["status"], item["outcome"]) for item in outcomes] == [
            (201, "created"),
            (200, "unchanged"),
            (200, "updated"),
            (422, None),
            (200, "updated"),
            (422, None),
        ]
        assert outcomes[1]["id"] == outcomes[2]["id"] == known["id"]
        assert outcomes[0]["id"] == outcomes[4]["id"]
        events = await kit.events(tenant)
        assert [event.type.split(".")[2] for event in events] == ["registered", "registered", "updated"]
        again = await http.post("/v1/customers/bulk", json={"items": items[2:3]})
        assert again.json()["items"][0]["outcome"] == "unchanged"

    async def test_refuses_more_than_500(self, http: httpx.AsyncClient) -> None:
        items = [{"display_name": "x"}] * 501
        assert (await http.post("/v1/customers/bulk", json={"items": items})).status_code == 422


async def test_an_unknown_customer_is_a_404(http: httpx.AsyncClient) -> None:
    missing = public_id("cus", UUID(int=5))
    for path in ("", "/audit"):
        answer = await http.get(f"/v1/customers/{missing}{path}")
        assert answer.status_code in (404, 200), path
    assert (await http.get(f"/v1/customers/{missing}")).status_code == 404
