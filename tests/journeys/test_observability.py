"""What an operator sees of a running suite: traces, metrics, logs; and what nobody must ever see there."""

import re
import secrets
import time

import httpx
import pytest
from tests.suite.deployment.promtool import checked_metrics, watched_metrics

from .collector import Collector, Seen
from .conftest import RunningSuite

pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("journeys"), pytest.mark.timeout(240)]

CONSUMERS = {"sales-pipeline", "communication-dispatch", "contact-center"}
NOT_OURS = {
    "up": "Prometheus' own",
    "node_filesystem_avail_bytes": "node_exporter's",
    "node_filesystem_size_bytes": "node_exporter's",
}


class Person:
    """Somebody whose every value is found again wherever it should not be."""

    def __init__(self) -> None:
        mark = secrets.token_hex(5)
        self.given = f"Zeb{mark}"
        self.family = f"Quux{mark}"
        self.mail = f"zeb.{mark}@leak.example"
        self.phone = f"+49301{int(mark[:8], 16):010d}"

    @property
    def body(self) -> dict[str, object]:
        points = [
            {"channel": "email", "value": self.mail},
            {"channel": "phone", "value": self.phone},
        ]
        return {"kind": "person", "given_name": self.given, "family_name": self.family, "contact_points": points}

    @property
    def values(self) -> list[str]:
        return [self.given, self.family, self.mail, self.phone]


@pytest.fixture
def client(suite: RunningSuite):
    headers = {"authorization": f"Bearer {suite.facts['access']['api_key']}"}
    with httpx.Client(base_url=suite.facts["url"], headers=headers, timeout=20) as http:
        yield http


def new_trace(*, sampled: bool = True) -> tuple[str, str]:
    trace = secrets.token_hex(16)
    return trace, f"00-{trace}-{secrets.token_hex(8)}-{'01' if sampled else '00'}"


def arrived(spans: list[Seen]) -> bool:
    return {span.service for span in spans if span.kind == "consumer"} >= CONSUMERS and any(
        span.kind == "producer" for span in spans
    )


def test_one_request_is_one_trace_from_the_door_to_the_last_consumer(
    client: httpx.Client, collector: Collector
) -> None:
    trace, traceparent = new_trace()
    sent = {"traceparent": traceparent, "tracestate": "acme=crawl"}
    assert client.post("/v1/customers", json=Person().body, headers=sent).status_code == 201
    spans = collector.wait(trace, arrived)
    door = the(spans, "gateway", "server")
    asked = the(spans, "gateway", "client")
    service = the(spans, "customer", "server")
    command = the(spans, "customer", "internal")
    assert door.parent_id == traceparent[36:52]
    assert [asked.parent_id, service.parent_id, command.parent_id] == [door.span_id, asked.span_id, service.span_id]
    assert door.name == service.name == "POST /v1/customers"
    assert door.attributes["http.route"] == "/v1/customers"
    assert door.attributes["http.response.status_code"] == 201
    relayed = [span for span in spans if span.kind == "producer"]
    consumed = [span for span in spans if span.kind == "consumer"]
    assert {span.parent_id for span in (*relayed, *consumed)} == {command.span_id}
    assert {span.name for span in relayed} == {"send crm.customer"}
    assert all(span.attributes["messaging.destination.name"] == "crm.customer" for span in (*relayed, *consumed))
    assert all(span.links == (trace,) for span in (*relayed, *consumed))
    assert {span.state for span in spans} == {"acme=crawl"}


def test_who_does_not_want_to_be_traced_is_not(client: httpx.Client, collector: Collector) -> None:
    unwanted, traceparent = new_trace(sampled=False)
    assert client.post("/v1/customers", json=Person().body, headers={"traceparent": traceparent}).status_code == 201
    wanted, traceparent = new_trace()
    assert client.post("/v1/customers", json=Person().body, headers={"traceparent": traceparent}).status_code == 201
    collector.wait(wanted, arrived)
    assert collector.of(unwanted) == []


def test_refusals_are_spans_by_template(client: httpx.Client, collector: Collector) -> None:
    trace, traceparent = new_trace()
    headers = {"traceparent": traceparent}
    client.get("/v1/customers/cus_00000000000000000000000000", headers=headers)
    client.get("/v1/nothing/at/all", headers=headers)
    client.get("/v1/customers", headers=headers | {"authorization": "Bearer nobody"})
    spans = collector.wait(trace, lambda found: sum(span.kind == "server" for span in found) >= 4)
    door = {(span.name, span.attributes["http.response.status_code"]) for span in spans if span.service == "gateway"}
    assert door >= {("GET /v1/customers/{customer_id}", 404), ("_OTHER", 404), ("GET /v1/customers", 401)}
    assert not any(span.failed for span in spans)


