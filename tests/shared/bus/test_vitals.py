"""How the bus is, as an operator is told, over both adapters."""

import asyncio

import pytest

from crm_shared.bus.port import Bus, Record
from crm_shared.bus.vitals import look_at_bus
from crm_shared.db.vitals import Unreachable

from .conftest import Names


async def test_a_group_is_as_far_behind_as_it_has_not_acknowledged(bus: Bus, bus_url: str, names: Names) -> None:
    topic, idle = names.topics(2)
    await bus.ensure_topics([topic, idle])
    await bus.publish([Record(topic, f"key-{number}", b"") for number in range(20)])
    subscription = await bus.subscribe(names.group, [topic])
    got = []
    while len(got) < 20:
        got += await subscription.fetch(500, 0.2)
    part = next(iter({record.partition for record in got}))
    done = [record for record in got if record.partition == part]
    await subscription.acknowledge(done)
    await subscription.aclose()
    await asyncio.sleep(0.05)  # what waits has an age then
    groups = {names.group: [topic, idle], "crm.nobody": [topic], "crm.idle": [idle]}
    vitals = await look_at_bus(bus_url, groups, [topic, "crm.not-there"])
    assert vitals.missing == ["crm.not-there"]
    assert vitals.outdated == ""
    assert {group: lag.records for group, lag in vitals.lags.items()} == {
        names.group: 20 - len(done), "crm.nobody": 20, "crm.idle": 0,
    }  # fmt: skip
    assert 0.05 <= vitals.lags["crm.nobody"].seconds < 60
    assert vitals.lags["crm.idle"].seconds == 0
    assert vitals.ahead_s is not None
    assert abs(vitals.ahead_s) < 1


@pytest.mark.parametrize("url", ["kafka://127.0.0.1:9", "postgresql://nobody@127.0.0.1:9/bus"])
async def test_one_that_is_away_is_said_to_be(url: str) -> None:
    with pytest.raises(Unreachable, match=r"127\.0\.0\.1:9"):
        await look_at_bus(url, {}, [])
