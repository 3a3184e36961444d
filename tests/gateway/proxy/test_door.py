"""The whole way through, over sockets: what the door lets pass, what it refuses, and in which words."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from crm_gateway.identity.domain.roles import Role
from crm_shared.http.auth import TokenVerifier


async def problem(http: Any, method: str, path: str, **more: Any) -> tuple[int, str]:
    got = await http.request(method, path, **more)
    assert got.headers["content-type"] == "application/problem+json", got.text
    body = got.json()
    assert body["request_id"] == got.headers["x-request-id"]
    assert body["status"] == got.status_code
    return got.status_code, body["code"]


class TestRouting:
    async def test_a_known_key_reaches_the_upstream_and_the_answer_comes_back(self, house):
        async with house.http() as http:
            got = await http.get("/v1/things/a%20b?x=1&y=%20")
        assert (got.status_code, got.json()) == (200, {"path": "/v1/things/a b", "got": 0})

    async def test_the_encoded_path_and_query_go_on_unchanged(self, house):
        async with house.http() as http:
            await http.get("/v1/things/%7Ea%20%C3%A4;v=1?q=%2B%26&&r=a+b")
        (seen,) = house.upstream.seen
        assert (seen.raw_path, seen.query) == (b"/v1/things/%7Ea%20%C3%A4;v=1", b"q=%2B%26&&r=a+b")

    async def test_an_encoded_slash_is_a_slash_here_as_in_the_services(self, house):
        async with house.http() as http:
            assert await problem(http, "GET", "/v1/things/a%2Fb") == (404, "route_not_found")
        assert house.upstream.seen == []

    async def test_dot_segments_reach_no_other_route(self, house):
        for path in (b"/v1/things/../customers/x", b"/v1/things/%2e%2e/customers/x", b"/v1/./things"):
            got = await house.raw(b"GET " + path + b" HTTP/1.1\r\nHost: x\r\n" + house.bearer + b"\r\n")
            assert got.startswith(b"HTTP/1.1 404"), path
        assert house.upstream.seen == []

    async def test_an_unknown_address_is_404_and_a_known_one_with_another_method_405(self, house):
        async with house.http() as http:
            assert await problem(http, "GET", "/v1/nothing") == (404, "route_not_found")
            got = await http.put("/v1/things")
            assert (got.status_code, got.headers["allow"]) == (405, "GET, HEAD, POST")

    async def test_what_services_keep_for_themselves_is_not_reachable(self, house):
        async with house.http() as http:
            for path in ("/metrics", "/v1/livez", "//livez"):
                assert (await http.get(f"http://127.0.0.1:{house.port}{path}")).status_code == 404, path

    async def test_a_service_that_is_not_installed_is_503(self, house):
        async with house.http() as http:
            assert await problem(http, "GET", "/v1/operations/opsal_00000000000000000000000000") == (
                503,
                "upstream_missing",
            )
            assert await problem(http, "GET", "/v1/operations/xxx_1") == (404, "not_found")

    async def test_head_is_get_without_a_body(self, house):
        got = await house.raw(b"HEAD /v1/things HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + house.bearer + b"\r\n")
        head, _, body = got.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        assert body == b""
        assert house.upstream.seen[0].method == "GET"


class TestIdentity:
    async def test_the_onward_token_says_who_asks_to_this_upstream_alone(self, house):
        async with house.http(Role.VIEWER) as http:
            await http.get("/v1/things")
        token = house.upstream.seen[0].header("authorization").removeprefix("Bearer ")
        viewer = TokenVerifier(house.signer.public_jwks(), audience="customer").viewer(token, now=datetime.now(UTC))
        assert viewer.tenant == house.tenant
        assert viewer.subject.startswith("key_")
        assert "things:read" in viewer.scopes
        assert "things:write" not in viewer.scopes

    async def test_nothing_a_client_says_about_identity_reaches_the_upstream(self, house):
        forged = {
            "x-tenant-id": "t",
            "x-user-id": "u",
            "x-crm-scopes": "all",
            "x-forwarded-for": "6.6.6.6",
            "cookie": "a=b",
        }
        async with house.http(**forged) as http:
            await http.get("/v1/things")
        (seen,) = house.upstream.seen
        assert seen.header("x-forwarded-for") == "127.0.0.1"
        for name in ("x-tenant-id", "x-user-id", "x-crm-scopes", "cookie"):
            assert seen.header(name) is None
        assert house.keys[Role.ADMIN] not in str(seen.headers)

    async def test_the_token_is_made_once_and_used_again(self, house):
        async with house.http() as http:
            for _ in range(3):
                await http.get("/v1/things")
        assert len({seen.header("authorization") for seen in house.upstream.seen}) == 1

    @pytest.mark.parametrize(
        ("shown", "code"),
        [
            (None, "credential_missing"),
            ("Bearer nonsense", "credential_malformed"),
            ("Basic YTpi", "credential_malformed"),
            ("Bearer crm_live_00000000000000000000000000_" + "a" * 38, "credential_malformed"),
        ],
    )
    async def test_without_a_proper_credential_it_is_401(self, house, shown: str | None, code: str):
        async with house.http(None, **({"authorization": shown} if shown else {})) as http:
            assert await problem(http, "GET", "/v1/things") == (401, code)
            assert (await http.get("/v1/things")).headers["www-authenticate"] == "Bearer"
        assert house.upstream.seen == []

    async def test_the_services_own_token_opens_no_outer_door(self, house):
        async with house.http() as http:
            await http.get("/v1/things")
        token = house.upstream.seen[0].header("authorization")
        async with house.http(None, authorization=token) as http:
            assert await problem(http, "GET", "/v1/things") == (401, "credential_malformed")

    async def test_without_the_scope_it_is_403_and_the_upstream_is_not_asked(self, house):
        async with house.http(Role.VIEWER) as http:
            assert await problem(http, "POST", "/v1/things", json={}) == (403, "scope_missing")
        assert house.upstream.seen == []

    async def test_a_public_route_needs_nobody_and_claims_nobody(self, house):
        async with house.http(None) as http:
            assert (await http.get("/v1/notices/abc")).status_code == 200
        assert house.upstream.seen[0].header("authorization") is None


class TestHeaders:
    async def test_hop_by_hop_headers_are_dropped_both_ways(self, house):
        async def chatty(scope: Any, receive: Any, send: Any) -> None:
            headers = [(b"connection", b"x-inner"), (b"x-inner", b"1"), (b"x-outer", b"2"), (b"content-length", b"2")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": b"ok"})

        house.upstream.behaviour = chatty
        async with house.http(connection="x-mine, keep-alive", **{"x-mine": "1", "te": "trailers"}) as http:
            got = await http.get("/v1/things")
        assert got.headers["x-outer"] == "2"
        assert "x-inner" not in got.headers
        seen = house.upstream.seen[0]
        assert seen.header("x-mine") is None
        assert seen.header("te") is None

    async def test_a_proper_request_id_is_kept_and_another_replaced(self, house):
        async with house.http() as http:
            kept = await http.get("/v1/things", headers={"x-request-id": "my-request-1"})
            made = await http.get("/v1/things", headers={"x-request-id": "bad id"})
        assert kept.headers.get_list("x-request-id") == ["my-request-1"]
        assert made.headers["x-request-id"].startswith("req_")
        assert [seen.header("x-request-id") for seen in house.upstream.seen] == [
            "my-request-1",
            made.headers["x-request-id"],
        ]

    async def test_a_trace_is_passed_on_or_begun(self, house):
        trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        async with house.http() as http:
            await http.get("/v1/things", headers={"traceparent": trace})
            await http.get("/v1/things")
        first, second = (seen.header("traceparent") for seen in house.upstream.seen)
        assert first == trace
        assert second.startswith("00-")
        assert second != trace

    async def test_no_header_reaches_the_upstream_twice(self, house):
        trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        async with house.http() as http:
            await http.post("/v1/things", json={}, headers={"traceparent": trace, "x-request-id": "once-only-1"})
        names = [name for name, _ in house.upstream.seen[0].headers]
        assert len(names) == len(set(names))

    async def test_security_headers_are_on_every_answer_unless_the_service_says_otherwise(self, house):
        async with house.http() as http:
            for path in ("/v1/things", "/v1/nothing", "/livez"):
                got = await http.get(path)
                assert got.headers["x-content-type-options"] == "nosniff"
                assert "frame-ancestors 'none'" in got.headers["content-security-policy"]
                assert "server" not in got.headers

    async def test_rate_limit_headers_follow_the_draft(self, house):
        async with house.http() as http:
            got = await http.get("/v1/things")
        assert got.headers["ratelimit-policy"] == '"default";q=100000;w=10'
        assert got.headers["ratelimit"].startswith('"default";r=99')

    async def test_a_compressed_answer_is_passed_on_as_it_is(self, house):
        import gzip

        packed = gzip.compress(b'{"a": 1}' * 50)

        async def compressed(scope: Any, receive: Any, send: Any) -> None:
            headers = [(b"content-encoding", b"gzip"), (b"content-length", str(len(packed)).encode())]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": packed})

        house.upstream.behaviour = compressed
        got = await house.raw(
            b"GET /v1/things HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n" + house.bearer + b"\r\n"
        )
        assert got.endswith(packed)

    async def test_a_redirect_is_the_clients_to_follow(self, house):
        async def moved(scope: Any, receive: Any, send: Any) -> None:
            headers = [(b"location", b"http://169.254.169.254/"), (b"content-length", b"0")]
            await send({"type": "http.response.start", "status": 302, "headers": headers})
            await send({"type": "http.response.body"})

        house.upstream.behaviour = moved
        async with house.http() as http:
            got = await http.get("/v1/things")
        assert (got.status_code, got.headers["location"]) == (302, "http://169.254.169.254/")

    @pytest.mark.parametrize("status", [204, 304])
    async def test_204_and_304_have_no_body(self, house, status: int):
        async def bodyless(scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": status, "headers": [(b"etag", b'"1"')]})
            await send({"type": "http.response.body"})

        house.upstream.behaviour = bodyless
        got = await house.raw(b"GET /v1/things HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + house.bearer + b"\r\n")
        head, _, body = got.partition(b"\r\n\r\n")
        assert f"HTTP/1.1 {status}".encode() in head
        assert body == b""
        assert b"transfer-encoding" not in head.lower()


class TestAccessLog:
    async def test_one_line_tells_what_was_asked_by_template_and_never_by_value(self, house):
        async with house.http(Role.VIEWER) as http:
            await http.get("/v1/things/secret-thing?email=ada@example.com", headers={"x-request-id": "log-line-1"})
        (line,) = house.log
        assert line["route"] == "/v1/things/{thing_id}"
        assert line["tenant"] == str(house.tenant)
        assert line["subject"].startswith("key_")
        assert (line["status"], line["upstream"], line["request_id"], line["complete"]) == (
            200,
            "customer",
            "log-line-1",
            True,
        )
        text = orjson.dumps(line)
        for secret in (b"secret-thing", b"ada@", house.keys[Role.VIEWER].encode()):
            assert secret not in text

    async def test_refusals_are_logged_with_their_code(self, house):
        async with house.http(None) as http:
            await http.get("/v1/things")
        assert (house.log[0]["status"], house.log[0]["code"], house.log[0]["tenant"]) == (
            401,
            "credential_missing",
            None,
        )


async def test_where_names_are_said_another_host_is_421(open_house):
    async with open_house(settings={"hosts": "crm.example, api.crm.example:8443"}) as house, house.http() as http:
        for host, status in (("crm.example", 200), ("API.crm.example:8443", 200), ("crm.example:1", 421), ("x", 421)):
            assert (await http.get("/v1/things", headers={"host": host})).status_code == status, host
        assert len(house.upstream.seen) == 2


async def test_a_websocket_is_refused_and_nothing_hangs(house):
    got = await house.raw(
        b"GET /v1/things HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
        within_s=2,
    )
    assert not got.startswith(b"HTTP/1.1 101")


async def test_many_at_once_keep_their_answers_apart(house):
    async with house.http() as http:
        answers = await asyncio.gather(*(http.get(f"/v1/things/n{n}") for n in range(60)))
    assert [got.json()["path"] for got in answers] == [f"/v1/things/n{n}" for n in range(60)]
