"""A gateway before an upstream that misbehaves, reached by socket and in this process."""

from collections.abc import AsyncGenerator, Generator
from typing import Any

import pytest

from crm_gateway.proxy.asgi_upstream import AsgiUpstream
from crm_gateway.proxy.domain.breaker import Breaker
from crm_gateway.proxy.domain.retries import RetryBudget
from crm_gateway.proxy.domain.rules import Rule


@pytest.fixture(params=["socket", "process"], scope="session")
async def troubled_house(request, open_house) -> AsyncGenerator[Any]:
    async with open_house() as house:
        if request.param == "process":
            house.gateway.lanes["customer"].upstream = AsgiUpstream(house.upstream)
        house.kind = request.param
        yield house


@pytest.fixture
async def troubled(troubled_house) -> Any:
    """The gateway, its upstream well, its breaker closed and its budget as at the start, no connection kept."""
    lane = troubled_house.gateway.lanes["customer"]
    if troubled_house.kind == "socket":
        await lane.upstream.close()  # what another test left broken is no trouble of this one
    lane.breaker, lane.budget = Breaker(), RetryBudget(0.2)
    troubled_house.reset()
    return troubled_house


@pytest.fixture
def impatient(troubled) -> Generator[Any]:
    """The same with short deadlines on all routes."""
    door = troubled.gateway._door
    before = door._rules
    door._rules = dict.fromkeys(before, Rule(timeout_s=0.3))
    yield troubled
    door._rules = before
