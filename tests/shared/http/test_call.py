from datetime import timedelta

import pytest

from crm_shared.testing.kit import ServiceKit


async def test_a_written_note_is_there_with_its_etag_and_event(kit: ServiceKit) -> None:
    tenant = kit.tenant()
    async with kit.client(tenant) as client:
        made = await client.post("/v1/notes", json={"title": "first"})
        assert made.status_code == 201, made.text
        assert made.headers["location"] == f"/v1/notes/{made.json()['id']}"
        read = await client.get(made.headers["location"])
    assert read.json() == made.json()
    assert read.headers["etag"] == '"1"'
    events = await kit.events(tenant)
    assert [(event.type, event.sequence, event.payload()) for event in events] == [
        ("crm.note.written.v1", 1, {"title": "first"})
    ]


async def test_a_repeat_with_the_same_key_gets_the_first_answer_and_changes_nothing(kit: ServiceKit) -> None:
    tenant = kit.tenant()
    key = {"Idempotency-Key": "once"}
    async with kit.client(tenant) as client:
        first = await client.post("/v1/notes", json={"title": "only"}, headers=key)
        again = await client.post("/v1/notes", json={"title": "only"}, headers=key)
        other = await client.post("/v1/notes", json={"title": "another"}, headers=key)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert again.headers["idempotent-replayed"] == "true"
    assert again.headers["location"] == first.headers["location"]
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert len(await kit.events(tenant)) == 1


async def test_a_refused_request_leaves_its_key_free(kit: ServiceKit) -> None:
    async with kit.client(kit.tenant()) as client:
        key = {"Idempotency-Key": "mended"}
        refused = await client.post(
            "/v1/notes", json={"title": "x", "price": {"amount": 1, "currency": "EUR"}}, headers=key
        )
        mended = await client.post("/v1/notes", json={"title": "x"}, headers=key)
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"] == "/price"
    assert mended.status_code == 201


async def test_a_change_needs_the_version_that_was_seen(kit: ServiceKit) -> None:
    async with kit.client(kit.tenant()) as client:
        path = (await client.post("/v1/notes", json={"title": "a"})).headers["location"]
        assert (await client.patch(path, json={"title": "b"})).status_code == 428
        assert (await client.patch(path, json={"title": "b"}, headers={"If-Match": '"1"'})).headers["etag"] == '"2"'
        stale = await client.patch(path, json={"title": "c"}, headers={"If-Match": '"1"'})
        unchanged = await client.get(path, headers={"If-None-Match": '"2"'})
    assert (stale.status_code, stale.json()["code"]) == (412, "version_changed")
    assert (unchanged.status_code, unchanged.content) == (304, b"")


