"""The whole way through, over sockets."""

import httpx

from crm_gateway.identity.domain.roles import Role


async def test_a_known_key_reaches_the_upstream_and_the_answer_comes_back(house):
    async with house.http() as http:
        got = await http.get("/v1/things/a%2Fb?x=1&y=%20")
    assert got.status_code == 404  # decoded, the path has one segment more: no such route, here as in the service
    async with house.http() as http:
        got = await http.get("/v1/things/a%20b?x=1&y=%20")
    assert (got.status_code, got.json()) == (200, {"path": "/v1/things/a b", "got": 0})
    (seen,) = house.upstream.seen
    assert (seen.raw_path, seen.query) == (b"/v1/things/a%20b", b"x=1&y=%20")


async def test_the_onward_token_says_who_asks_to_this_upstream_alone(house):
    from crm_shared.http.auth import TokenVerifier

    async with house.http(Role.VIEWER) as http:
        await http.get("/v1/things")
    token = house.upstream.seen[0].header("authorization").removeprefix("Bearer ")
    from datetime import UTC, datetime

    viewer = TokenVerifier(house.signer.public_jwks(), audience="customer").viewer(token, now=datetime.now(UTC))
    assert viewer.tenant == house.tenant
    assert viewer.subject.startswith("key_")
    assert "things:read" in viewer.scopes and "things:write" not in viewer.scopes
