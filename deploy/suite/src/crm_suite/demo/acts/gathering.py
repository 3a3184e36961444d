"""Act one: who our customers are, what they allowed us, and what they bought."""

from collections import Counter
from datetime import UTC, datetime, time
from itertools import groupby
from typing import Any

from crm_suite.demo.people import Person
from crm_suite.demo.phones import fictional_phone
from crm_suite.demo.purchases import CURRENCY, Purchase
from crm_suite.demo.stage import SOURCE, Stage, in_bulk

CONSENT_SHARE = 0.8
PURPOSE = "marketing"


async def gather(stage: Stage) -> None:
    """Import customers, consents and purchases, in bulk."""
    numbers = sorted(stage.people)
    stage.phones = phones_of_callers(stage)
    with stage.steps.step("customers imported", total=len(numbers)) as note:
        items = [[customer(stage.people[number], stage.phones.get(number))] for number in numbers]
        outcomes = await in_bulk(stage.admin, "/v1/customers/bulk", items, note)
        stage.customer_ids = {number: outcome["id"] for number, outcome in zip(numbers, outcomes, strict=True)}
        stage.figures.customers = len(outcomes)
        note.text = f"{len(outcomes):,}"
    willing = [number for number in numbers if stage.chance.happens(CONSENT_SHARE, "consent", number)]
    with stage.steps.step("consents recorded", total=len(willing)) as note:
        await in_bulk(stage.admin, "/v1/consents/bulk", [[consent(stage.people[number])] for number in willing], note)
        note.text = f"{len(willing):,} allow {PURPOSE} by e-mail"
    with stage.steps.step("purchases reported", total=len(stage.purchases)) as note:
        # Each customer's together: from half a history, who bought last month seems lost for years.
        histories = [list(map(purchase, each)) for _, each in groupby(stage.purchases, lambda one: one.customer)]
        await in_bulk(stage.admin, "/v1/purchases/bulk", histories, note)
        stage.figures.purchases = len(stage.purchases)
        stage.figures.turnover = sum((one.amount for one in stage.purchases), stage.figures.turnover)
        note.text = f"{len(stage.purchases):,} worth {CURRENCY} {stage.figures.turnover:,.0f}"


def phones_of_callers(stage: Stage) -> dict[int, str]:
    """Who is going to call, and from which number: one customer in forty, at least eight, at most sixty."""
    count = min(max(len(stage.people) // 40, 8), 60, len(stage.people))
    calling = sorted(stage.people, key=lambda number: stage.chance.share("calls", number))[:count]
    nth = Counter[str]()
    phones: dict[int, str] = {}
    for number in calling:
        country = stage.people[number].country
        phones[number] = fictional_phone(country, nth[country])
        nth[country] += 1
    return phones


def customer(person: Person, phone: str | None) -> dict[str, Any]:
    postal = f"{person.street}, {person.postal_code} {person.city}"
    points: list[dict[str, Any]] = [
        {"channel": "email", "value": person.email, "preferred": True},
        {"channel": "postal", "value": postal},
    ]
    if phone:
        points.append({"channel": "phone", "value": phone})
    return {
        "kind": "person",
        "category": "consumer",
        "given_name": person.given_name,
        "family_name": person.family_name,
        "language": person.language,
        "time_zone": person.time_zone,
        "country": person.country,
        "source": SOURCE,
        "external_source": SOURCE,
        "external_id": person.reference,
        "contact_points": points,
    }


def consent(person: Person) -> dict[str, Any]:
    return {
        "external_source": SOURCE,
        "external_id": person.reference,
        "purpose": PURPOSE,
        "channel": "email",
        "status": "granted",
        "evidence": "box ticked when ordering",
        "source": SOURCE,
        "source_ref": person.reference,
    }


def purchase(one: Purchase) -> dict[str, Any]:
    return {
        "customer_source": SOURCE,
        "customer_external_id": f"cdnow-{one.customer:05d}",
        "source": SOURCE,
        "external_id": one.reference,
        # The log knows days only. Midnight: whether 180 days have passed must not depend on the hour of the demo.
        "occurred_at": datetime.combine(one.day, time(), UTC).isoformat(),
        "amount": {"amount": str(one.amount), "currency": CURRENCY},
        "quantity": str(one.quantity),
    }
