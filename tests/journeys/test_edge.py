"""A real nginx, as the edge is configured, before the running suite."""

from collections.abc import Iterator

import httpx
import pytest
from tests.suite.deployment.edge import edge_before

from .conftest import RunningSuite

pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("journeys"), pytest.mark.timeout(240)]


@pytest.fixture
def client(suite: RunningSuite) -> Iterator[httpx.Client]:
    key = suite.facts["access"]["api_key"]
    port = int(suite.facts["url"].rpartition(":")[2])
    with (
        edge_before(port) as url,
        httpx.Client(base_url=url, headers={"authorization": f"Bearer {key}"}, timeout=20) as http,
    ):
        yield http


def test_reads_writes_and_refusals_pass_as_the_gateway_says_them(client: httpx.Client) -> None:
    body = {"kind": "person", "given_name": "Ada", "family_name": "Edge"}
    headers = {"idempotency-key": "through-the-edge"}
    made = client.post("/v1/customers", json=body, headers=headers)
    assert made.status_code == 201, made.text
    again = client.post("/v1/customers", json=body, headers=headers)
    assert again.json()["id"] == made.json()["id"]
    read = client.get(f"/v1/customers/{made.json()['id']}", headers={"accept-encoding": "identity"})
    assert (read.status_code, read.headers["etag"]) == (200, made.headers["etag"])
    refused = client.get("/v1/me", headers={"authorization": "Bearer crm_live_nobody"})
    assert (refused.status_code, refused.headers["content-type"]) == (401, "application/problem+json")


def test_a_head_as_large_as_the_gateway_takes_passes_and_a_larger_one_is_refused_before_it(
    client: httpx.Client,
) -> None:
    assert client.get("/v1/me", headers={"x-padding": "x" * 7_000}).status_code == 200
    assert client.get("/v1/me", headers={"x-padding": "x" * 9_000}).status_code == 400


def test_an_event_arrives_through_the_edge_while_its_stream_is_still_open(client: httpx.Client) -> None:
    body = {"kind": "person", "given_name": "Ada", "family_name": "Streamed"}
    with client.stream("GET", "/v1/events/stream", params={"types": "crm.customer.registered.v1"}) as stream:
        assert stream.status_code == 200, stream.read()
        made = client.post("/v1/customers", json=body).json()["id"]
        for line in stream.iter_lines():
            if line.startswith("data: ") and made in line:
                return
    raise AssertionError("the stream ended without it")
