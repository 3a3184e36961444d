"""`docker-compose.yml` is what Compose's specification allows, and names what the code knows."""

import re
import subprocess
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from check_jsonschema.builtin_schemas import get_builtin_schema
from jsonschema import Draft7Validator

from crm_gateway.settings import GatewaySettings
from crm_gateway.webhooks.settings import WebhookSettings
from crm_shared.db.walls import Roles
from crm_shared.settings import ServiceSettings, published_secrets
from crm_suite.deployment.secrets import compose_variables
from crm_suite.topology import GATEWAY, NAMES, database_of, load_service

from .manifests import ROOT

TEXT = (ROOT / "docker-compose.yml").read_text()
EXAMPLE = (ROOT / "deploy/docker/env.example").read_text()
DOCKERFILE = ROOT / "deploy/docker/Dockerfile"
OURS = {f"{service}-{part}" for service in NAMES for part in ("migrate", "api", "worker")}
OTHERS = {"postgres", "kafka", "edge", "prometheus", "grafana"}
OF_LIBRARIES = ("OTEL_", "PG")
VARIABLE = re.compile(r"(?<!\$)\$\{([A-Z][A-Z0-9_]*)(?::([?-])([^}]*))?\}")


def filled(text: str, given: dict[str, str]) -> str:
    """As Compose fills a value in: what is given, else the default; nothing that is needed may be missing."""

    def value(found: re.Match[str]) -> str:
        name, kind, default = found.groups()
        assert kind != "?" or given.get(name), f"{name} is needed"
        return given.get(name) or default or ""

    return VARIABLE.sub(value, text).replace("$$", "$")


def interpolated(part: Any, given: dict[str, str]) -> Any:
    match part:
        case dict():
            return {name: interpolated(value, given) for name, value in part.items()}
        case list():
            return [interpolated(value, given) for value in part]
        case str():
            return filled(part, given)
        case _:
            return part


GIVEN = compose_variables()
RAW = yaml.safe_load(TEXT)
SUITE = interpolated(RAW, GIVEN)
SERVICES: dict[str, dict[str, Any]] = SUITE["services"]


def environment(service: str) -> dict[str, str]:
    return {name: str(value) for name, value in SERVICES[service].get("environment", {}).items()}


def test_it_is_what_compose_s_own_schema_allows() -> None:
    schema = get_builtin_schema("vendor.compose-spec")
    assert [error.message for error in Draft7Validator(schema).iter_errors(RAW)] == []
    assert [error.message for error in Draft7Validator(schema).iter_errors(RAW | {"servics": {}})] != []


def test_every_service_has_migrations_an_api_and_a_worker() -> None:
    assert SERVICES.keys() == OURS | OTHERS


@pytest.mark.parametrize("service", NAMES)
def test_a_service_runs_its_own_package_as_its_own_roles(service: str) -> None:
    for part in ("migrate", "api", "worker"):
        assert SERVICES[f"{service}-{part}"]["build"]["args"] == {"SERVICE": NAMES[service]}
        assert SERVICES[f"{service}-{part}"]["image"].startswith(f"corkscrew/{service}:")
    roles = Roles.of(service)
    told = environment(f"{service}-migrate")
    for name, role in (("", roles.app), ("WORKER_", roles.worker), ("OWNER_", roles.owner)):
        url = f"postgresql://{role}:{GIVEN[f'{role.upper()}_PASSWORD']}@postgres:5432/{database_of(service)}"
        assert told[f"{name}DATABASE_URL"] == url
    assert environment(f"{service}-api")["DATABASE_URL"] == told["DATABASE_URL"]
    assert environment(f"{service}-worker")["WORKER_DATABASE_URL"] == told["WORKER_DATABASE_URL"]


