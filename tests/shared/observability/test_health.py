import asyncio
from collections.abc import Iterator

import pytest

from crm_shared.observability import health
from crm_shared.observability.health import DRAINING, NotReady, examined, is_well
from crm_shared.observability.vitals import VITALS


async def well() -> None:
    pass


async def hangs() -> None:
    await asyncio.sleep(60)


async def unwell() -> None:
    raise NotReady("lacks customer_0007")


async def refused() -> None:
    raise ConnectionRefusedError(111, "connect to 10.0.0.7 as zebulon")


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    yield
    DRAINING.begun = False
    VITALS.lag_s = 0.0


async def test_each_part_says_for_itself_how_it_is(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(VITALS, "lag_s", 0.0)  # whatever tests before have done to this loop
    monkeypatch.setattr(health, "ANSWER_WITHIN_S", 0.05)
    parts = await examined({"a": well, "b": unwell, "c": refused, "d": hangs})
    assert parts == {
        "a": "ok",
        "b": "NotReady: lacks customer_0007",
        "c": "ConnectionRefusedError ECONNREFUSED",
        "d": "no answer",
        "event_loop": "ok",
    }
    assert not is_well(parts)
    assert is_well(await examined({"a": well}))


async def test_a_process_that_is_asked_to_end_is_not_ready():
    DRAINING.begin()
    assert (await examined({"a": well})) == {"a": "ok", "event_loop": "ok", "process": "is ending"}


async def test_a_loop_that_runs_late_is_not_ready():
    VITALS.lag_s = 3.0
    assert (await examined({}))["event_loop"] == "3.0 s late"
