"""Bars, sheets, and the command that shows them."""

import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from . import BENCHES
from .figures import Figure, Sheet, at_least, at_most
from .table import page, spoken

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("bar", "value", "held"),
    [
        (at_least(0.7), 0.7, True),
        (at_least(0.7), 0.699, False),
        (at_most(100), 100, True),
        (at_most(100), 100.1, False),
        (None, 1e9, True),
    ],
)
def test_a_bar_holds_up_to_its_limit(bar: object, value: float, held: bool) -> None:
    assert Figure("a", value, "ms", bar).held is held  # type: ignore[arg-type]


def test_one_missed_bar_is_enough_to_miss_the_sheet() -> None:
    fine, missed = Figure("fine", 1, "", at_most(1)), Figure("missed", 2, "", at_most(1))
    assert Sheet("b", "m", [fine, fine]).held
    assert not Sheet("b", "m", [fine, missed]).held


def test_a_sheet_as_json_has_the_published_keys_only() -> None:
    sheet = orjson.loads(orjson.dumps(Sheet("b", "m", [Figure("a", 0.123456, "ms", at_most(1))]).as_json()))
    assert sheet == {
        "bench": "b",
        "machine": "m",
        "figures": [{"name": "a", "value": 0.1235, "unit": "ms", "bar": "≤ 1", "held": True}],
    }


def test_the_page_names_the_command_beside_each_figure() -> None:
    sheets = [Sheet("events", "m", [Figure("p99", 120.0, "ms", at_most(100)), Figure("p50", 9.0, "ms")]).as_json()]
    assert page(sheets).splitlines()[2:] == [
        "| p99 | 120 ms | ≤ 100 | **no** | `crm bench events` |",
        "| p50 | 9 ms |  |  | `crm bench events` |",
    ]


@pytest.mark.parametrize(("value", "text"), [(0, "0"), (0.7012, "0.701"), (12.34, "12.3"), (51_234.5, "51,234")])
def test_values_are_spoken_with_the_digits_that_matter(value: float, text: str) -> None:
    assert spoken(value) == text


def test_every_benchmark_named_is_there() -> None:
    folder = ROOT / "tests" / "bench"
    missing = {name for name in BENCHES if not ((folder / f"{name}.py").exists() or (folder / name).is_dir())}
    assert not missing


def test_an_unknown_benchmark_is_refused_with_the_names_there_are() -> None:
    asked = [sys.executable, "-m", "crm_suite", "bench", "nothing"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "customers" in done.stderr
