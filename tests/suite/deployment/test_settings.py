"""What pods are told is what the code asks: no unknown name, nothing missing, no secret where it isn't needed."""

from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from crm_gateway.settings import GatewaySettings
from crm_gateway.webhooks.settings import WebhookSettings
from crm_shared.settings import ServiceSettings, published_secrets
from crm_suite.deployment.secrets import kubernetes_secrets
from crm_suite.topology import GATEWAY, NAMES, load_service

from .manifests import Manifest, Pod, Rendered

OF_LIBRARIES = ("PG", "OTEL_")
"""Variables that PostgreSQL's and OpenTelemetry's own libraries read."""
GIVEN: dict[str, Manifest] = {
    each["metadata"]["name"]: each
    for each in kubernetes_secrets(
        namespace="corkscrew", database_host="{service}-postgres", bus_url="kafka://kafka:9092"
    )["items"]
}


def settings_of(service: str) -> set[type[Any]]:
    own: set[type[Any]] = {type(make()) for make in load_service(NAMES[service]).settings}
    return own | ({GatewaySettings, WebhookSettings} if service == GATEWAY else {ServiceSettings})


def variables(model: type[Any]) -> set[str]:
    prefix = model.model_config.get("env_prefix", "")
    return {f"{prefix}{name}".upper() for name in model.model_fields}


def environment(suite: Rendered, pod: Pod, container: Manifest) -> dict[str, str]:
    found: dict[str, str] = {}
    for source in container.get("envFrom", ()):
        if "configMapRef" in source:
            found |= suite.named("ConfigMap")[source["configMapRef"]["name"]].get("data", {})
        else:
            assert source["secretRef"]["name"] == pod.owner
            found |= GIVEN[pod.owner]["stringData"]
    return found | {each["name"]: each["value"] for each in container.get("env", ()) if "value" in each}


def ours(suite: Rendered) -> Iterator[tuple[Pod, Manifest]]:
    yield from ((pod, container) for pod in suite.pods if pod.is_ours for container in pod.containers)


def test_every_name_is_a_setting_of_the_code(suite: Rendered) -> None:
    for pod, container in ours(suite):
        known = set[str]().union(*(variables(model) for model in settings_of(pod.service)))
        unknown = environment(suite, pod, container).keys() - known
        assert {name for name in unknown if not name.startswith(OF_LIBRARIES)} == set(), pod.owner


def test_every_process_starts_with_what_it_is_told(suite: Rendered, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its settings can be read, and no secret of its part is missing or known to everybody."""
    for pod, container in ours(suite):
        (part,) = container["args"]
        with monkeypatch.context() as patch:
            for name, value in environment(suite, pod, container).items():
                patch.setenv(name, value)
            for model in settings_of(pod.service):
                assert published_secrets(model(), part=part) == [], (pod.owner, part)


@pytest.mark.parametrize(
    ("part", "needed"),
    [
        ("provision", {"ADMIN_DATABASE_URL", "OWNER_DATABASE_URL", "DATABASE_URL", "WORKER_DATABASE_URL"}),
        ("migrate", {"OWNER_DATABASE_URL"}),
        ("migrated", {"DATABASE_URL"}),
        ("api", {"DATABASE_URL", "INTERNAL_JWKS", "CURSOR_SECRET"}),
        ("worker", {"DATABASE_URL", "WORKER_DATABASE_URL", "BUS_URL", "METRICS_PORT"}),
    ],
)
def test_each_command_is_told_what_it_needs(suite: Rendered, part: str, needed: set[str]) -> None:
    asked = [(pod, container) for pod, container in ours(suite) if container["args"] == [part]]
    assert len(asked) >= len(NAMES)
    for pod, container in asked:
        assert needed <= environment(suite, pod, container).keys(), pod.owner


def test_only_migrations_know_administrator_and_owner_and_only_the_gateway_s_api_the_key_that_signs(
    suite: Rendered,
) -> None:
    for pod, container in ours(suite):
        told = environment(suite, pod, container).keys()
        assert ("ADMIN_DATABASE_URL" in told) == ("OWNER_DATABASE_URL" in told) == (pod.part == "migrate"), pod.owner
        assert ("INTERNAL_PRIVATE_JWK" in told) == (pod.owner == "gateway-api"), pod.owner


def test_no_two_processes_of_different_services_share_a_password() -> None:
    of_service = [
        {value for name, secret in GIVEN.items() if name.startswith(service) for value in secret["stringData"].values()}
        for service in NAMES
    ]
    shared = {value for values in of_service for value in values if sum(value in other for other in of_service) > 1}
    jwks = GIVEN["customer-api"]["stringData"]["INTERNAL_JWKS"]
    assert shared == {jwks, "kafka://kafka:9092"}


def test_services_believe_the_gateway_s_key(suite: Rendered) -> None:
    private = orjson.loads(GIVEN["gateway-api"]["stringData"]["INTERNAL_PRIVATE_JWK"])
    for name in NAMES:
        (public,) = orjson.loads(GIVEN[f"{name}-api"]["stringData"]["INTERNAL_JWKS"])["keys"]
        assert public["x"] == private["x"]
        assert "d" not in public


def test_the_gateway_asks_services_where_they_are(suite: Rendered) -> None:
    ports = {name: each["spec"]["ports"][0]["port"] for name, each in suite.named("Service").items()}
    (pod, container) = next(each for each in ours(suite) if each[1]["args"] == ["api"] and each[0].service == GATEWAY)
    upstreams = orjson.loads(environment(suite, pod, container)["UPSTREAMS"])
    behind = [name for name in NAMES if name != GATEWAY]
    assert upstreams == {name: f"http://{name}-api:{ports[f'{name}-api']}" for name in behind}


def test_a_pod_has_time_to_end_in_order(suite: Rendered) -> None:
    """An api's drain and what is under way then; a worker's parts take ten seconds each at most."""
    for pod, container in ours(suite):
        settings = environment(suite, pod, container)
        match container["args"]:
            case ["api"]:
                longest = float(settings["DRAIN_S"]) + float(settings["FINISH_S"])
            case ["worker"]:
                longest = 40.0
            case _:
                continue
        assert pod.spec["terminationGracePeriodSeconds"] >= longest + 10, pod.owner
