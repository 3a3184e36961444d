"""Identity through the door: logging in, administering, and how fast a no becomes a no."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from crm_gateway.identity.domain.roles import Role
from crm_shared.db.pool import NO_TENANT
from crm_shared.ids import parse_id

PASSWORD = "correct horse battery"


async def log_in(house: Any, email: str = "ada@example.com", password: str = PASSWORD, **more: str) -> Any:
    async with house.http(None) as http:
        return await http.post(
            "/v1/sessions", json={"tenant": house.slug, "email": email, "password": password, **more}
        )


class TestSessions:
    async def test_the_right_password_opens_a_session_that_says_who_one_is(self, house):
        got = await log_in(house)
        assert got.status_code == 201
        session = got.json()
        assert session["user"]["email"] == "ada@example.com"
        async with house.http(None, authorization=f"Bearer {session['token']}") as http:
            me = (await http.get("/v1/me")).json()
        assert me["subject"] == session["user"]["id"]
        assert me["tenant"]["slug"] == house.slug
        assert me["teams"] == ["red"]
        assert "things:write" in me["scopes"]

    async def test_the_address_may_be_written_in_any_case(self, house):
        assert (await log_in(house, "ADA@Example.com")).status_code == 201

    @pytest.mark.parametrize(
        "wrong", [{"password": "wrong"}, {"email": "eve@example.com"}, {"tenant": "no-such-company"}]
    )
    async def test_whatever_is_wrong_the_answer_is_the_same(self, house, wrong: dict[str, str]):
        async with house.http(None) as http:
            body = {"tenant": house.slug, "email": "ada@example.com", "password": PASSWORD, **wrong}
            got = await http.post("/v1/sessions", json=body)
        assert got.status_code == 401
        assert (got.json()["code"], got.json()["detail"]) == ("log_in_failed", "Company, address or password is wrong.")

    @pytest.mark.parametrize("field", ["tenant", "email", "password"])
    async def test_text_that_no_database_holds_is_no_server_error(self, house, field: str):
        body = {"tenant": house.slug, "email": "ada@example.com", "password": PASSWORD, field: "a\u0000b"}
        async with house.http(None) as http:
            assert (await http.post("/v1/sessions", json=body)).status_code in (401, 422)

    async def test_logging_out_takes_effect_at_once(self, house):
        session = (await log_in(house)).json()
        async with house.http(None, authorization=f"Bearer {session['token']}") as http:
            assert (await http.get("/v1/me")).status_code == 200
            assert (await http.delete(f"/v1/sessions/{session['id']}")).status_code == 204
            assert (await http.get("/v1/me")).status_code == 401

    async def test_nobody_ends_anothers_session(self, house):
        session = (await log_in(house)).json()
        async with house.http() as http:
            assert (await http.delete(f"/v1/sessions/{session['id']}")).status_code == 404
        async with house.http(None, authorization=f"Bearer {session['token']}") as http:
            assert (await http.get("/v1/me")).status_code == 200

    async def test_a_password_is_never_kept_or_logged(self, house):
        await log_in(house)
        assert PASSWORD not in str(house.log)


class TestUsers:
    async def new(self, http: Any, address: str, **more: Any) -> Any:
        body = {"email": address, "name": "Bo", "roles": ["agent"], "password": "a long password", **more}
        return await http.post("/v1/users", json=body)

    async def test_somebody_new_can_log_in_and_holds_their_roles_scopes(self, house):
        async with house.http() as http:
            assert (await self.new(http, "bo1@example.com", teams=["blue"])).status_code == 201
        token = (await log_in(house, "bo1@example.com", "a long password")).json()["token"]
        async with house.http(None, authorization=f"Bearer {token}") as http:
            me = (await http.get("/v1/me")).json()
            assert "identity:admin" not in me["scopes"]
            assert me["teams"] == ["blue"]
            assert (await http.get("/v1/users")).status_code == 403

    async def test_an_address_is_taken_whatever_its_case(self, house):
        async with house.http() as http:
            assert (await self.new(http, "bo2@example.com")).status_code == 201
            got = await self.new(http, "BO2@example.com")
        assert (got.status_code, got.json()["code"]) == (409, "user_email_taken")

    @pytest.mark.parametrize(
        "wrong",
        [
            {"roles": []},
            {"roles": ["king"]},
            {"password": "short"},
            {"email": "not an address"},
            {"name": ""},
            {"tenant_id": "x"},
            {"state": "active"},
        ],
    )
    async def test_a_wrong_field_is_named(self, house, wrong: dict[str, Any]):
        async with house.http() as http:
            got = await self.new(http, "bo3@example.com", **wrong)
        assert got.status_code == 422
        assert got.json()["errors"][0]["pointer"].startswith("/" + next(iter(wrong)))

    async def test_leaving_takes_effect_at_once_everywhere(self, house):
        async with house.http() as admin:
            user = (await self.new(admin, "bo4@example.com")).json()
            token = (await log_in(house, "bo4@example.com", "a long password")).json()["token"]
            async with house.http(None, authorization=f"Bearer {token}") as http:
                assert (await http.get("/v1/me")).status_code == 200
                assert (await admin.post(f"/v1/users/{user['id']}/deactivate")).json()["state"] == "deactivated"
                assert (await http.get("/v1/me")).status_code == 401
            assert (await log_in(house, "bo4@example.com", "a long password")).status_code == 401
            assert (await admin.post(f"/v1/users/{user['id']}/deactivate")).status_code == 409

    async def test_a_changed_role_takes_effect_at_once(self, house):
        async with house.http() as admin:
            user = (await self.new(admin, "bo5@example.com", roles=["viewer"])).json()
            token = (await log_in(house, "bo5@example.com", "a long password")).json()["token"]
            async with house.http(None, authorization=f"Bearer {token}") as http:
                assert (await http.post("/v1/things", json={})).status_code == 403
                path, etag = f"/v1/users/{user['id']}", '"1"'
                changed = await admin.patch(path, json={"roles": ["integration"]}, headers={"if-match": etag})
                assert (changed.status_code, changed.json()["version"]) == (200, 2)
                assert (await http.post("/v1/things", json={})).status_code == 200
                assert (await admin.patch(path, json={"name": "B"}, headers={"if-match": etag})).status_code == 412

    async def test_a_new_password_ends_all_sessions(self, house):
        async with house.http() as admin:
            user = (await self.new(admin, "bo6@example.com")).json()
            token = (await log_in(house, "bo6@example.com", "a long password")).json()["token"]
            assert (
                await admin.post(f"/v1/users/{user['id']}/password", json={"password": "another long one"})
            ).status_code == 200
        async with house.http(None, authorization=f"Bearer {token}") as http:
            assert (await http.get("/v1/me")).status_code == 401
        assert (await log_in(house, "bo6@example.com", "another long one")).status_code == 201

    async def test_nobody_locks_themselves_out(self, house):
        session = (await log_in(house)).json()
        me = f"/v1/users/{session['user']['id']}"
        async with house.http(None, authorization=f"Bearer {session['token']}") as http:
            assert (await http.post(f"{me}/deactivate")).json()["code"] == "own_account"
            assert (await http.patch(me, json={"roles": ["viewer"]})).json()["code"] == "own_admin_role"

    async def test_pages_hold_everybody_once(self, house):
        async with house.http() as http:
            for n in range(3):
                await self.new(http, f"page{n}@example.com", password=None)
            seen, cursor = [], None
            while True:
                page = (
                    await http.get("/v1/users", params={"limit": 2, **({"cursor": cursor} if cursor else {})})
                ).json()
                seen += [user["email"] for user in page["items"]]
                if (cursor := page["next_cursor"]) is None:
                    break
        assert len(seen) == len(set(seen))
        assert {f"page{n}@example.com" for n in range(3)} <= set(seen)


class TestApiKeys:
    async def test_a_key_is_shown_once_and_opens_the_door(self, house):
        async with house.http() as http:
            made = (await http.post("/v1/api-keys", json={"name": "erp"})).json()
            listed = (await http.get("/v1/api-keys", params={"limit": 200})).json()["items"]
        assert made["key"].startswith("crm_live_")
        assert made["key"] not in str(listed)
        assert all("key" not in key for key in listed)
        async with house.http(None, authorization=f"Bearer {made['key']}") as http:
            assert (await http.get("/v1/things")).status_code == 200

    async def test_a_repeated_request_makes_one_key_and_shows_no_secret_again(self, house):
        async with house.http(**{"idempotency-key": "make-erp-key"}) as http:
            first = (await http.post("/v1/api-keys", json={"name": "once"})).json()
            again = (await http.post("/v1/api-keys", json={"name": "once"})).json()
        assert again["id"] == first["id"]
        assert first["key"] is not None
        assert again["key"] is None

    async def test_revoking_takes_effect_at_once(self, house):
        async with house.http() as http:
            made = (await http.post("/v1/api-keys", json={"name": "short-lived"})).json()
            async with house.http(None, authorization=f"Bearer {made['key']}") as machine:
                assert (await machine.get("/v1/things")).status_code == 200
                assert (await http.post(f"/v1/api-keys/{made['id']}/revoke")).status_code == 200
                assert (await machine.get("/v1/things")).status_code == 401
            assert (await http.post(f"/v1/api-keys/{made['id']}/rotate", json={})).json()["code"] == "api_key_revoked"

    async def test_after_a_rotation_both_secrets_hold_until_the_overlap_ends(self, house):
        async with house.http() as http:
            made = (await http.post("/v1/api-keys", json={"name": "rotating"})).json()
            turned = (await http.post(f"/v1/api-keys/{made['id']}/rotate", json={"overlap_hours": 1})).json()
            for key in (made["key"], turned["key"]):
                async with house.http(None, authorization=f"Bearer {key}") as machine:
                    assert (await machine.get("/v1/things")).status_code == 200
            gone = (await http.post(f"/v1/api-keys/{made['id']}/rotate", json={"overlap_hours": 0})).json()
            for key, status in ((made["key"], 401), (turned["key"], 401), (gone["key"], 200)):
                async with house.http(None, authorization=f"Bearer {key}") as machine:
                    assert (await machine.get("/v1/things")).status_code == status

    async def test_a_key_that_would_be_over_before_it_begins_is_refused(self, house):
        async with house.http() as http:
            got = await http.post("/v1/api-keys", json={"name": "late", "expires_at": "2020-01-01T00:00:00Z"})
        assert (got.status_code, got.json()["errors"][0]["pointer"]) == (422, "/expires_at")

    async def test_the_right_id_with_a_wrong_secret_is_401(self, house):
        from crm_gateway.identity.domain.credentials import CredentialKind, new_credential, parse_credential

        known = parse_credential(house.keys[Role.ADMIN])
        forged = new_credential(CredentialKind.API_KEY, known.id)
        async with house.http(None, authorization=f"Bearer {forged.text}") as http:
            got = await http.get("/v1/things")
        assert (got.status_code, got.json()["code"]) == (401, "credential_invalid")


class TestTenants:
    async def test_another_company_does_not_exist(self, open_house, house):
        async with open_house() as other:
            async with other.http() as http:
                theirs = (await http.get("/v1/me")).json()["tenant"]["id"]
                user = (await http.get("/v1/users")).json()["items"][0]["id"]
            async with house.http() as http:
                for method, path in (
                    ("GET", f"/v1/tenants/{theirs}"),
                    ("POST", f"/v1/tenants/{theirs}/close"),
                    ("GET", f"/v1/users/{user}"),
                    ("POST", f"/v1/users/{user}/deactivate"),
                ):
                    assert (await http.request(method, path)).status_code == 404, path

    async def test_closing_shuts_everybody_out_at_once(self, open_house):
        async with open_house() as house:
            async with house.http(Role.VIEWER) as viewer, house.http() as http:
                assert (await viewer.get("/v1/things")).status_code == 200
                own = (await http.get("/v1/me")).json()["tenant"]["id"]
                assert (await http.post(f"/v1/tenants/{own}/close")).json()["state"] == "closed"
                assert (await viewer.get("/v1/things")).status_code == 401
                assert (await http.get("/v1/me")).status_code == 401
            assert (await log_in(house)).status_code == 401


class TestAudit:
    async def test_every_act_is_there_newest_first_without_secrets(self, house):
        async with house.http() as http:
            made = (await http.post("/v1/api-keys", json={"name": "audited"})).json()
            await http.post(f"/v1/api-keys/{made['id']}/revoke")
            entries = (await http.get("/v1/audit-entries", params={"limit": 2})).json()["items"]
        assert [entry["action"] for entry in entries] == ["api_key.revoked", "api_key.created"]
        assert {entry["target"] for entry in entries} == {made["id"]}
        assert entries[0]["actor"].startswith("key_")
        assert made["key"] not in str(entries)

    async def test_only_admins_read_it(self, house):
        async with house.http(Role.SUPERVISOR) as http:
            assert (await http.get("/v1/audit-entries")).status_code == 403


class TestEvents:
    async def test_people_and_companies_are_announced(self, kit):
        from crm_gateway.identity.commands import NewUser, create_tenant, create_user, deactivate_user

        tenant = kit.tenant()
        viewer = kit.viewer(tenant)
        async with kit.transaction(tenant) as tx:
            await create_tenant(tx, viewer, f"c{tenant.hex[-10:]}", "Wines", now=kit.clock.now())
            user = await create_user(tx, viewer, NewUser("x@example.com", "X", (Role.SELLER,)), now=kit.clock.now())
        async with kit.transaction(tenant) as tx:
            await deactivate_user(tx, viewer, user.id, now=kit.clock.now())
        events = await kit.events(tenant)
        assert [event.type for event in events] == [
            "crm.tenant.created.v1",
            "crm.user.created.v1",
            "crm.user.deactivated.v1",
        ]
        assert events[0].aggregate_id == tenant
        assert events[1].payload() == {"name": "X", "email": "x@example.com", "roles": ["seller"]}
        assert [event.sequence for event in events[1:]] == [1, 2]

    async def test_suspending_keeps_everybody_out_and_says_so(self, kit):
        from crm_gateway.identity.commands import create_tenant, suspend_tenant
        from crm_shared.errors import Conflict

        tenant = kit.tenant()
        async with kit.transaction(tenant) as tx:
            await create_tenant(tx, kit.viewer(tenant), f"c{tenant.hex[-10:]}", "Wines", now=kit.clock.now())
            await suspend_tenant(tx, kit.viewer(tenant), now=kit.clock.now())
        assert [event.type for event in await kit.events(tenant)][-1] == "crm.tenant.suspended.v1"
        with pytest.raises(Conflict):
            async with kit.transaction(tenant) as tx:
                await suspend_tenant(tx, kit.viewer(tenant), now=kit.clock.now())


class TestDirectory:
    async def test_before_a_tenant_is_known_nothing_can_be_listed(self, house):
        from sqlalchemy import text

        from crm_gateway.identity.tables import directory
        from crm_gateway.metadata import metadata

        async with house.gateway.database.reading(NO_TENANT) as tx:
            for table in metadata.tables.values():
                assert await tx.all(table.select()) == [], table.name
            assert await tx.scalar(text("SELECT gateway_tenant_of('slug', '%')")) is None
        async with house.gateway.database.reading(house.tenant) as tx:
            assert {row["tenant_id"] for row in await tx.all(directory.select())} == {house.tenant}

    async def test_the_one_question_has_one_answer(self, house):
        from crm_gateway.identity import store

        async with house.gateway.database.reading(NO_TENANT) as tx:
            assert await store.tenant_of(tx, "slug", house.slug) == house.tenant
            assert await store.tenant_of(tx, "crm_live", house.slug) is None

    async def test_a_short_name_belongs_to_one_company(self, house):
        from datetime import UTC, datetime

        from crm_gateway.identity.commands import create_tenant
        from crm_shared.db.unit_of_work import transact
        from crm_shared.errors import Conflict
        from crm_shared.ids import new_id
        from crm_shared.tenancy import Viewer

        with pytest.raises(Conflict) as caught:
            await transact(
                house.gateway.database,
                create_tenant,
                Viewer.system(new_id()),
                house.slug,
                "Thief",
                now=datetime.now(UTC),
            )
        assert caught.value.code == "handle_taken"


async def test_bootstrapping_twice_changes_nothing(house):
    from datetime import UTC, datetime

    from crm_gateway.identity.bootstrap import KeySeed, TenantSeed, UserSeed, ensure_tenant, new_key_text

    slug = f"b{house.slug}"
    key = new_key_text()
    seed = TenantSeed(
        slug, "Twice", [UserSeed("a@example.com", "A", PASSWORD, (Role.ADMIN,))], [KeySeed("demo", key, (Role.ADMIN,))]
    )
    first = await ensure_tenant(house.gateway.database, seed, now=datetime.now(UTC))
    again = await ensure_tenant(house.gateway.database, seed, now=datetime.now(UTC) + timedelta(days=1))
    assert (first.created, again.created) == (True, False)
    assert (first.tenant, first.users, first.keys) == (again.tenant, again.users, again.keys)
    async with house.http(None, authorization=f"Bearer {key}") as http:
        me = (await http.get("/v1/me")).json()
    assert parse_id("ten", me["tenant"]["id"]) == first.tenant
    assert isinstance(first.users["a@example.com"], UUID)


class TestOperators:
    """Who runs the installation is said by who runs it, not by a tenant's administrators."""

    MADE = (
        ("/v1/users", {"email": "op@example.com", "name": "Op", "roles": ["admin", "operator"]}),
        ("/v1/api-keys", {"name": "op", "roles": ["operator"]}),
    )

    @pytest.mark.parametrize(("path", "body"), MADE)
    async def test_no_admin_makes_one(self, kit, path: str, body: dict[str, Any]):
        async with kit.client(kit.tenant(), "identity:admin") as client:
            refused = await client.post(path, json=body)
        assert (refused.status_code, refused.json()["code"]) == (403, "scope_missing")

    async def test_no_admin_becomes_one_or_gets_hold_of_ones_secret(self, kit):
        tenant = kit.tenant()
        async with kit.client(tenant, "identity:admin", "platform:admin") as operator:
            user, key = [(await operator.post(path, json=body)).json() for path, body in self.MADE]
        async with kit.client(tenant, "identity:admin") as admin:
            plain = (
                await admin.post("/v1/users", json={"email": "a@example.com", "name": "A", "roles": ["admin"]})
            ).json()
            answers = [
                await admin.patch(f"/v1/users/{plain['id']}", json={"roles": ["operator"]}),
                await admin.patch(f"/v1/users/{user['id']}", json={"name": "Other"}),
                await admin.post(f"/v1/api-keys/{key['id']}/rotate", json={}),
            ]
        assert [answer.status_code for answer in answers] == [403, 403, 403], [answer.text for answer in answers]
