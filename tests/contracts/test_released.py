"""What was released holds still: nothing is broken, and events of every release are understood today."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema_rs
import orjson
import pytest
from tests.contracts.test_events import READ

from crm_shared.bus.handlers import Handler
from crm_suite.contracts.releases import Contracts

ROOT = Path(__file__).parents[2]
CONTRACTS = [Contracts(folder) for folder in [ROOT / "gateway/contracts", *sorted(ROOT.glob("services/*/contracts"))]]
GOLDEN = [
    pytest.param(contracts, event_type, version["example"], id=f"{event_type}@{release}")
    for contracts in CONTRACTS
    for event_type, release, version in contracts.versions()
]
HANDLERS: dict[str, list[Handler]] = {}
for _, kind, handler in READ:
    HANDLERS.setdefault(kind, []).append(handler)


def test_every_service_has_released_its_contracts() -> None:
    assert [str(contracts.folder) for contracts in CONTRACTS if not contracts.releases] == []


def test_nothing_that_was_released_is_broken() -> None:
    folders = [str(contracts.folder.relative_to(ROOT)) for contracts in CONTRACTS]
    command = [sys.executable, "-m", "crm_suite.contracts", "check", *folders]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert said.returncode == 0, said.stderr


@pytest.mark.parametrize(("contracts", "event_type", "example"), GOLDEN)
def test_an_event_of_any_release_is_still_what_its_schema_says_and_is_still_read(
    contracts: Contracts, event_type: str, example: Any
) -> None:
    if event_type in contracts.types:
        jsonschema_rs.validate(orjson.loads(contracts.types[event_type].read_bytes()), example, validate_formats=True)
    for handler in HANDLERS.get(event_type, []):
        handler.model.model_validate_json(orjson.dumps(example))