async def test_pages_visit_every_note_once_and_in_order(kit: ServiceKit) -> None:
    async with kit.client(kit.tenant()) as client:
        for number in range(7):
            kit.clock.advance(timedelta(seconds=1))
            await client.post("/v1/notes", json={"title": f"n{number}"})
        seen: list[str] = []
        cursor: str | None = None
        while True:
            page = (await client.get("/v1/notes", params={"limit": 3} | ({"cursor": cursor} if cursor else {}))).json()
            seen += [item["title"] for item in page["items"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break
    assert seen == [f"n{number}" for number in range(7)]


async def test_a_cursor_of_another_filter_or_tenant_is_refused(kit: ServiceKit) -> None:
    async with kit.client(kit.tenant()) as client, kit.client(kit.tenant()) as stranger:
        for title in ("a", "b"):
            await client.post("/v1/notes", json={"title": title})
        cursor = (await client.get("/v1/notes", params={"limit": 1})).json()["next_cursor"]
        for answer in (
            await client.get("/v1/notes", params={"limit": 1, "cursor": cursor, "title": "a"}),
            await stranger.get("/v1/notes", params={"limit": 1, "cursor": cursor}),
            await client.get("/v1/notes", params={"cursor": "nonsense"}),
            await client.get("/v1/notes", params={"cursor": "é"}),
        ):
            assert (answer.status_code, answer.json()["code"]) == (422, "cursor_invalid")


async def test_another_tenants_note_looks_exactly_like_a_missing_one(kit: ServiceKit) -> None:
    async with kit.client(kit.tenant()) as owner, kit.client(kit.tenant()) as stranger:
        path = (await owner.post("/v1/notes", json={"title": "mine"})).headers["location"]
        theirs = (await stranger.get(path)).json()
        missing = (await stranger.get("/v1/notes/note_" + "0" * 26)).json()
        changed = await stranger.patch(path, json={"title": "x"}, headers={"If-Match": '"1"'})
        assert (await stranger.get("/v1/notes")).json()["items"] == []
        assert (await stranger.get("/v1/notes", params={"contains": "min"})).json()["items"] == []
        assert len((await owner.get("/v1/notes", params={"contains": "min"})).json()["items"]) == 1
    assert {**theirs, "request_id": ""} == {**missing, "request_id": ""}
    assert changed.status_code == 404


BAD = [
    ("POST", "/v1/notes", {"json": {}}, "/title"),
    ("POST", "/v1/notes", {"json": {"title": "x", "tenant_id": "y"}}, "/tenant_id"),
    ("POST", "/v1/notes", {"json": {"title": "nul\u0000"}}, None),
    ("POST", "/v1/notes", {"content": b'{"title": "\\ud800"}', "headers": {"content-type": "application/json"}}, ""),
    ("POST", "/v1/notes", {"content": b'{"title": NaN}', "headers": {"content-type": "application/json"}}, ""),
    ("POST", "/v1/notes", {"content": b"\xff\xfe", "headers": {"content-type": "application/json"}}, ""),
    ("POST", "/v1/notes", {"content": b"[" * 100_000, "headers": {"content-type": "application/json"}}, ""),
    ("POST", "/v1/notes", {"content": b"title=x"}, ""),
    ("GET", "/v1/notes?colour=red", {}, "query:colour"),
    ("GET", "/v1/notes?limit=1000000000", {}, "query:limit"),
    ("GET", "/v1/notes?limit=nine", {}, "query:limit"),
    ("GET", "/v1/notes?title=%00", {}, None),
    ("GET", "/v1/notes/cus_nonsense", {}, "path:note_id"),
    (
        "POST",
        "/v1/notes",
        {"json": {"title": "x"}, "headers": {"Idempotency-Key": "k" * 300}},
        "header:Idempotency-Key",
    ),
]


@pytest.mark.parametrize(("method", "path", "request_", "pointer"), BAD)
async def test_bad_input_is_a_problem_that_names_the_field(
    kit: ServiceKit, method: str, path: str, request_: dict[str, object], pointer: str | None
) -> None:
    tenant = kit.tenant()
    async with kit.client(tenant) as client:
        answer = await client.request(method, path, **request_)  # type: ignore[arg-type]
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["code"]
    assert problem["request_id"] == answer.headers["x-request-id"]
    if pointer is not None:
        assert problem["errors"][0]["pointer"] == pointer
    assert await kit.events(tenant) == []


async def test_unknown_addresses_and_methods_are_problems_too(kit: ServiceKit) -> None:
    async with kit.client(kit.tenant()) as client:
        nowhere = await client.get("/v1/nowhere")
        wrong = await client.delete("/v1/notes")
    assert (nowhere.status_code, nowhere.json()["code"]) == (404, "route_not_found")
    assert (wrong.status_code, wrong.json()["code"]) == (405, "method_not_allowed")


async def test_a_duplicate_is_a_conflict(kit: ServiceKit) -> None:
    async with kit.client(kit.tenant()) as client:
        await client.post("/v1/notes", json={"title": "same"})
        again = await client.post("/v1/notes", json={"title": "same"})
    assert (again.status_code, again.json()["code"]) == (409, "uq_note_tenant_id_title")


async def test_a_caller_without_the_scope_is_refused(kit: ServiceKit) -> None:
    async with kit.client(kit.tenant(), "notes:read") as client:
        answer = await client.post("/v1/notes", json={"title": "x"})
        bare = await client.get("/v1/notes", headers={"authorization": "none"})
    assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing")
    assert (bare.status_code, bare.headers["www-authenticate"]) == (401, "Bearer")


async def test_a_long_job_runs_to_its_result_and_can_be_watched(kit: ServiceKit) -> None:
    tenant = kit.tenant()
    async with kit.client(tenant) as client:
        started = await client.post("/v1/notes/fill", json={"title": "filled"})
        assert started.status_code == 202, started.text
        assert (await client.get(started.headers["location"])).json()["state"] == "queued"
        await kit.run_jobs()
        ended = (await client.get(started.headers["location"])).json()
        late = await client.post(started.headers["location"] + "/cancel")
    assert (ended["state"], ended["done"], ended["total"], ended["result"]) == ("succeeded", 10, 10, {"written": 10})
    assert (late.status_code, late.json()["code"]) == (409, "operation_ended")
    assert len(await kit.events(tenant)) == 10


async def test_a_cancelled_job_stops_before_its_next_step(kit: ServiceKit) -> None:
    tenant = kit.tenant()
    async with kit.client(tenant) as client:
        started = await client.post("/v1/notes/fill", json={"title": "never"})
        await client.post(started.headers["location"] + "/cancel")
        await kit.run_jobs()
        assert (await client.get(started.headers["location"])).json()["state"] == "cancelled"
    assert await kit.events(tenant) == []
