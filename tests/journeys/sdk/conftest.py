"""Both clients, generated and built once, and a tenant of a running suite for them."""

import subprocess
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.journeys.conftest import RunningSuite

from crm_suite.allinone.operator import open_tenant
from generator import packing

from .between import Between, standing_between

ROOT = Path(__file__).parents[3]
DOCUMENT = ROOT / "gateway/src/crm_gateway/openapi/merged.json"
METHODS = {"get", "post", "put", "patch", "delete"}


def generate(folder: Path) -> None:
    command = [sys.executable, "-m", "generator", str(DOCUMENT), str(folder)]
    subprocess.run(command, cwd=ROOT / "deploy/sdk", check=True, timeout=60)


@pytest.fixture(scope="session")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the sources of both clients."""
    folder = tmp_path_factory.mktemp("sdk")
    generate(folder)
    return folder


@pytest.fixture(scope="session")
def _importable(generated: Path) -> Iterator[None]:
    """The wheel as it is shipped; Python imports from it without unpacking."""
    wheel = str(packing.wheel(generated))
    sys.path.insert(0, wheel)
    yield
    sys.path.remove(wheel)


@pytest.fixture(scope="session")
def node_project(generated: Path) -> Path:
    """A project that has the TypeScript client, as it is shipped, among its modules."""
    package = packing.npm_package(generated)
    if package is None:
        pytest.skip("Node isn't here; `make setup-dev` says so, too")
    project = generated / "project"
    modules = project / "node_modules"
    modules.mkdir(parents=True)
    with tarfile.open(package) as packed:
        packed.extractall(modules, filter="data")
    (modules / "package").rename(modules / "corkscrew-crm")
    (modules / "@types").symlink_to(ROOT / "deploy/node/node_modules/@types")
    (modules / "undici-types").symlink_to(ROOT / "deploy/node/node_modules/undici-types")
    return project


@dataclass(frozen=True)
class Place:
    """Where the API is, and a key of a tenant nobody else uses."""

    url: str
    api_key: str

    @property
    def environment(self) -> dict[str, str]:
        return {"CRM_URL": self.url, "CRM_API_KEY": self.api_key}


async def open_place(suite: RunningSuite, slug: str) -> Place:
    access = await open_tenant(suite.home, slug, "Corkscrew Records")
    return Place(suite.facts["url"], access.api_key)


@pytest.fixture(scope="session")
async def place(suite: RunningSuite, _importable: None) -> Place:
    return await open_place(suite, "sdk-python")


@pytest.fixture(scope="session")
def between(place: Place) -> Iterator[Between]:
    with standing_between(place.url) as between:
        yield between
