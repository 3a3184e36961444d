"""`docker-compose.yml` names what the code knows. Read as text: its own layout is all that has to be understood."""

import re
from pathlib import Path

import orjson
import pytest

from crm_communication_dispatch.settings import MailSettings
from crm_gateway.settings import GatewaySettings
from crm_shared.db.walls import Roles
from crm_shared.settings import ServiceSettings
from crm_suite.topology import GATEWAY, NAMES, database_of

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = (ROOT / "docker-compose.yml").read_text()
EXAMPLE = (ROOT / "deploy/docker/env.example").read_text()
OURS = {f"{service}-{part}" for service in NAMES for part in ("migrate", "api", "worker")}
OTHERS = {"postgres", "kafka", "edge"}


def blocks(text: str, indent: int) -> dict[str, str]:
    """What stands at this indentation, by its key."""
    parts = re.split(rf"^ {{{indent}}}([\w-]+):", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


TOP = blocks(COMPOSE, 0)
SERVICES = blocks(TOP["services"], 2)


def names_in(block: str) -> set[str]:
    """The environment's names, as keys of a mapping in capitals."""
    return set(re.findall(r"^ +([A-Z][A-Z0-9_]+):", block, re.MULTILINE))


def environment(service: str) -> set[str]:
    """A service's own names and those of the anchors it merges."""
    block = SERVICES[service]
    merged = re.findall(r"\*([\w-]+-environment)", block)
    return names_in(block).union(*(names_in(TOP[f"x-{anchor}"]) for anchor in merged))


def test_every_service_has_migrations_an_api_and_a_worker() -> None:
    assert SERVICES.keys() == OURS | OTHERS


@pytest.mark.parametrize("service", NAMES)
def test_a_service_runs_its_own_package_as_its_own_roles(service: str) -> None:
    assert f"SERVICE: {NAMES[service]} }}" in TOP[f"x-{service}"]
    assert f"image: corkscrew/{service}:" in TOP[f"x-{service}"]
    for part in ("migrate", "api", "worker"):
        assert f"<<: [*{service}, *{part}]" in SERVICES[f"{service}-{part}"]
    roles = Roles.of(service)
    for name, role in (("", roles.app), ("WORKER_", roles.worker), ("OWNER_", roles.owner)):
        password = f"${{{role.upper()}_PASSWORD:?}}"
        url = f"postgresql://{role}:{password}@postgres:5432/{database_of(service)}"
        line = rf"^ +{name}DATABASE_URL: (&[\w-]+ )?{re.escape(url)}$"
        assert re.search(line, SERVICES[f"{service}-migrate"], re.MULTILINE), url
    assert f" DATABASE_URL: *{service}-app" in SERVICES[f"{service}-api"]
    assert f"WORKER_DATABASE_URL: *{service}-worker" in SERVICES[f"{service}-worker"]


@pytest.mark.parametrize("service", sorted(OURS))
def test_every_name_in_an_environment_is_a_setting(service: str) -> None:
    known = set(GatewaySettings.model_fields if service == f"{GATEWAY}-api" else ServiceSettings.model_fields)
    if service.startswith("communication-dispatch-"):
        known |= set(MailSettings.model_fields)
    used = {name.lower() for name in environment(service)}
    assert used
    assert used <= known


@pytest.mark.parametrize("part", ["api", "worker"])
def test_only_migrations_know_the_administrator_and_the_owner(part: str) -> None:
    for service in NAMES:
        assert not environment(f"{service}-{part}") & {"ADMIN_DATABASE_URL", "OWNER_DATABASE_URL", "POSTGRES_PASSWORD"}
        assert service == GATEWAY or "INTERNAL_PRIVATE_JWK" not in environment(f"{service}-{part}")


def test_the_gateway_finds_every_service_behind_it() -> None:
    found = re.search(r"UPSTREAMS: >-\n(.+?\})\n", SERVICES[f"{GATEWAY}-api"], re.DOTALL)
    assert found is not None
    assert orjson.loads(found[1]) == {name: f"http://{name}-api:8000" for name in NAMES if name != GATEWAY}


def test_every_variable_is_documented_and_every_documented_one_is_used() -> None:
    used = set(re.findall(r"(?<!\$)\$\{([A-Z][A-Z0-9_]*)", COMPOSE))
    assert used == set(re.findall(r"^([A-Z][A-Z0-9_]*)=", EXAMPLE, re.MULTILINE))


def test_no_secret_is_written_down() -> None:
    secret = re.compile(r"^([A-Z0-9_]*(?:PASSWORD|SECRET|JWK|JWKS))=(.*)$", re.MULTILINE)
    assert {value for _, value in secret.findall(EXAMPLE)} <= {"", "change-me", "make-a-key"}
    for line in COMPOSE.splitlines():
        if re.match(r" +[A-Z_]*(PASSWORD|SECRET|JWK|JWKS): ", line):
            assert re.search(r": \$\{[A-Z_]+(:\?|:-)\}$", line), line


def test_images_have_versions() -> None:
    dockerfile = (ROOT / "deploy/docker/Dockerfile").read_text()
    images = re.findall(r"^ *image: (\S+)$", COMPOSE, re.MULTILINE) + re.findall(
        r"^FROM (\S+)", dockerfile, re.MULTILINE
    )
    assert len(images) == len(NAMES) + len(OTHERS) + 2
    for image in images:
        assert re.search(r":(\d|\$\{CORKSCREW_VERSION:-\d)", image), image
        assert "latest" not in image


def test_the_image_holds_every_distribution() -> None:
    dockerfile = (ROOT / "deploy/docker/Dockerfile").read_text()
    editable = set(re.findall(r"--editable (\S+)", dockerfile))
    assert editable == {str(path.parent.relative_to(ROOT)) for path in ROOT.glob("*/pyproject.toml")} | {
        str(path.parent.relative_to(ROOT)) for path in ROOT.glob("*/*/pyproject.toml")
    }
