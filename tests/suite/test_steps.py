import pytest
from rich.console import Console

from crm_suite.steps import Steps


def test_a_step_is_shown_with_its_seconds() -> None:
    console = Console(color_system=None)
    steps = Steps(console)
    with console.capture() as caught, steps.step("databases") as note:
        note.text = "six"
    assert caught.get() == "✓ databases six 0.0 s\n"
    assert steps.taken_s.keys() == {"databases"}


def test_a_failed_step_is_shown_as_such_and_fails() -> None:
    console = Console(color_system=None)
    with console.capture() as caught, pytest.raises(ZeroDivisionError), Steps(console).step("sums"):
        1 / 0  # noqa: B018
    assert caught.get() == "✗ sums\n"