def test_neither_spans_nor_logs_say_anything_of_a_person(
    suite: RunningSuite, client: httpx.Client, collector: Collector
) -> None:
    person = Person()
    trace, traceparent = new_trace()
    client.headers["traceparent"] = traceparent
    made = client.post("/v1/customers", json=person.body, headers={"idempotency-key": f"key-of-{person.given}"}).json()
    misbehave(client, person, made["id"])
    client.get("/v1/customers", params={"limit": 1}).raise_for_status()
    collector.wait(trace, lambda found: arrived(found) and any(span.name == "GET /v1/customers" for span in found))
    never = [*person.values, person.mail.split("@")[0], made["id"], suite.facts["access"]["api_key"], "wrong-pass"]
    spans = bytes(collector.raw)
    assert len(collector.of(trace)) > 15
    assert [value for value in never if value.encode() in spans] == []
    written = "".join(path.read_text(errors="replace") for path in suite.home.folder.rglob("*.log"))
    assert '"event"' in written
    assert "database system is ready" in written, "PostgreSQL's own log is looked through too"
    assert [value for value in (*never, suite.facts["access"]["password"]) if value in written] == []


def misbehave(client: httpx.Client, person: Person, customer: str) -> None:
    """What goes wrong in a day: each way, a person's values are in the request."""
    url = f"/v1/customers/{customer}"
    refused = [
        client.post("/v1/customers", content=b'{"kind": "person", "given_name": "' + person.given.encode()),
        client.post("/v1/customers", json=person.body | {person.mail: person.phone}),
        client.post("/v1/customers", json=person.body | {"kind": person.given}),
        client.post("/v1/customers", json=person.body | {"given_name": person.given + "\0"}),
        client.post("/v1/customers", json=person.body | {"family_name": person.family * 100}),
        client.get("/v1/customers", params={"email": person.mail, "unknown": person.given}),
        client.get("/v1/customers", params={"cursor": person.mail}),
        client.get(f"/v1/customers/{person.mail}"),
        client.get(f"/v1/{person.mail}/{person.given}"),
        client.patch(url, json={"given_name": person.given}, headers={"if-match": f'"{person.given}"'}),
        client.patch(url, json={"given_name": person.given}, headers={"if-match": '"99"'}),
        client.post("/v1/sessions", json={"tenant": "corkscrew", "email": person.mail, "password": "wrong-pass"}),
        client.get("/v1/me", headers={"authorization": f"Bearer {person.mail}"}),
        client.post("/v1/templates", json={"name": person.given, "body": "{{ " + person.given}),
    ]
    assert [answer.status_code // 100 for answer in refused] == [4] * len(refused), [
        (answer.status_code, answer.request.url) for answer in refused
    ]
    client.get("/v1/customers", params={"q": person.family})


def test_every_metric_that_a_dashboard_or_an_alarm_asks_for_is_there(suite: RunningSuite, client: httpx.Client) -> None:
    client.get("/v1/customers").raise_for_status()
    shown = "".join(exposed(suite))
    names = {
        name + suffix
        for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", shown, re.MULTILINE)
        for suffix in {"histogram": ("_bucket", "_sum", "_count")}.get(kind, ("",))
    }
    asked = watched_metrics()
    assert len(asked) > 30
    assert asked - names - NOT_OURS.keys() == set()
    assert [checked_metrics(one) for one in exposed(suite)] == ["", ""]


def test_addresses_that_nobody_knows_are_one_label(suite: RunningSuite, client: httpx.Client) -> None:
    for _ in range(5):
        assert client.get(f"/v1/{secrets.token_hex(8)}").status_code == 404
        assert client.request(secrets.choice(["PROPFIND", "LOCK"]), f"/{secrets.token_hex(8)}").status_code == 404
    lines = [
        line for line in "".join(exposed(suite)).splitlines() if line.startswith("crm_gateway_request_seconds_count")
    ]
    unknown = [line for line in lines if 'status="404"' in line and 'route="-"' in line]
    assert len(unknown) == 1, unknown
    assert not [line for line in lines if 'route="/v1/' in line and "{" not in line.split("route=")[1] and "/0" in line]


def test_metrics_do_not_pass_the_door(suite: RunningSuite, client: httpx.Client) -> None:
    for path in ("/metrics", "/v1/metrics", "/metrics/"):
        answer = client.get(path)
        assert answer.status_code == 404
        assert "crm_gateway" not in answer.text


def test_the_backlog_and_the_lag_of_every_service_are_shown(suite: RunningSuite) -> None:
    services = {"gateway", "customer", *CONSUMERS}
    wanted = {
        f'{name}{{service="{service}"}}'
        for service in services
        for name in ("crm_outbox_age_seconds", "crm_due_rows", "crm_consumer_lag_seconds")
    }
    deadline = time.monotonic() + 30
    while missing := {series for series in wanted if series not in "".join(exposed(suite))}:
        assert time.monotonic() < deadline, missing
        time.sleep(0.2)


def test_the_workers_say_that_all_their_parts_are_well(suite: RunningSuite) -> None:
    answer = httpx.get(f"http://127.0.0.1:{suite.metrics_port + 1}/readyz", timeout=10)
    parts = answer.json()["parts"]
    assert answer.status_code == 200, parts
    assert {f"{service} {part}" for service in CONSUMERS for part in ("database", "migrations", "bus", "consumer")} <= (
        parts.keys()
    )


def exposed(suite: RunningSuite) -> list[str]:
    """What each of the two processes shows."""
    ports = (suite.metrics_port, suite.metrics_port + 1)
    return [httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=10).text for port in ports]


def the(spans: list[Seen], service: str, kind: str) -> Seen:
    (found,) = [span for span in spans if (span.service, span.kind) == (service, kind)]
    return found
