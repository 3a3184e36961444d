"""The CDNOW purchase log: every purchase of everyone who first bought music at CDNOW in the first quarter of 1997.

69,659 purchases of 23,570 customers until June 1998, published with Fader and Hardie's papers on customer value. It is
read as a file out of the installed package `lifetimes`, which is never imported: its dependencies are not installed.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

PACKAGE = "lifetimes"
LOG = "lifetimes/datasets/CDNOW_master.txt"
CURRENCY = "USD"


class LogMissing(Exception):
    """The package that holds the log is not installed."""


@dataclass(frozen=True, slots=True)
class Purchase:
    """One line of the log. `number` counts a customer's purchases from 1: with the customer it names the purchase."""

    customer: int
    number: int
    day: date
    quantity: int
    amount: Decimal

    @property
    def reference(self) -> str:
        return f"cdnow-{self.customer:05d}-{self.number:03d}"


def find_log() -> Path:
    try:
        path = Path(str(distribution(PACKAGE).locate_file(LOG)))
    except PackageNotFoundError as missing:
        raise LogMissing("The purchase data is not installed. Install it with: make setup-demo") from missing
    if not path.is_file():
        raise LogMissing(f"{path} is missing. Reinstall the demo's data: rm -r .venv && make setup-demo")
    return path


def read_log(path: Path) -> list[Purchase]:
    """All purchases in the order of the log: by customer, then by day."""
    purchases: list[Purchase] = []
    with path.open(encoding="ascii") as lines:
        next(lines)  # the header
        for line in lines:
            fields = line.split()
            if not fields:
                continue
            customer, written, quantity, amount = fields
            followed = bool(purchases) and purchases[-1].customer == int(customer)
            purchases.append(
                Purchase(
                    customer=int(customer),
                    number=purchases[-1].number + 1 if followed else 1,
                    day=date(int(written[:4]), int(written[4:6]), int(written[6:])),
                    quantity=int(quantity),
                    amount=Decimal(amount),
                )
            )
    return purchases


def choose_customers(purchases: Iterable[Purchase], count: int) -> list[int]:
    """`count` customers spread evenly over the log.

    Customers are numbered by the day of their first purchase, so the first ones alone would be one week's cohort.
    """
    everyone = sorted({purchase.customer for purchase in purchases})
    if not 1 <= count <= len(everyone):
        raise ValueError(f"The log has {len(everyone)} customers; asked for {count}.")
    return [everyone[place * len(everyone) // count] for place in range(count)]


def move_to(purchases: Iterable[Purchase], last_day: date) -> list[Purchase]:
    """The same history, ending on `last_day`: recency means something only if the log ends about now."""
    kept = list(purchases)
    shift = last_day - max(purchase.day for purchase in kept)
    return [replace(purchase, day=purchase.day + shift) for purchase in kept]
