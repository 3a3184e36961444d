"""What we run on: whose licences are agreed to, and what the bill of materials lists."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def audit() -> ModuleType:
    found = importlib.util.spec_from_file_location("audit", ROOT / "deploy" / "audit.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("licence", "is_agreed"),
    [
        ("MIT", True),
        ("ISC License (ISCL)", True),
        ("MPL-2.0 AND (Apache-2.0 OR MIT)", True),
        ("Apache Software License; MIT License", True),
        ("GPL-3.0 OR MIT", True),
        ("GPL-3.0 AND MIT", False),
        ("MIT; GNU General Public License v3 (GPLv3)", False),
        ("AGPL-3.0-only", False),
        ("UNKNOWN", False),
        ("MIT with a clause of somebody's own", False),
    ],
)
def test_every_part_of_a_licence_must_be_agreed_to(audit: ModuleType, licence: str, *, is_agreed: bool) -> None:
    assert audit.agreed(licence) is is_agreed


def test_all_that_runs_in_production_is_under_agreed_licences(audit: ModuleType) -> None:
    assert audit.licences()


def test_a_package_under_a_strange_licence_is_named(
    audit: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(audit, "AGREED", ("Apache-2.0",))
    assert not audit.licences()
    assert "licence: fastapi " in capsys.readouterr().out


def test_the_bill_of_materials_lists_every_pinned_package_with_its_hashes(audit: ModuleType) -> None:
    audit.write_bill()
    parts = json.loads(audit.BILL.read_text())["components"]
    pinned = {line.partition("==")[0] for line in (ROOT / "requirements.txt").read_text().splitlines() if "==" in line}
    assert {part["name"] for part in parts} == pinned
    assert all(any(reference.get("hashes") for reference in part["externalReferences"]) for part in parts)
