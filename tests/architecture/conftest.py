"""The code base as data: parsed modules, tracked files and the services' own declarations."""

import ast
import importlib
import subprocess
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest

from crm_shared.runtime import Service

ROOT = Path(__file__).parents[2]
SERVICES = {
    "crm_gateway": "gateway",
    "crm_customer": "services/customer",
    "crm_sales_pipeline": "services/sales-pipeline",
    "crm_communication_dispatch": "services/communication-dispatch",
    "crm_contact_center": "services/contact-center",
}
PACKAGES = {"crm_shared": "shared", **SERVICES, "crm_suite": "deploy/suite"}


@dataclass(frozen=True)
class Module:
    """One source file. `name` is dotted: `crm_customer.parties.store.rows`."""

    name: str
    path: Path

    @cached_property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, filename=str(self.path))

    @property
    def package(self) -> str:
        return self.name.partition(".")[0]

    @property
    def parts(self) -> list[str]:
        return self.name.split(".")

    def __str__(self) -> str:
        return str(self.path.relative_to(ROOT))

    def imported(self) -> set[str]:
        """The modules this file imports, as written."""
        found: set[str] = set()
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                found.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module)
        return found


def _modules() -> list[Module]:
    found: list[Module] = []
    for package, folder in PACKAGES.items():
        source = ROOT / folder / "src"
        for path in sorted((source / package).rglob("*.py")):
            if "versions" in path.parts:
                continue  # generated migrations
            parts = path.relative_to(source).with_suffix("").parts
            found.append(Module(".".join(parts[:-1] if parts[-1] == "__init__" else parts), path))
    return found


@pytest.fixture(scope="session")
def modules() -> list[Module]:
    return _modules()


@pytest.fixture(scope="session")
def tracked_files() -> list[Path]:
    """What git tracks, as it lies in the working tree."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode()
    return [path for path in (ROOT / name for name in listed.split("\0") if name) if path.is_file()]


@pytest.fixture(params=sorted(SERVICES))
def service(request: pytest.FixtureRequest) -> Service:
    """Each service, and the gateway, as its `app.py` declares it."""
    return importlib.import_module(f"{request.param}.app").SERVICE
