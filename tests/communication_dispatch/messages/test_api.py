"""Single messages, from asking to the wire."""

import email.policy
from datetime import timedelta
from email import message_from_bytes

import pytest
from tests.communication_dispatch.world import World

from crm_shared.ids import new_id, public_id


async def test_a_message_goes_out_and_explains_itself(world: World):
    customer = await world.customer(given_name="Zoë", display_name="Zoë Müller")
    consent = await world.consent(customer)
    message = await world.send(customer, await world.template())
    assert message["status"] == "queued"
    assert await world.work() == 1
    after = await world.message(message["id"])
    assert (after["status"], after["subject"], after["attempts"]) == ("accepted", "Hello Zoë", 1)
    assert after["cost"] == {"amount": "0.000400", "currency": "EUR"}
    (caught,) = world.sink.mails
    mail = message_from_bytes(caught.data, policy=email.policy.default)
    assert mail["To"].addresses[0].display_name == "Zoë Müller"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert mail["Reply-To"].startswith("r-")
    assert caught.sender.startswith("b-")
    why = (await world.client.get(f"/v1/messages/{message['id']}/explanation")).json()
    assert (why["ruling"], why["consent_id"]) == ("send", public_id("cst", consent))
    assert {check["rule"] for check in why["checks"]} >= {"consent", "suppression", "cap"}
    assert [(a["outcome"], a["code"]) for a in why["attempts"]] == [("accepted", 250)]
    (event,) = await world.told()
    assert event["type"] == "crm.message.accepted.v1"
    assert (event["customer_id"], event["subject"]) == (public_id("cus", customer), "Hello Zoë")


@pytest.mark.parametrize(
    ("setup", "status", "reason"),
    [
        ({"consent": False}, "suppressed", "no_consent"),
        ({"email": None}, "suppressed", "no_address"),
        ({"known": False}, "held", "customer_unknown"),
    ],
)
async def test_what_may_not_go_says_why_at_once(world: World, setup, status, reason):
    customer = await world.customer(**setup)
    message = await world.send(customer, await world.template())
    assert (message["status"], message["reason"]) == (status, reason)
    assert await world.work() == 0
    assert not world.sink.mails


async def test_a_customer_whose_event_comes_late_still_gets_the_message(world: World):
    customer = await world.customer(known=False)
    message = await world.send(customer, await world.template())
    await world.tell(customer, "registered")
    world.kit.clock.advance(timedelta(seconds=3))
    assert await world.work() == 1
    assert (await world.message(message["id"]))["status"] == "accepted"


async def test_consent_revoked_before_the_wave_stops_the_message(world: World):
    customer = await world.customer()
    message = await world.send(customer, await world.template())
    await world.consent(customer, "revoked")
    assert await world.work() == 0
    assert (await world.message(message["id"]))["reason"] == "consent_revoked"
    assert [event["type"] for event in await world.told()] == ["crm.message.suppressed.v1"]


async def test_caps_hold_until_the_customers_next_day_and_then_let_go(world: World):
    customer, template = await world.customer(), await world.template()
    messages = [await world.send(customer, template) for _ in range(3)]
    assert await world.work() == 2
    held = await world.message(messages[2]["id"])
    assert (held["status"], held["reason"]) == ("held", "cap_day")
    pressure = (await world.client.get(f"/v1/message-pressure/{public_id('cus', customer)}")).json()
    assert (pressure["day"], pressure["week"], pressure["time_zone"]) == (2, 2, "Europe/Berlin")
    assert {(cap["window"], cap["used"]) for cap in pressure["caps"]} == {("day", 2), ("week", 2)}
    world.kit.clock.advance(timedelta(hours=25))
    assert await world.work() == 1
    assert (await world.message(messages[2]["id"]))["status"] == "accepted"


async def test_urgent_mail_overrides_caps_and_carries_no_list_headers(world: World):
    customer = await world.customer(consent=False)
    template = await world.template(purpose="transactional")
    for _ in range(4):
        await world.send(customer, template)
    assert await world.work() == 4
    assert b"List-Unsubscribe" not in world.sink.mails[0].data


async def test_a_dead_address_bounces_and_is_never_written_to_again(world: World):
    customer, template = await world.customer(email="gone@example.org"), await world.template(purpose="transactional")
    world.sink.scripts["gone@example.org"] = ("rcpt", "550 5.1.1 no such user")
    first = await world.send(customer, template)
    await world.work()
    after = await world.message(first["id"])
    assert (after["status"], after["reason"]) == ("bounced", "bad_address")
    second = await world.send(customer, template)
    assert (second["status"], second["reason"]) == ("suppressed", "suppressed_bounced")
    found = (await world.client.get("/v1/suppressions", params={"address": "GONE@example.org"})).json()["items"]
    assert found[0]["message_id"] == first["id"]
    released = await world.client.post(
        f"/v1/suppressions/{found[0]['id']}/release", json={"reason": "they wrote to us"}
    )
    assert released.json()["released_by"] == "usr_test"
    assert (await world.send(customer, template))["status"] == "queued"


async def test_our_own_bad_reputation_condemns_no_address(world: World):
    customer, template = await world.customer(email="x@example.org"), await world.template()
    world.sink.scripts["x@example.org"] = ("rcpt", "550 5.7.1 your IP is blocked")
    message = await world.send(customer, template)
    await world.work()
    assert (await world.message(message["id"]))["reason"] == "refused_us"
    assert (await world.client.get("/v1/suppressions")).json()["items"] == []


