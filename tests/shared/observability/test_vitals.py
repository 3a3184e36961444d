import asyncio
import time

from crm_shared.observability import vitals
from crm_shared.observability.vitals import LAG, Vitals


class Counting:
    def __init__(self) -> None:
        self.shown = asyncio.Event()

    def show(self) -> None:
        self.shown.set()


def late() -> float:
    """How many looks found the loop over 50 ms late."""
    buckets = {sample.labels.get("le"): sample.value for metric in LAG.collect() for sample in metric.samples}
    return buckets["+Inf"] - buckets["0.05"]


async def test_a_held_loop_is_measured_and_gauges_are_shown(monkeypatch):
    monkeypatch.setattr(vitals, "_BEAT_S", 0.01)
    heart, counting = Vitals(), Counting()
    heart.watch(counting)
    before = late()
    async with heart.beating():
        await asyncio.wait_for(counting.shown.wait(), 20)
        time.sleep(0.1)
        async with asyncio.timeout(20):
            while late() == before:
                await asyncio.sleep(0.005)


async def test_it_beats_as_long_as_one_of_its_users_runs(monkeypatch):
    monkeypatch.setattr(vitals, "_BEAT_S", 0.01)
    heart, counting = Vitals(), Counting()
    heart.watch(counting)
    async with heart.beating():
        async with heart.beating():
            pass
        counting.shown.clear()
        await asyncio.wait_for(counting.shown.wait(), 20)
    counting.shown.clear()
    await asyncio.sleep(0.05)
    assert not counting.shown.is_set()
