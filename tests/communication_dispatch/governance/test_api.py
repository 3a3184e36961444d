"""The policy and suppressions over HTTP."""

from datetime import timedelta

import pytest
from tests.communication_dispatch.world import World

from crm_shared.ids import new_id, public_id

POLICY = {
    "caps": [{"limit": 1, "window": "week", "purposes": ["marketing"]}],
    "quiet_hours": {"email": {"start": "21:00", "end": "08:00"}},
    "consent_free": ["transactional"],
    "urgent": ["transactional"],
    "time_zone": "Europe/Berlin",
    "retry_unknown": [],
}


async def test_a_tenant_sets_its_own_policy(world: World):
    first = await world.client.get("/v1/governance/policy")
    assert (first.json()["version"], first.headers["etag"]) == (0, '"0"')
    changed = await world.client.put("/v1/governance/policy", json=POLICY, headers={"If-Match": '"0"'})
    assert (changed.status_code, changed.json()["version"]) == (200, 1)
    assert (await world.client.get("/v1/governance/policy")).json()["quiet_hours"]["email"]["end"] == "08:00"
    stale = await world.client.put("/v1/governance/policy", json=POLICY, headers={"If-Match": '"0"'})
    assert stale.status_code == 412


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"time_zone": "Mars/Olympus"}, "/time_zone"),
        ({"urgent": ["marketing"]}, "/urgent"),
        ({"caps": [{"limit": -1, "window": "day"}]}, "/caps/0/limit"),
        ({"quiet_hours": {"pigeon": {"start": "21:00", "end": "08:00"}}}, "/quiet_hours"),
    ],
)
async def test_a_bad_policy_is_refused_with_its_field(world: World, change, pointer):
    refused = await world.client.put("/v1/governance/policy", json=POLICY | change)
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"].startswith(pointer)


async def test_quiet_hours_hold_a_message_until_the_customers_morning(world: World):
    await world.client.put("/v1/governance/policy", json=POLICY)
    clock = world.kit.clock
    while clock.now().hour != 23:
        clock.advance(timedelta(hours=1))
    template = await world.template()
    berlin = await world.send(await world.customer(time_zone="Europe/Berlin"), template)
    honolulu = await world.send(await world.customer(time_zone="Pacific/Honolulu"), template)
    assert (berlin["status"], berlin["reason"]) == ("held", "quiet_hours")
    assert honolulu["status"] == "queued"
    assert await world.work() == 1
    clock.advance(timedelta(hours=12))
    assert await world.work() == 1


async def test_a_suppression_ends_by_itself_or_by_an_audited_release(world: World):
    customer, template = await world.customer(), await world.template()
    until = (world.kit.clock.now() + timedelta(days=1)).isoformat()
    body = {"channel": "email", "customer_id": public_id("cus", customer), "note": "holiday", "expires_at": until}
    made = (await world.client.post("/v1/suppressions", json=body)).json()
    again = (await world.client.post("/v1/suppressions", json=body)).json()
    assert made == again
    assert (await world.send(customer, template))["reason"] == "suppressed_manual"
    world.kit.clock.advance(timedelta(days=2))
    assert (await world.send(customer, template))["status"] == "queued"
    path = f"/v1/suppressions/{made['id']}"
    released = await world.client.post(f"{path}/release", json={"reason": "asked by phone"})
    assert (released.json()["release_reason"], released.json()["released_by"]) == ("asked by phone", "usr_test")
    assert (await world.client.post(f"{path}/release", json={"reason": "x"})).status_code == 409
    assert (await world.client.get("/v1/suppressions", params={"active": True})).json()["items"] == []
    assert (await world.client.get(path)).json()["note"] == "holiday"


async def test_bad_suppressions_are_refused(world: World):
    cus = public_id("cus", new_id())
    past = (world.kit.clock.now() - timedelta(days=1)).isoformat()
    for body, pointer in (
        ({"channel": "email"}, "/customer_id"),
        ({"channel": "email", "customer_id": cus, "expires_at": past}, "/expires_at"),
        ({"channel": "pigeon", "customer_id": cus}, "/channel"),
    ):
        refused = await world.client.post("/v1/suppressions", json=body)
        assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, pointer)
    unknown = await world.client.post(f"/v1/suppressions/{public_id('sup', new_id())}/release", json={"reason": "x"})
    assert unknown.status_code == 404
