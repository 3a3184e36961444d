"""The vocabulary is the words of the customers there are, whatever happened to them, and however it overlapped."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from crm_customer.parties.commands import records
from crm_customer.parties.domain import Category, Kind, Profile, Registration
from crm_customer.parties.tables import customer, name_word
from crm_shared.testing.kit import ServiceKit

WORDS = ("Ada", "ada", "Žofia", "Löwe", "Stern-Kurz", "de", "Bär")
NAMES = st.lists(st.sampled_from(WORDS), min_size=1, max_size=3).map(" ".join)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("register"), NAMES),
        st.tuples(st.just("rename"), NAMES),
        st.tuples(st.just("put"), NAMES),
        st.tuples(st.just("bulk"), st.lists(NAMES, min_size=1, max_size=3)),
        st.tuples(st.sampled_from(["merge", "unmerge", "erase", "timers"]), st.just(())),
    ),
    min_size=3,
    max_size=12,
)


async def known(kit: ServiceKit, tenant: UUID) -> set[str]:
    async with kit.transaction(tenant) as tx:
        return {row["word"] for row in await tx.all(select(name_word.c.word))}


async def borne(kit: ServiceKit, tenant: UUID) -> set[str]:
    async with kit.transaction(tenant) as tx:
        return {word for row in await tx.all(select(customer.c.name_folded)) for word in row["name_folded"].split()}


async def step(kit: ServiceKit, http: httpx.AsyncClient, what: str, names: Any, chosen: list[str]) -> httpx.Response:
    path = f"/v1/customers/{chosen[0]}"
    numbered = [{"display_name": name, "external_source": "erp", "external_id": str(n)} for n, name in enumerate(names)]
    requests = {
        "register": ("POST", "/v1/customers", {"display_name": names}),
        "rename": ("PATCH", path, {"display_name": names}),
        "put": ("PUT", "/v1/customers/by-external-id/erp/1", {"display_name": names}),
        "bulk": ("POST", "/v1/customers/bulk", {"items": numbered}),
        "merge": ("POST", f"{path}/merge", {"merged_id": chosen[1], "reason": "same"}),
        "unmerge": ("POST", f"{path}/unmerge", {"restored_id": chosen[1]}),
        "erase": ("DELETE", path, None),
    }
    if what not in requests:
        await kit.run_timers()
        return httpx.Response(204)
    method, address, body = requests[what]
    return await http.request(method, address, json=body)


@given(steps=STEPS, data=st.data())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_whatever_happened_there_are_the_words_of_customers_and_no_others(
    kit: ServiceKit, steps: list[tuple[str, Any]], data: st.DataObject
) -> None:
    tenant, ids = kit.tenant(), list[str]()
    async with kit.client(tenant) as http:
        for name in ("Ada Löwe", "Ada Bär"):
            ids.append((await http.post("/v1/customers", json={"display_name": name})).json()["id"])
        for what, names in steps:
            chosen = data.draw(st.permutations(ids))[:2]
            answer = await step(kit, http, what, names, chosen)
            assert answer.status_code < 500, answer.text
            if answer.status_code == 201:
                ids.append(answer.json()["id"])
            assert await known(kit, tenant) >= await borne(kit, tenant), "nobody's word is ever missing"
    await kit.run_timers()
    assert await known(kit, tenant) == await borne(kit, tenant)


async def test_a_word_stays_while_somebody_unseen_is_getting_it(
    kit: ServiceKit, http: httpx.AsyncClient, tenant: UUID
) -> None:
    first = (await http.post("/v1/customers", json={"display_name": "Anna"})).json()["id"]
    profile = Profile(Kind.PERSON, Category.CONSUMER, "Anna Berg")
    async with kit.transaction(tenant) as tx:
        await records.register(tx, kit.viewer(tenant), Registration(profile), now=kit.clock.now())
        assert (await http.delete(f"/v1/customers/{first}")).status_code == 204
        await kit.run_timers()
        assert "anna" in await known(kit, tenant), "nobody can tell yet"
    await kit.run_timers(now=kit.clock.now() + timedelta(hours=1))
    assert await known(kit, tenant) == {"anna", "berg"}


@pytest.mark.parametrize("words", ["acekracher", "lena acekracher", "lenna ackeracher", "ackeracher lena"])
async def test_a_slip_in_any_word_of_a_name_is_forgiven(http: httpx.AsyncClient, words: str) -> None:
    made = await http.post("/v1/customers", json={"display_name": "Lena Ackeracher"})
    for name in ("Lena Winterrath", "Otto Ackermann"):
        await http.post("/v1/customers", json={"display_name": name})
    found = (await http.get("/v1/customers/search", params={"q": words})).json()["items"]
    assert found[0]["id"] == made.json()["id"]


async def test_a_slip_in_an_address_is_forgiven(http: httpx.AsyncClient) -> None:
    points = [{"channel": "email", "value": "ada.loewe@example.com"}]
    made = await http.post("/v1/customers", json={"display_name": "Somebody", "contact_points": points})
    found = (await http.get("/v1/customers/search", params={"q": "ada.loewe@exmple.com"})).json()["items"]
    assert [item["id"] for item in found] == [made.json()["id"]]


async def test_another_tenants_words_say_nothing(kit: ServiceKit, http: httpx.AsyncClient) -> None:
    await http.post("/v1/customers", json={"display_name": "Lena Ackeracher"})
    async with kit.client(kit.tenant()) as other:
        assert (await other.get("/v1/customers/search", params={"q": "acekracher"})).json()["items"] == []
