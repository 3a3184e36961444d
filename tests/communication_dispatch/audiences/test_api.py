"""A segment at a moment, complete."""

from datetime import timedelta
from uuid import UUID

from tests.communication_dispatch.world import World

from crm_shared.ids import new_id, public_id


async def ask(world: World, segment: UUID) -> str:
    body = {"segment_id": public_id("seg", segment), "purpose": "marketing"}
    answer = await world.client.post("/v1/audiences", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


async def audience(world: World, key: str) -> dict:
    await world.settle()
    return (await world.client.get(f"/v1/audiences/{key}")).json()


async def test_everybody_is_included_or_excluded_for_a_reason(world: World):
    segment = new_id()
    fine = [await world.customer() for _ in range(3)]
    silent = await world.customer(consent=False)
    nowhere = await world.customer(email=None)
    muted = await world.customer()
    body = {"channel": "email", "customer_id": public_id("cus", muted)}
    await world.client.post("/v1/suppressions", json=body)
    await world.fill_segment(segment, [*fine, silent, nowhere, muted])
    got = await audience(world, await ask(world, segment))
    assert (got["status"], got["expected"], got["seen"], got["included"]) == ("ready", 6, 6, 3)
    assert got["excluded"] == {"no_consent": 1, "no_address": 1, "suppressed_manual": 1}


async def test_half_a_segment_is_no_audience(world: World):
    segment, members = new_id(), [await world.customer() for _ in range(4)]
    key = await ask(world, segment)
    assert (await audience(world, key))["status"] == "waiting"
    for member in members[:2]:
        await world.enter(segment, member)
    await world.materialised(segment, 4)
    got = await audience(world, key)
    assert (got["status"], got["expected"], got["seen"]) == ("waiting", 4, 2)
    for member in members[2:]:
        await world.enter(segment, member)
    world.kit.clock.advance(timedelta(seconds=11))
    got = await audience(world, key)
    assert (got["status"], got["included"]) == ("ready", 4)


async def test_members_of_a_later_version_do_not_count_and_those_who_left_later_do(world: World):
    segment, members = new_id(), [await world.customer() for _ in range(3)]
    await world.enter(segment, members[0])
    await world.enter(segment, members[1])
    await world.enter(segment, members[2], version=2)
    await world.exit(segment, members[0], version=2)
    await world.materialised(segment, 2, version=1)
    got = await audience(world, await ask(world, segment))
    assert (got["status"], got["segment_version"], got["included"]) == ("ready", 1, 2)


async def test_two_records_of_one_person_are_written_to_once(world: World):
    segment, one, other = new_id(), await world.customer(), await world.customer()
    data = {"survivor_id": public_id("cus", one), "merged_id": public_id("cus", other)}
    await world.kit.deliver(world.tenant, "crm.customer.merged.v1", other, data)
    await world.fill_segment(segment, [one, other])
    got = await audience(world, await ask(world, segment))
    assert (got["included"], got["excluded"]) == (1, {"merged_duplicate": 1})


async def test_an_empty_segment_is_ready_at_once(world: World):
    segment = new_id()
    await world.materialised(segment, 0)
    got = await audience(world, await ask(world, segment))
    assert (got["status"], got["included"], got["excluded"]) == ("ready", 0, {})
