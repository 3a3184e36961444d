"""Files to import, from the demo's people and purchases."""

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from crm_suite.demo.chance import Chance
from crm_suite.demo.people import make_person
from crm_suite.demo.purchases import CURRENCY, Purchase, choose_customers, find_log, move_to, read_log

SOURCE = "bench"
_CONSENT = "consent.marketing.email"
_COLUMNS = ("external_id", "given_name", "family_name", "language", "time_zone", "country", "email", "postal", _CONSENT)
_MOST = 23_570


def customers_and_purchases(count: int) -> tuple[bytes, bytes, int]:
    """Two CSV files of `count` customers and of what every second one bought; and how many purchases that is."""
    log = read_log(find_log())
    chosen = choose_customers(log, count)
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    known = set(chosen[::2])
    purchases = [one for one in move_to(log, yesterday) if one.customer in known]
    return _customers(chosen), _purchases(purchases), len(purchases)


def newcomers(count: int) -> bytes:
    """A CSV file of customers whom nobody knows yet."""
    return _customers(range(_MOST + 1, _MOST + 1 + count))


def _customers(numbers: Iterable[int]) -> bytes:
    chance = Chance(1)
    rows: list[Sequence[str]] = []
    for number in numbers:
        person = make_person(number, chance)
        postal = f"{person.street}, {person.postal_code} {person.city}"
        names = (person.given_name, person.family_name)
        places = (person.language, person.time_zone, person.country)
        consent = "granted" if chance.happens(0.8, "consent", number) else ""
        rows.append((person.reference, *names, *places, person.email, postal, consent))
    return _csv(_COLUMNS, rows)


def _purchases(purchases: Sequence[Purchase]) -> bytes:
    columns = ("external_id", "customer_external_id", "occurred_at", "amount", "currency", "quantity")
    return _csv(
        columns,
        [
            (
                one.reference,
                f"cdnow-{one.customer:05d}",
                f"{one.day.isoformat()}T00:00:00Z",
                str(one.amount),
                CURRENCY,
                str(one.quantity),
            )
            for one in purchases
        ],
    )


def _csv(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue().encode()
