"""The log as its authors describe it: the demo's figures rest on reading every line of it."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from crm_suite.demo.purchases import LogMissing, Purchase, choose_customers, find_log, move_to, read_log


@pytest.fixture(scope="module")
def log() -> list[Purchase]:
    return read_log(find_log())


def test_reads_every_purchase_of_every_customer(log: list[Purchase]) -> None:
    assert (len(log), len({purchase.customer for purchase in log})) == (69_659, 23_570)
    assert (min(purchase.day for purchase in log), max(purchase.day for purchase in log)) == (
        date(1997, 1, 1),
        date(1998, 6, 30),
    )
    assert sum(purchase.amount for purchase in log) == Decimal("2500315.63")


def test_reads_the_first_lines_as_printed(log: list[Purchase]) -> None:
    assert log[:3] == [
        Purchase(1, 1, date(1997, 1, 1), 1, Decimal("11.77")),
        Purchase(2, 1, date(1997, 1, 12), 1, Decimal("12.00")),
        Purchase(2, 2, date(1997, 1, 12), 5, Decimal("77.00")),
    ]


def test_every_purchase_has_a_reference_of_its_own(log: list[Purchase]) -> None:
    assert len({purchase.reference for purchase in log}) == len(log)


def test_chooses_customers_from_all_weeks(log: list[Purchase]) -> None:
    chosen = set(choose_customers(log, 300))
    assert len(chosen) == 300
    firsts = [purchase.day for purchase in log if purchase.customer in chosen and purchase.number == 1]
    assert {day.month for day in firsts} == {1, 2, 3}
    assert set(choose_customers(log, 23_570)) == {purchase.customer for purchase in log}
    with pytest.raises(ValueError, match="23570 customers"):
        choose_customers(log, 23_571)


def test_moves_the_history_without_bending_it(log: list[Purchase]) -> None:
    moved = move_to(log, date(2026, 6, 30))
    assert max(purchase.day for purchase in moved) == date(2026, 6, 30)
    assert {(new.day - old.day).days for new, old in zip(moved, log, strict=True)} == {10_227}


def test_a_missing_package_names_the_next_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crm_suite.demo.purchases.PACKAGE", "no-such-package")
    with pytest.raises(LogMissing, match="make setup-demo"):
        find_log()


def test_a_damaged_package_names_the_next_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crm_suite.demo.purchases.LOG", str(Path("lifetimes") / "nothing.txt"))
    with pytest.raises(LogMissing, match="Reinstall"):
        find_log()
