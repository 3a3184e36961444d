"""Whatever is killed, nobody is lost and at most one wave is in doubt."""

import asyncio
import random
import sys
from collections import Counter
from datetime import timedelta
from pathlib import Path

from tests.communication_dispatch.world import World, seed_customers

from crm_communication_dispatch.campaigns import store as campaigns
from crm_communication_dispatch.messages.loop import SENDERS
from crm_shared.ids import new_id, parse_id

WAVE = 5


async def planned(world: World, count: int) -> str:
    """A campaign whose messages are all free to go, with no sender at work."""
    segment = new_id()
    await seed_customers(world, segment, count)
    campaign = await world.campaign(segment, await world.template())
    while (await world.report(campaign))["planned"] < count:
        await world.settle(send=False)
        world.kit.clock.advance(timedelta(seconds=1))
    async with world.kit.transaction(world.tenant) as tx:
        await campaigns.release(tx, parse_id("cmp", campaign), at_most=count, now=world.kit.clock.now())
    SENDERS.wanted.clear()
    return campaign


async def send_and_be_killed(world: World, after: int) -> None:
    """A sender of its own, killed by SIGKILL when the mail server has taken `after` more mails."""
    wanted = world.sink.count + after
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(Path(__file__).with_name("lonely_sender.py")), world.kit.urls.worker, str(world.sink.port),
        str(world.tenant), world.kit.clock.now().isoformat(),
    )  # fmt: skip
    async with asyncio.timeout(60):
        while world.sink.count < wanted and process.returncode is None:
            await asyncio.sleep(0.001)
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_a_sender_killed_at_random_leaves_at_most_one_wave_unknown(world: World):
    chance, count = random.Random(8), 300
    campaign = await planned(world, count)
    for kill in range(1, 3):
        await send_and_be_killed(world, chance.randrange(20, 100))
        states = (await world.report(campaign))["states"]
        assert states.get("attempting", 0) <= WAVE
        assert states.get("unknown", 0) <= WAVE * (kill - 1)
        assert states["queued"] > 0
        world.kit.clock.advance(timedelta(seconds=91))  # its lease lapses
    report = await world.run_campaign(campaign)
    assert (report["status"], report["complete"]) == ("finished", True)
    states = Counter(report["states"])
    assert states["accepted"] + states["unknown"] == count
    assert states["unknown"] <= WAVE * 2
    got = Counter(mail.recipient for mail in world.sink.mails)
    assert max(got.values()) == 1, "nobody is written to twice"
    assert sum(got.values()) >= states["accepted"]
    listed = []
    for status in ("accepted", "unknown"):
        cursor: dict = {}
        while True:
            page = (await world.client.get("/v1/messages", params={"status": status, "limit": 200, **cursor})).json()
            listed += [(message["address"], status) for message in page["items"]]
            if page["next_cursor"] is None:
                break
            cursor = {"cursor": page["next_cursor"]}
    assert {address for address, status in listed if status == "accepted"} <= got.keys(), "nobody is lost"
    assert got.keys() <= {address for address, _ in listed}


async def test_only_the_last_lease_counts(world: World):
    """A sender that was thought dead and comes back finds its lane taken, and sends nothing more."""
    from crm_communication_dispatch.messages.loop import outbound
    from crm_communication_dispatch.messages.sender import Lane
    from crm_communication_dispatch.messages.store import waves

    await planned(world, 30)
    late = Lane(world.kit.worker, world.kit.clock, world.outbound, world.tenant)
    await late._begin()
    await late._claim()
    world.kit.clock.advance(timedelta(seconds=91))
    other = outbound(world.outbound.settings)
    async with world.kit.transaction(world.tenant) as tx:
        now = world.kit.clock.now()
        assert await waves.take_lane(tx, "email", other.owner, now=now, until=now + timedelta(seconds=90))
    assert await late.run() == 0
    assert world.sink.count == 0


async def test_urgent_mail_of_a_crashed_wave_is_sent_again(world: World):
    from crm_communication_dispatch.messages.sender import Lane
    from crm_communication_dispatch.messages.store import waves

    customer, template = await world.customer(), await world.template(purpose="transactional")
    message = await world.send(customer, template)
    dead = Lane(world.kit.worker, world.kit.clock, world.outbound, world.tenant)
    await dead._begin()
    await dead._claim()
    composed, _ = dead._next_wave()
    async with world.kit.transaction(world.tenant) as tx:
        await waves.mark_attempting(tx, [one.ready for one in composed])
    assert (await world.message(message["id"]))["status"] == "attempting"
    world.kit.clock.advance(timedelta(seconds=91))
    await world.settle()
    after = await world.message(message["id"])
    assert (after["status"], after["attempts"]) == ("accepted", 2)
