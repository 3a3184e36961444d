from collections.abc import Awaitable, Callable
from uuid import UUID

import asyncpg
import httpx

from crm_customer.erasure.store import naming_persons
from crm_customer.metadata import metadata
from crm_shared.ids import new_id, public_id
from crm_shared.testing.kit import ServiceKit

Register = Callable[..., Awaitable[UUID]]
OF_NOBODY = {
    "attribute_definition",
    "name_word",
    "lifecycle_rules",
    "value_run",
    "segment",
    "segment_use",
    "upload_chunk",
    "data_import",
    "import_error",
}


def test_every_table_names_persons_by_the_known_columns_or_names_none() -> None:
    silent = {table.name for table in metadata.sorted_tables if not naming_persons(table)}
    assert silent == OF_NOBODY


async def rows_about(kit: ServiceKit, tenant: UUID, persons: list[UUID]) -> dict[str, int]:
    connection = await asyncpg.connect(kit.urls.admin)
    found: dict[str, int] = {}
    for table in metadata.sorted_tables:
        for column in naming_persons(table):
            query = f'SELECT count(*) FROM "{table.name}" WHERE tenant_id = $1 AND "{column.name}" = ANY($2::uuid[])'
            found[f"{table.name}.{column.name}"] = await connection.fetchval(query, tenant, persons)
    await connection.close()
    return found


async def test_nothing_is_left_of_a_person_or_the_records_merged_into_them(
    kit: ServiceKit, http: httpx.AsyncClient, tenant: UUID, register: Register
) -> None:
    person, merged, other = [await register(display_name=name, country="DE") for name in "ABC"]
    path = f"/v1/customers/{public_id('cus', person)}"
    rule = {"type": "attribute", "field": "country", "op": "eq", "value": "DE"}
    segment = (await http.post("/v1/segments", json={"name": "Germans", "rule": rule})).json()
    await http.post(f"/v1/segments/{segment['id']}/materialise", json={})
    await http.post(f"{path}/consents", json={"purpose": "news", "channel": "email", "status": "granted"})
    money = {"amount": "5.00", "currency": "EUR"}
    purchase = {"source": "shop", "occurred_at": kit.clock.now().isoformat(), "amount": money}
    for n, each in enumerate((person, merged)):
        body = {**purchase, "external_id": str(n), "customer_id": public_id("cus", each)}
        assert (await http.post("/v1/purchases", json=body)).status_code == 201
    await kit.run_timers()
    await kit.run_jobs()
    await http.post(f"{path}/merge", json={"merged_id": public_id("cus", merged), "reason": "same"})
    told = {"customer_id": public_id("cus", person), "number": "1", "subject": "x", "kind": "q", "priority": "low"}
    await kit.deliver(tenant, "crm.ticket.opened.v1", new_id(), told)
    assert sum((await rows_about(kit, tenant, [person, merged])).values()) > 10
    assert (await http.delete(path)).status_code == 204
    assert {key: n for key, n in (await rows_about(kit, tenant, [person, merged])).items() if n} == {}
    assert (await http.get(path)).status_code == 404
    erased = await kit.events(tenant, "crm.customer.erased.v1")
    assert {event.aggregate_id for event in erased} == {person, merged}
    assert (await http.get(f"/v1/segments/{segment['id']}")).json()["members"] == 1
    await kit.deliver(tenant, "crm.ticket.opened.v1", new_id(), told)
    assert {key: n for key, n in (await rows_about(kit, tenant, [person, merged])).items() if n} == {}
    assert (await http.get(f"/v1/customers/{public_id('cus', other)}")).status_code == 200
