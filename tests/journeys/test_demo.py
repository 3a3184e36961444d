"""The demo at a smaller size: its numbers are the same every time, because chance, not luck, decides in it."""

import pytest
from rich.console import Console

from crm_suite.allinone.operator import open_tenant
from crm_suite.demo.play import Theatre, Wish, perform
from crm_suite.demo.stage import Stage

from .conftest import RunningSuite

pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("journeys"), pytest.mark.timeout(300)]

SMALL = Wish(customers=300, seed=1)


async def played(suite: RunningSuite, wish: Wish) -> Stage:
    access = await open_tenant(suite.home, f"demo-{wish.seed}-{wish.customers}", "Corkscrew Records")
    theatre = Theatre(suite.facts["url"], suite.facts["mail"], access.slug, access.api_key)
    return await perform(theatre, wish, Console(quiet=True))


async def test_the_loop_closes_with_the_expected_numbers(suite: RunningSuite) -> None:
    stage = await played(suite, SMALL)
    assert stage.figures.as_dict() == EXPECTED


EXPECTED: dict[str, object] = {}
