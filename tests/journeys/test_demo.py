"""The demo at a smaller size: its numbers are the same every time, because chance, not luck, decides in it."""

import time
from decimal import Decimal

import pytest
from rich.console import Console

from crm_suite.allinone.operator import open_tenant
from crm_suite.demo.closing import show
from crm_suite.demo.play import Theatre, Wish, perform
from crm_suite.demo.stage import Stage

from .conftest import RunningSuite

pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("journeys"), pytest.mark.timeout(300)]

SMALL = Wish(customers=600, seed=1)
TOLD = {
    "customer.registered",
    "customer.consent-changed",
    "customer.lifecycle-changed",
    "customer.value-rated",
    "customer.segment-entered",
    "message.accepted",
    "message.clicked",
    "response.captured",
    "lead.captured",
    "lead.converted",
    "deal.won",
    "quote.accepted",
    "order.delivered",
    "order.paid",
    "interaction.answered",
    "ticket.solved",
    "survey.answered",
}
EXPECTED: dict[str, object] = {
    "customers": 600,
    "purchases": 1_945,
    "turnover": Decimal("73192.46"),
    "segment": 40,
    "targeted": 31,
    "excluded": 9,
    "accepted": 31,
    "failed": 0,
    "suppressed": 0,
    "campaign_cost": Decimal("250.01"),
    "clicks": 13,
    "replies": 4,
    "unsubscribed": 0,
    "leads": 17,
    "contacted": 12,
    "converted": 6,
    "quotes": 6,
    "won": 4,
    "lost": 2,
    "orders": 4,
    "paid": 4,
    "revenue": Decimal("990.36"),
    "interactions": 16,
    "answered": 15,
    "abandoned": 1,
    "cards": 15,
    "tickets": 11,
    "solved": 10,
    "answers": 10,
    "satisfied": 9,
}
STATES_BEFORE = {"repeat": 65, "loyal": 77, "lapsed": 77, "lost": 381}
STATES_AFTER = {"repeat": 65, "loyal": 77, "lapsed": 74, "lost": 380, "won_back": 4}
GROUPS = {
    "champions": 171,
    "valuable_lapsing": 24,
    "loyal": 31,
    "big_spenders": 39,
    "promising": 29,
    "needs_attention": 88,
    "hibernating": 218,
}


@pytest.fixture(scope="module")
async def stage(suite: RunningSuite) -> Stage:
    """The demo, played once."""
    access = await open_tenant(suite.home, "small-demo", "Corkscrew Records")
    theatre = Theatre(suite.facts["url"], suite.facts["mail"], access.slug, access.api_key)
    started = time.monotonic()
    stage = await perform(theatre, SMALL, Console(quiet=True))
    print(f"demo with {SMALL.customers} customers: {time.monotonic() - started:.0f} s")
    return stage


def some(counts: dict[str, int]) -> dict[str, int]:
    return {name: count for name, count in counts.items() if count}


async def test_the_loop_closes_with_the_expected_numbers(stage: Stage) -> None:
    told = stage.figures.as_dict()
    assert {name: told[name] for name in EXPECTED} == EXPECTED


async def test_purchases_make_the_states_and_the_scores(stage: Stage) -> None:
    assert some(stage.figures.states_before) == STATES_BEFORE
    assert some(stage.figures.states_after) == STATES_AFTER
    assert some(stage.figures.groups) == GROUPS


async def test_one_customer_is_seen_whole(stage: Stage) -> None:
    assert stage.figures.timeline_kinds.keys() >= TOLD
    assert {name: part["status"] for name, part in stage.overview["parts"].items() if part["status"] != "ok"} == {}
    assert stage.overview["parts"]["card"]["data"]["lifecycle"] == "won_back"


async def test_its_end_is_drawn(stage: Stage) -> None:
    console = Console(width=120, color_system=None)
    with console.capture() as caught:
        show(stage, console)
    text = caught.get()
    for word in ("orders, paid", "USD 990.36", "won back", "answered within", stage.people[stage.star].display_name):
        assert word in text
