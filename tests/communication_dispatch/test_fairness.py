"""Long jobs give way: whatever they do over many customers, no step of theirs keeps the event loop for long."""

from datetime import timedelta

import pytest
from tests.communication_dispatch.world import World, seed_customers
from tests.loop_steps import steps_watched

from crm_communication_dispatch.app import SERVICE
from crm_shared.ids import new_id

PEOPLE = 600
WATCHED = {"audience.build", "campaign.plan"}
"""A campaign that begins builds its audience, then plans every mail."""


def test_every_kind_of_job_is_watched() -> None:
    assert SERVICE.jobs.handlers.keys() == WATCHED


async def test_no_job_keeps_the_event_loop_for_long(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    template = await world.template()
    for count in (3, PEOPLE):  # statements are compiled at their first use
        segment = new_id()
        await seed_customers(world, segment, count)
        campaign = await world.campaign(segment, template)
        with steps_watched(monkeypatch) as steps:
            await world.settle(send=False)
            world.kit.clock.advance(timedelta(seconds=1))
            await world.settle(send=False)
        planned = (await world.client.get(f"/v1/campaigns/{campaign}")).json()
        assert planned["targeted"] == count
    assert not steps.long, str(steps)
