"""Tests lie where their source lies: `tests/customer/parties/test_domain.py` tests `crm_customer/parties/domain.py`."""

from pathlib import Path

import pytest

from .conftest import PACKAGES, ROOT

FOLDERS = {
    "shared": "crm_shared",
    "gateway": "crm_gateway",
    "customer": "crm_customer",
    "sales_pipeline": "crm_sales_pipeline",
    "communication_dispatch": "crm_communication_dispatch",
    "contact_center": "crm_contact_center",
    "suite": "crm_suite",
}
ACROSS = {"architecture", "bench", "contracts", "faults", "fuzzing", "journeys", "plans", "tenants"}
"""Tests of several packages at once have no single source to mirror."""


def sources(package: str) -> Path:
    return ROOT / PACKAGES[package] / "src" / package


def test_every_folder_of_tests_belongs_to_something() -> None:
    folders = {path.name for path in (ROOT / "tests").iterdir() if path.is_dir() and not path.name.startswith("__")}
    assert folders <= FOLDERS.keys() | ACROSS


@pytest.mark.parametrize(("folder", "package"), sorted(FOLDERS.items()))
def test_test_folders_mirror_the_source(folder: str, package: str) -> None:
    root = ROOT / "tests" / folder
    wrong = [
        str(path.relative_to(ROOT))
        for path in root.rglob("test_*.py")
        if not (sources(package) / path.parent.relative_to(root)).is_dir()
        and not (sources(package) / path.parent.relative_to(root)).with_suffix(".py").is_file()
    ]
    assert not wrong
