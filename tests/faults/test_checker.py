"""The checker sees each thing that can go wrong; else every row would pass whatever happens."""

from collections.abc import AsyncIterator

import pytest
from tests.bench.faults.checker import at_rest, examine
from tests.bench.faults.stage import SHORT, Played, Stage

from crm_shared.testing.bus import until
from crm_shared.testing.cluster import Cluster


@pytest.fixture
async def played(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Played]:
    """A line on which six events of two keys have been applied as they should."""
    stage = Stage("log", cluster, await cluster.bare(), tmp_path_factory.mktemp("checker"), SHORT)
    async with stage.line() as played:
        line = played.line
        line.count_in_ledger()
        relay, consumer = line.relay(), line.consumer()
        line.begin(relay)
        line.begin(consumer)
        for item in played.items[:2]:
            await line.write(played.tenant, item, 1, 2, 3)
        await line.write(played.tenant, played.items[0], 666, undone=True)
        await at_rest(line)
        await consumer.stop()
        await relay.stop()
        yield played


async def test_nothing_is_found_where_all_is_well(played: Played) -> None:
    found = await examine(played.line)
    assert found.exact
    assert found.events == 6


@pytest.mark.parametrize(
    ("end", "harm", "seen"),
    [
        (1, "DELETE FROM ledger WHERE nth = (SELECT max(nth) FROM ledger)", "lost"),
        (0, "DELETE FROM committed WHERE number = 3", "applied_twice"),
        (1, "INSERT INTO ledger (tenant_id, aggregate_id, seq, number, by) "
            "SELECT tenant_id, aggregate_id, seq, number, by FROM ledger LIMIT 1", "applied_twice"),
        (1, "UPDATE ledger SET seq = 5 - seq", "order_breaks"),
        (1, "UPDATE ledger SET seq = seq + 1 WHERE seq = 3", "order_breaks"),
        (1, "UPDATE balance SET total = total + 1", "left_behind"),
        (1, "UPDATE consumer_key SET parked_at = now(), reason = 'gap'", "left_behind"),
        (0, "INSERT INTO outbox (tenant_id, event_id, aggregate, aggregate_id, epoch, seq, type, slot, subject, data) "
            "SELECT tenant_id, gen_random_uuid(), aggregate, aggregate_id, 0, 9, 'crm.item.x.v1', 0, '', '{}' "
            "FROM event_sequence LIMIT 1", "left_behind"),
    ],
)  # fmt: skip
async def test_each_harm_is_seen(played: Played, end: int, harm: str, seen: str) -> None:
    await played.line.ask(end, harm)
    found = await examine(played.line)
    assert getattr(found, seen) > 0
    assert not found.exact


async def test_a_record_that_the_group_has_not_acknowledged_is_left_behind(played: Played) -> None:
    relay = played.line.relay()
    played.line.begin(relay)
    await played.line.write(played.tenant, played.items[2], 1)
    await until(played.line.outbox_empty)
    await relay.stop()
    found = await examine(played.line)
    assert (found.lost, found.left_behind) == (1, 1)