@pytest.mark.parametrize("service", sorted(OURS))
def test_every_name_in_an_environment_is_a_setting_and_no_secret_is_missing(
    service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, part = service.rsplit("-", 1)
    models: set[type[Any]] = {type(make()) for make in load_service(NAMES[name]).settings}
    models |= {GatewaySettings, WebhookSettings} if name == GATEWAY else {ServiceSettings}
    known = {
        f"{model.model_config.get('env_prefix', '')}{field}".upper() for model in models for field in model.model_fields
    }
    told = environment(service)
    assert {each for each in told.keys() - known if not each.startswith(OF_LIBRARIES)} == set()
    for each, value in told.items():
        monkeypatch.setenv(each, value)
    assert [missing for model in models for missing in published_secrets(model(), part=part)] == []


def test_only_migrations_know_administrator_and_owner_and_only_the_gateway_s_api_the_key_that_signs() -> None:
    for service in OURS:
        told = environment(service).keys()
        assert ("ADMIN_DATABASE_URL" in told) == ("OWNER_DATABASE_URL" in told) == service.endswith("-migrate")
        assert ("INTERNAL_PRIVATE_JWK" in told) == (service == "gateway-api")


def test_the_gateway_finds_every_service_behind_it() -> None:
    upstreams = orjson.loads(environment(f"{GATEWAY}-api")["UPSTREAMS"])
    assert upstreams == {name: f"http://{name}-api:8000" for name in NAMES if name != GATEWAY}


def test_prometheus_finds_every_process_where_it_shows_its_metrics() -> None:
    config = yaml.safe_load((ROOT / "deploy/observability/prometheus/prometheus.yml").read_text())
    asked = {
        (name, found["port"])
        for job in config["scrape_configs"]
        for found in job.get("dns_sd_configs", ())
        for name in found["names"]
    }
    shown = {
        (service, int(environment(service).get("METRICS_PORT", "8000"))) for service in OURS if "migrate" not in service
    }
    assert asked == shown
    assert {"inside"} <= set(SERVICES["prometheus"]["networks"])


def test_what_is_mounted_is_there() -> None:
    mounted = [volume.split(":")[0] for each in SERVICES.values() for volume in each.get("volumes", ())]
    for source in mounted:
        assert (ROOT / source).exists() if source.startswith("./") else source in SUITE["volumes"], source


def test_ports_are_on_loopback_only() -> None:
    published = {name: each["ports"] for name, each in SERVICES.items() if "ports" in each}
    assert published.keys() == {"edge", "prometheus", "grafana"}
    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)


def test_everything_that_lasts_says_how_it_is_and_has_time_to_end() -> None:
    for name, each in SERVICES.items():
        if name.endswith("-migrate"):
            continue
        assert "healthcheck" in each, name
        assert each["restart"] == "unless-stopped", name
        if name.endswith("-api"):
            told = environment(name)
            needed = int(told["DRAIN_S"]) + int(told["FINISH_S"])
            assert int(each["stop_grace_period"].removesuffix("s")) >= needed + 10
        elif name.endswith("-worker"):
            assert int(each["stop_grace_period"].removesuffix("s")) >= 50


def test_our_processes_may_do_no_more_than_they_need() -> None:
    for name in OURS | {"edge", "prometheus", "grafana"}:
        each = SERVICES[name]
        assert each["read_only"] is True
        assert each["cap_drop"] == ["ALL"]
        assert each["security_opt"] == ["no-new-privileges:true"]


def test_every_variable_is_documented_and_every_documented_one_is_used() -> None:
    used = {found[0] for found in VARIABLE.findall(TEXT)}
    assert used == set(re.findall(r"^([A-Z][A-Z0-9_]*)=", EXAMPLE, re.MULTILINE))


def test_what_is_needed_is_generated_and_nothing_else() -> None:
    assert {name for name, kind, _ in VARIABLE.findall(TEXT) if kind == "?"} == GIVEN.keys()
    assert len(set(GIVEN.values())) == len(GIVEN)


def test_no_secret_is_written_down() -> None:
    secret = re.compile(r"^([A-Z0-9_]*(?:PASSWORD|SECRET|KEYS|JWK|JWKS))=(.*)$", re.MULTILINE)
    assert {value for _, value in secret.findall(EXAMPLE)} <= {"", "change-me", "make-a-key"}
    for name, each in RAW["services"].items():
        for key, value in each.get("environment", {}).items():
            if re.search(r"(PASSWORD|SECRET|KEYS|JWK|JWKS)$", key):
                assert re.fullmatch(r"\$\{[A-Z_]+(:\?|:-)\}", value), (name, key)


def test_images_have_versions() -> None:
    images = [each["image"] for each in RAW["services"].values()]
    images += re.findall(r"^FROM (\S+)", DOCKERFILE.read_text(), re.MULTILINE)
    for image in images:
        assert re.search(r":(v?\d+\.\d+|\$\{CORKSCREW_VERSION:-\d)", image), image


def test_the_image_holds_every_distribution_and_the_build_sees_what_it_copies() -> None:
    dockerfile = DOCKERFILE.read_text()
    projects = [
        path.parent.relative_to(ROOT) for depth in ("*", "*/*") for path in ROOT.glob(f"{depth}/pyproject.toml")
    ]
    assert set(re.findall(r"--editable (\S+)", dockerfile)) == {str(path) for path in projects}
    seen = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    for copied in re.findall(r"^COPY (?!--from)(\S+) ", dockerfile, re.MULTILINE):
        assert f"!{copied}" in seen, copied
        assert (ROOT / copied).exists(), copied


def test_the_dockerfile_s_linter_has_nothing_to_say() -> None:
    program = Path(ROOT / ".venv/bin/hadolint")
    said = subprocess.run(
        [program, "--failure-threshold", "info", DOCKERFILE], capture_output=True, text=True, check=False
    )
    assert said.returncode == 0, said.stdout + said.stderr


def test_a_value_is_filled_in_as_compose_does() -> None:
    assert filled("${A:?} ${B:-b} ${C:-} $${D}", {"A": "1"}) == "1 b  ${D}"
    with pytest.raises(AssertionError, match="A is needed"):
        filled("${A:?}", {})
