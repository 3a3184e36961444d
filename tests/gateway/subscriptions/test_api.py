"""What happened, in pages."""

from datetime import UTC, datetime

from tests.gateway.subscriptions.conftest import Kept, numbers

from crm_gateway.identity.domain.roles import Role
from crm_gateway.subscriptions import store
from crm_gateway.subscriptions.domain import cursor_of

UPDATED, WON = "crm.customer.updated.v1", "crm.deal.won.v1"


async def test_pages_follow_each_other_and_the_end_says_where_to_come_back(kept: Kept) -> None:
    async with kept.http() as http:
        start = (await http.get("/v1/events")).json()["resume"]
        await kept.happen(*(f"{UPDATED}#{n}" for n in range(5)))
        first = (await http.get("/v1/events", params={"cursor": start, "limit": 3})).json()
        rest = (await http.get("/v1/events", params={"cursor": first["next_cursor"], "limit": 3})).json()
        assert numbers(first["items"] + rest["items"]) == ["0", "1", "2", "3", "4"]
        assert rest["next_cursor"] is None
        await kept.happen(f"{WON}#5")
        later = (await http.get("/v1/events", params={"cursor": rest["resume"]})).json()
    assert numbers(later["items"]) == ["5"]


async def test_readers_choose_types_subject_and_time(kept: Kept) -> None:
    async with kept.http() as http:
        await kept.happen(f"{UPDATED}#before")
        now = datetime.now(UTC)
        await kept.happen(f"{UPDATED}#u", f"{WON}#w")
        await kept.happen(f"{UPDATED}#other", subject="cus_b")

        async def found(**params: str) -> list[str]:
            answer = await http.get("/v1/events", params={"from": now.isoformat(), **params})
            assert answer.status_code == 200, answer.text
            return numbers(answer.json()["items"])

        assert await found() == ["u", "w", "other"]
        assert await found(types="crm.customer.*") == ["u", "other"]
        assert await found(types=f"{WON},{UPDATED}", subject="cus_a") == ["u", "w"]


async def test_a_reader_gets_only_what_it_may_read(kept: Kept) -> None:
    async with kept.http() as admin, kept.http(Role.VIEWER) as viewer, kept.http(Role.SELLER) as seller:
        start = (await admin.get("/v1/events")).json()["resume"]
        await kept.happen("crm.user.created.v1#secret", f"{UPDATED}#open")
        params = {"cursor": start}
        assert numbers((await admin.get("/v1/events", params=params)).json()["items"]) == ["secret", "open"]
        assert numbers((await viewer.get("/v1/events", params=params)).json()["items"]) == ["open"]
        refused = await viewer.get("/v1/events", params={"types": "crm.user.*"})
        assert (refused.status_code, refused.json()["code"]) == (403, "scope_missing")
        assert "identity:read" in refused.json()["detail"]
        assert (await seller.get("/v1/events")).status_code == 403


async def test_another_companys_events_are_not_there(kept: Kept) -> None:
    async with kept.http() as http:
        start = (await http.get("/v1/events")).json()["resume"]
        foreign = kept.house.tenant.__class__(int=kept.house.tenant.int + 1)
        await kept.happen(f"{UPDATED}#foreign", tenant=foreign)
        theirs = cursor_of(0)
        for cursor in (start, theirs):
            found = await http.get("/v1/events", params={"cursor": cursor})
            assert "foreign" not in found.text
        assert (await http.get("/v1/events", params={"cursor": start})).json()["items"] == []


async def test_wrong_questions_are_refused_by_name(kept: Kept) -> None:
    async with kept.http() as http:
        for params, field in (
            ({"types": "crm.nothing.*"}, "query:types"),
            ({"cursor": "elsewhere"}, "query:cursor"),
            ({"subject": "not an id"}, "query:subject"),
            ({"cursor": "AQAAAAAAAAAB", "from": "2026-01-01T00:00:00Z"}, "query:from"),
        ):
            answer = await http.get("/v1/events", params=params)
            assert answer.status_code == 422, answer.text
            assert answer.json()["errors"][0]["pointer"] == field


async def test_a_cursor_that_is_too_old_or_of_a_lost_history_says_how_to_begin_anew(kept: Kept) -> None:
    async with kept.http() as http:
        start = (await http.get("/v1/events")).json()["resume"]
        await kept.happen(f"{UPDATED}#1", f"{UPDATED}#2")
        end = (await http.get("/v1/events", params={"cursor": start})).json()["resume"]
        async with kept.database.transaction(kept.house.tenant) as tx:
            while await store.prune(tx, datetime.now(UTC)):
                pass
        for path in ("/v1/events", "/v1/events/stream"):
            old = await http.get(path, params={"cursor": start})
            assert (old.status_code, old.json()["code"]) == (410, "cursor_too_old")
            assert "GET /v1/customers" in old.json()["detail"]
            future = await http.get(path, params={"cursor": "AQAAAAAA____"})
            assert (future.status_code, future.json()["code"]) == (410, "cursor_unknown")
        assert (await http.get("/v1/events", params={"cursor": end})).status_code == 200
        assert (await http.get("/v1/events")).json() == {"items": [], "next_cursor": None, "resume": end}
