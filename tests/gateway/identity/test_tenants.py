"""Companies that move in, are kept out, let in again and leave; and how the first operator gets in at all."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crm_gateway.identity.domain.roles import Role
from crm_gateway.identity.first_operator import make_operator_key
from crm_shared.db.departures import come_back, leave
from crm_shared.db.pool import Database
from crm_shared.errors import Conflict, Invalid
from crm_shared.ids import new_id, parse_id, public_id

PASSWORD = "correct horse battery"
OPERATOR = {Role.OPERATOR.value, Role.ADMIN.value}


@pytest.fixture(scope="session")
async def operator(shared_house: Any, gateway_databases: Any) -> Any:
    return await make_operator_key(gateway_databases.app, slug=f"ops-{new_id().hex[-8:]}", now=datetime.now(UTC))


def as_operator(house: Any, operator: Any) -> Any:
    return house.http(None, authorization=f"Bearer {operator.text}")


def company() -> dict[str, Any]:
    slug = f"c-{new_id().hex[-10:]}"
    return {
        "slug": slug,
        "name": "Wines",
        "admin": {"email": "a@example.com", "name": "Ada", "password": PASSWORD},
    }


class TestFirstOperator:
    async def test_its_key_opens_the_door_and_is_in_the_audit_log(self, house, operator):
        async with as_operator(house, operator) as http:
            me = (await http.get("/v1/me")).json()
            audit = (await http.get("/v1/audit-entries")).json()["items"]
        assert me["tenant"]["slug"] == operator.tenant.slug
        (made,) = [entry for entry in audit if entry["action"] == "api_key.created"]
        assert (made["actor"], made["target"]) == ("system", public_id("key", operator.key.id))
        assert set(made["details"]["roles"]) == OPERATOR

    async def test_a_second_one_is_of_the_same_tenant(self, operator, gateway_databases):
        now = datetime.now(UTC)
        again = await make_operator_key(gateway_databases.app, slug=operator.tenant.slug, now=now)
        assert again.tenant.id == operator.tenant.id
        assert again.text != operator.text

    async def test_what_makes_no_sense_is_refused(self, gateway_databases):
        now = datetime.now(UTC)
        with pytest.raises(Invalid):
            await make_operator_key(gateway_databases.app, slug="No Slug", now=now)
        with pytest.raises(Invalid):
            await make_operator_key(gateway_databases.app, expires_at=now - timedelta(days=1), now=now)

    def test_the_command_prints_the_key_and_nothing_else(self, house, gateway_databases):
        slug = f"ops-{new_id().hex[-8:]}"
        words = [sys.executable, "-m", "crm_gateway", "operator-key", "--tenant", slug, "--days", "90"]
        environment = os.environ | {"DATABASE_URL": gateway_databases.app}
        told = subprocess.run(words, env=environment, capture_output=True, text=True, check=True, timeout=60).stdout
        assert told.startswith("crm_live_")
        assert told.count("\n") == 1
        nowhere = os.environ | {"DATABASE_URL": "postgresql://nobody@127.0.0.1:9/nothing"}
        failed = subprocess.run(words, env=nowhere, capture_output=True, text=True, check=False, timeout=60)
        assert (failed.returncode, failed.stdout) == (1, "")
        assert failed.stderr.startswith("No key was made.")


class TestTenants:
    async def test_a_company_that_moves_in_can_log_in_at_once(self, house, operator):
        body = company()
        async with as_operator(house, operator) as http:
            made = await http.post("/v1/tenants", json=body)
        assert made.status_code == 201, made.text
        log_in = {"tenant": body["slug"], "email": "a@example.com", "password": PASSWORD}
        async with house.http(None) as http:
            assert (await http.post("/v1/sessions", json=log_in)).status_code == 201
        async with house.http(None, authorization=f"Bearer {made.json()['key']}") as http:
            assert (await http.get("/v1/me")).json()["tenant"]["id"] == made.json()["id"]
            actors = {entry["actor"] for entry in (await http.get("/v1/audit-entries")).json()["items"]}
        assert actors == {public_id("key", operator.key.id)}

    async def test_a_request_that_is_sent_again_makes_no_second_one_and_shows_no_key(self, house, operator):
        body, headers = company(), {"idempotency-key": new_id().hex}
        async with as_operator(house, operator) as http:
            first, again = [await http.post("/v1/tenants", json=body, headers=headers) for _ in range(2)]
            taken = await http.post("/v1/tenants", json=body)
        assert (again.status_code, again.json()["id"]) == (201, first.json()["id"])
        assert (first.json()["key"] is None, again.json()["key"]) == (False, None)
        assert (taken.status_code, taken.json()["code"]) == (409, "handle_taken")

    async def test_all_are_listed_page_by_page_for_operators_only(self, house, operator):
        async with as_operator(house, operator) as http:
            made = [(await http.post("/v1/tenants", json=company())).json()["id"] for _ in range(3)]
            found, cursor = [], ""
            while cursor is not None:
                page = (await http.get(f"/v1/tenants?limit=2{cursor and '&cursor=' + cursor}")).json()
                found += [one["id"] for one in page["items"]]
                cursor = page["next_cursor"]
        assert [one for one in found if one in made] == made
        assert len(found) == len(set(found))
        async with house.http(Role.ADMIN) as http:
            assert (await http.get("/v1/tenants")).status_code == 403
            assert (await http.get(f"/v1/tenants/{made[0]}")).status_code == 404
            assert (await http.post(f"/v1/tenants/{made[0]}/close")).status_code == 404

    async def test_who_is_suspended_stays_out_until_resumed(self, house, operator):
        async with as_operator(house, operator) as ops:
            made = (await ops.post("/v1/tenants", json=company())).json()
            async with house.http(None, authorization=f"Bearer {made['key']}") as theirs:
                assert (await theirs.get("/v1/me")).status_code == 200
                assert (await ops.post(f"/v1/tenants/{made['id']}/suspend")).json()["state"] == "suspended"
                assert (await theirs.get("/v1/me")).status_code == 401
                assert (await ops.post(f"/v1/tenants/{made['id']}/resume")).json()["state"] == "active"
                assert (await theirs.get("/v1/me")).status_code == 200
            again = await ops.post(f"/v1/tenants/{made['id']}/resume")
        assert (again.status_code, again.json()["code"]) == (409, "tenant_active")

    async def test_nobody_locks_themselves_out(self, house, operator):
        async with as_operator(house, operator) as http:
            refused = await http.post(f"/v1/tenants/{public_id('ten', operator.tenant.id)}/suspend")
        assert (refused.status_code, refused.json()["code"]) == (409, "own_tenant")

    async def test_who_is_closed_may_be_let_in_again_until_five_days_before_the_purge(
        self, house, operator, gateway_databases
    ):
        database = await Database.open(gateway_databases.app, "gateway", size=1)
        async with as_operator(house, operator) as http:
            made = (await http.post("/v1/tenants", json=company())).json()
            tenant = parse_id("ten", made["id"])
            for days, answered in ((5.1, 200), (4.9, 409)):
                assert (await http.post(f"/v1/tenants/{made['id']}/close")).json()["state"] == "closed"
                async with database.transaction(tenant) as tx:  # as the gateway's worker does
                    await come_back(tx, now=datetime.now(UTC))
                    await leave(tx, purge_at=datetime.now(UTC) + timedelta(days=days))
                assert (await http.post(f"/v1/tenants/{made['id']}/resume")).status_code == answered
            assert (await http.get(f"/v1/tenants/{made['id']}")).json()["state"] == "closed"
        await database.close()
        with pytest.raises(Conflict):
            await make_operator_key(gateway_databases.app, slug=made["slug"], now=datetime.now(UTC))
