from pathlib import Path

import pytest
from rich.console import Console

from crm_suite.doctor import examine


def seen() -> tuple[bool, str]:
    console = Console(width=160, color_system=None)
    with console.capture() as caught:
        fine = examine(console)
    return fine, caught.get()


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRM_HOME", str(tmp_path / "home"))


def test_a_machine_that_can_run_the_suite_is_fine() -> None:
    fine, text = seen()
    assert fine
    assert "embedded PostgreSQL" in text


def test_what_only_the_demo_needs_makes_nobody_ill(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crm_suite.demo.purchases.PACKAGE", "no-such-package")
    fine, text = seen()
    assert fine
    assert "make setup-demo" in text