async def test_throttling_is_tried_again_and_not_lost(world: World):
    customer, template = await world.customer(email="busy@example.org"), await world.template()
    world.sink.scripts["busy@example.org"] = ("rcpt", "451 4.7.1 later")
    message = await world.send(customer, template)
    await world.work()
    waiting = await world.message(message["id"])
    assert (waiting["status"], waiting["reason"]) == ("queued", "deferred_busy")
    del world.sink.scripts["busy@example.org"]
    world.kit.clock.advance(timedelta(seconds=31))
    await world.work()
    after = await world.message(message["id"])
    assert (after["status"], after["attempts"]) == ("accepted", 2)


@pytest.mark.parametrize(("purpose", "status"), [("marketing", "unknown"), ("transactional", "queued")])
async def test_a_session_lost_after_the_message_leaves_marketing_unknown(world: World, purpose, status):
    customer, template = await world.customer(email="x@example.org"), await world.template(purpose=purpose)
    world.sink.scripts["x@example.org"] = ("drop", "")
    message = await world.send(customer, template)
    await world.work()
    assert (await world.message(message["id"]))["status"] == status


async def test_late_and_repeated_receipts_never_move_a_final_state_back(world: World):
    customer = await world.customer()
    message = await world.send(customer, await world.template())
    await world.work()
    path = f"/v1/messages/{message['id']}/receipts"
    kinds = ("delivered", "delivered", "bounced", "accepted")
    states = [(await world.client.post(path, json={"kind": kind})).json()["status"] for kind in kinds]
    assert states == ["delivered"] * 4
    why = (await world.client.get(f"/v1/messages/{message['id']}/explanation")).json()
    assert [(r["kind"], r["applied"]) for r in why["receipts"]] == [
        ("delivered", True), ("delivered", False), ("bounced", False), ("accepted", False),
    ]  # fmt: skip
    assert [event["type"] for event in await world.told()] == ["crm.message.accepted.v1", "crm.message.delivered.v1"]


async def test_a_repeated_request_sends_once(world: World):
    customer, template = await world.customer(), await world.template()
    body = {"customer_id": public_id("cus", customer), "template_id": template}
    answers = [await world.client.post("/v1/messages", json=body, headers={"Idempotency-Key": "a"}) for _ in range(2)]
    assert answers[0].json() == answers[1].json()
    await world.work()
    assert len(world.sink.mails) == 1


async def test_a_waiting_message_can_be_cancelled_and_a_sent_one_cannot(world: World):
    customer, template = await world.customer(), await world.template()
    message = await world.send(customer, template)
    path = f"/v1/messages/{message['id']}/cancel"
    assert (await world.client.post(path)).json()["status"] == "expired"
    assert await world.work() == 0
    assert (await world.client.post(path)).status_code == 409


async def test_bad_orders_are_refused_with_the_field(world: World):
    customer = await world.customer()
    template = await world.template(
        variables=[{"name": "offer", "type": "url"}], content={"email": {"en": {"subject": "s", "text": "{{ offer }}"}}}
    )
    draft = await world.template(approve=False)
    cus = public_id("cus", customer)
    cases = [
        ({"customer_id": cus, "template_id": template}, 422, "/variables/offer"),
        (
            {"customer_id": cus, "template_id": template, "variables": {"offer": "javascript:x"}},
            422,
            "/variables/offer",
        ),
        ({"customer_id": "nobody", "template_id": template}, 422, "/customer_id"),
        ({"customer_id": cus, "template_id": draft}, 409, None),
        ({"customer_id": cus, "template_id": public_id("tpl", new_id())}, 404, None),
        (
            {"customer_id": cus, "template_id": template, "channel": "sms", "variables": {"offer": "https://x.y"}},
            409,
            None,
        ),
        ({"customer_id": cus, "template_id": template, "surprise": 1}, 422, "/surprise"),
    ]
    for body, status, pointer in cases:
        refused = await world.client.post("/v1/messages", json=body)
        assert refused.status_code == status, refused.text
        if pointer:
            assert pointer in [error["pointer"] for error in refused.json()["errors"]]
    assert (await world.client.get("/v1/messages")).json()["items"] == []


async def test_a_merged_customer_is_reached_through_the_survivor(world: World):
    merged, survivor = await world.customer(consent=False), await world.customer(email="s@example.org")
    data = {"survivor_id": public_id("cus", survivor), "merged_id": public_id("cus", merged)}
    await world.kit.deliver(world.tenant, "crm.customer.merged.v1", merged, data)
    message = await world.send(merged, await world.template())
    await world.work()
    assert world.sink.mails[0].recipient == "s@example.org"
    assert (await world.message(message["id"]))["customer_id"] == public_id("cus", merged)


async def test_an_erased_customer_leaves_no_personal_value_behind(world: World):
    customer, template = await world.customer(given_name="Zoë"), await world.template()
    sent = await world.send(customer, template)
    await world.work()
    waiting = await world.send(customer, template)
    await world.kit.deliver(
        world.tenant, "crm.customer.erased.v1", customer, {"erased_at": world.kit.clock.now().isoformat()}
    )
    assert await world.work() == 0
    for message in (sent, waiting):
        after = await world.message(message["id"])
        assert (after["address"], after["subject"]) == (None, None)
    assert (await world.message(waiting["id"]))["reason"] == "customer_erased"
    assert (await world.send(customer, template))["reason"] == "customer_erased"


async def test_messages_are_found_by_customer_and_status(world: World):
    customer, other, template = await world.customer(), await world.customer(consent=False), await world.template()
    mine = await world.send(customer, template)
    await world.send(other, template)
    found = await world.client.get("/v1/messages", params={"customer_id": public_id("cus", customer)})
    assert [m["id"] for m in found.json()["items"]] == [mine["id"]]
    found = await world.client.get("/v1/messages", params={"status": "suppressed"})
    assert len(found.json()["items"]) == 1
