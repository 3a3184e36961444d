"""A campaign from plan to proof."""

import itertools
import time
from datetime import timedelta

import pytest
from tests.communication_dispatch.world import HELLO, World, seed_customers

from crm_communication_dispatch.messages.loop import SENDERS, outbound
from crm_shared.ids import new_id, public_id


async def test_a_campaign_reaches_everybody_once_and_proves_it(world: World):
    segment, template = new_id(), await world.template()
    people = [await world.customer() for _ in range(12)]
    silent = await world.customer(consent=False)
    await world.fill_segment(segment, [*people, silent])
    campaign = await world.campaign(segment, template, fixed_cost={"amount": "1.00", "currency": "EUR"})
    report = await world.run_campaign(campaign)
    assert (report["status"], report["complete"], report["targeted"]) == ("finished", True, 12)
    assert report["states"] == {"accepted": 12}
    assert report["audience"]["excluded"] == {"no_consent": 1}
    assert report["cost"] == {"amount": "1.004800", "currency": "EUR"}
    assert report["cost_per_sent"]["amount"] == "0.083733"
    assert len(world.sink.mails) == 12 == len({mail.recipient for mail in world.sink.mails})
    kinds = [event for event in await world.told() if event["type"].startswith("crm.campaign")]
    assert [event["type"].split(".")[2] for event in kinds] == ["approved", "started", "finished"]
    assert (kinds[2]["targeted"], kinds[2]["accepted"], kinds[2]["cost"]["amount"]) == (12, 12, "1.004800")


async def test_only_somebody_else_may_approve(world: World):
    campaign = await world.campaign(new_id(), await world.template(), start=False)
    await world.do(f"/v1/campaigns/{campaign}/submit")
    own = await world.client.post(f"/v1/campaigns/{campaign}/approve")
    assert (own.status_code, own.json()["code"]) == (403, "approver_is_author")
    async with world.kit.client(world.tenant, "campaigns:write", subject="usr_b") as colleague:
        assert (await colleague.post(f"/v1/campaigns/{campaign}/approve")).status_code == 403
    async with world.kit.client(world.tenant, "campaigns:approve", subject="usr_b") as boss:
        back = await boss.post(f"/v1/campaigns/{campaign}/reject", json={"note": "too loud"})
        assert (back.json()["status"], back.json()["review_note"]) == ("draft", "too loud")


async def test_only_a_draft_changes_and_steps_keep_their_order(world: World):
    campaign = await world.campaign(new_id(), await world.template(), start=False)
    path = f"/v1/campaigns/{campaign}"
    assert (await world.client.patch(path, json={"name": "D", "per_minute": 60})).json()["per_minute"] == 60
    for step in ("approve", "pause", "resume"):
        async with world.kit.client(world.tenant, subject="usr_b") as boss:
            assert (await boss.post(f"{path}/{step}")).status_code == 409
    assert (await world.client.post(f"{path}/schedule", json={})).status_code == 409
    await world.do(f"{path}/submit")
    assert (await world.client.patch(path, json={"name": "E"})).status_code == 409
    assert (await world.do(f"{path}/cancel"))["status"] == "cancelled"
    assert (await world.client.post(f"{path}/cancel")).status_code == 409


async def test_review_pins_versions_and_checks_variables(world: World):
    wording = {"variables": [{"name": "offer", "type": "string"}]}
    template = await world.template(**wording)
    campaign = await world.campaign(new_id(), template, start=False)
    refused = await world.client.post(f"/v1/campaigns/{campaign}/submit")
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/variables/offer")
    await world.client.patch(f"/v1/campaigns/{campaign}", json={"variables": {"offer": "x"}})
    assert (await world.do(f"/v1/campaigns/{campaign}/submit"))["variants"][0]["template_version"] == 1
    draft = await world.campaign(new_id(), await world.template(approve=False), start=False)
    assert (await world.client.post(f"/v1/campaigns/{draft}/submit")).status_code == 409


async def test_a_campaign_waits_for_its_whole_segment(world: World):
    segment, people = new_id(), [await world.customer() for _ in range(4)]
    await world.enter(segment, people[0])
    await world.materialised(segment, 4)
    campaign = await world.campaign(segment, await world.template())
    report = await world.run_campaign(campaign, steps=3)
    assert (report["status"], report["planned"], report["audience"]["status"]) == ("running", 0, "waiting")
    assert not world.sink.mails
    for person in people[1:]:
        await world.enter(segment, person)
    assert (await world.run_campaign(campaign))["states"] == {"accepted": 4}


async def test_variants_and_hold_out_add_up(world: World):
    segment = new_id()
    await world.fill_segment(segment, [await world.customer() for _ in range(40)])
    b = await world.template(content={"email": {"en": {**HELLO, "subject": "B"}}})
    variants = [{"name": "A", "template_id": await world.template()}, {"name": "B", "template_id": b}]
    campaign = await world.campaign(segment, b, variants=variants, hold_out_percent=30)
    report = await world.run_campaign(campaign)
    by_name = {variant["name"]: variant for variant in report["variants"]}
    assert report["status"] == "finished"
    assert by_name["A"]["sent"] + by_name["B"]["sent"] + report["hold_out"] == 40
    assert min(by_name["A"]["sent"], by_name["B"]["sent"], report["hold_out"]) > 2
    assert report["reasons"] == {"hold_out": report["hold_out"]}
    assert sum(b"Subject: B\r\n" in mail.data for mail in world.sink.mails) == by_name["B"]["sent"]


async def test_a_pause_stops_it_and_nobody_gets_two_after(world: World):
    segment = new_id()
    await world.fill_segment(segment, [await world.customer() for _ in range(8)])
    campaign = await world.campaign(segment, await world.template(), per_minute=120)
    report = await world.run_campaign(campaign, steps=3)
    sent = len(world.sink.mails)
    assert 0 < sent < 8
    await world.do(f"/v1/campaigns/{campaign}/pause")
    world.kit.clock.advance(timedelta(minutes=5))
    await world.settle()
    assert len(world.sink.mails) == sent
    await world.do(f"/v1/campaigns/{campaign}/resume")
    report = await world.run_campaign(campaign)
    assert (report["status"], report["states"]) == ("finished", {"accepted": 8})
    assert len({mail.recipient for mail in world.sink.mails}) == 8 == len(world.sink.mails)


async def test_a_rate_is_kept(world: World):
    segment = new_id()
    await world.fill_segment(segment, [await world.customer() for _ in range(9)])
    campaign = await world.campaign(segment, await world.template(), per_minute=60)
    seen = []
    for _ in range(14):
        await world.settle()
        seen.append(len(world.sink.mails))
        world.kit.clock.advance(timedelta(seconds=1))
    rates = [later - earlier for earlier, later in itertools.pairwise(seen)]
    assert max(rates) <= 2
    assert seen[-1] == 9
    assert (await world.run_campaign(campaign))["status"] == "finished"


async def test_a_cancelled_campaign_accounts_for_everybody_too(world: World):
    segment = new_id()
    await world.fill_segment(segment, [await world.customer() for _ in range(5)])
    campaign = await world.campaign(segment, await world.template(), per_minute=1)
    await world.run_campaign(campaign, steps=4)
    await world.do(f"/v1/campaigns/{campaign}/cancel")
    report = await world.run_campaign(campaign)
    assert report["states"] == {"accepted": 1, "expired": 4}
    assert report["complete"]
    assert report["reasons"] == {"campaign_cancelled": 4}


async def test_planning_that_missed_somebody_is_noticed_and_mended(world: World):
    from sqlalchemy import delete, select

    from crm_communication_dispatch.messages.tables import message

    segment = new_id()
    await world.fill_segment(segment, [await world.customer() for _ in range(5)])
    campaign = await world.campaign(segment, await world.template(), per_minute=20)
    await world.run_campaign(campaign, steps=4)
    async with world.kit.transaction(world.tenant) as tx:
        lost = await tx.scalar(select(message.c.id).where(message.c.status == "planned").limit(1))
        await tx.run(delete(message).where(message.c.id == lost))
    report = await world.run_campaign(campaign, steps=40)
    assert (report["status"], report["states"]) == ("finished", {"accepted": 5})


async def test_consent_revoked_while_it_runs_is_honoured_and_counted(world: World):
    segment, people = new_id(), [await world.customer() for _ in range(3)]
    await world.fill_segment(segment, people)
    campaign = await world.campaign(segment, await world.template(), per_minute=20)
    await world.run_campaign(campaign, steps=4)
    for person in people:
        await world.consent(person, "revoked")
    report = await world.run_campaign(campaign)
    assert report["complete"]
    assert report["states"]["accepted"] >= 1
    assert report["reasons"]["consent_revoked"] == report["states"]["suppressed"]


LONG = {
    "subject": "Hi {{ customer.given_name }}",
    "text": "Dear {{ customer.display_name }},\n" + "text " * 300,
    "html": "<p>{{ customer.display_name }}</p><a href='https://shop.example/?window=now'>go</a>" + "<p>text</p>" * 200,
}


async def planned(world: World, count: int) -> tuple[str, float]:
    """A campaign for so many, planned but not sent, and how long planning took."""
    segment = new_id()
    await seed_customers(world, segment, count)
    campaign = await world.campaign(segment, await world.template(content={"email": {"en": LONG}}))
    started = time.perf_counter()
    while (await world.report(campaign))["planned"] < count:
        await world.kit.run_timers()
        SENDERS.wanted.clear()
        await world.kit.run_jobs()
        world.kit.clock.advance(timedelta(milliseconds=300))
    return campaign, time.perf_counter() - started


@pytest.mark.benchmark
async def test_ten_thousand_recipients_are_planned_in_seconds(world: World, capsys):
    campaign, seconds = await planned(world, 10_000)
    with capsys.disabled():
        print(f"\n10,000 recipients judged and planned in {seconds:.2f} s")
    assert (await world.report(campaign))["targeted"] == 10_000
    assert seconds < 15


@pytest.mark.benchmark
async def test_mails_leave_fast_with_the_ledger_on_disk(world: World, capsys):
    count = 2_000
    world.sink.keep = False
    world.outbound = outbound(world.outbound.settings.model_copy(update={"smtp_connections": 50}))
    campaign, _ = await planned(world, count)
    started, cpu = time.perf_counter(), time.process_time()
    report = await world.run_campaign(campaign)
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu
    with capsys.disabled():
        rates = f"{count / seconds:,.0f}/s, {count / cpu_seconds:,.0f} per CPU-second of sender and sink together"
        print(f"\n{count:,} mails of 4 kB at {rates}")
    assert report["states"] == {"accepted": count}
    assert world.sink.count == count
    assert count / seconds > 100


@pytest.mark.parametrize(
    "field",
    [
        {"variants": []},
        {"hold_out_percent": 99},
        {"per_minute": 0},
        {"purpose": "Two words"},
        {"surprise": 1},
        {"segment_id": "seg_x"},
    ],
)
async def test_a_bad_plan_is_refused_with_its_field(world: World, field):
    body = {
        "name": "C",
        "segment_id": public_id("seg", new_id()),
        "variants": [{"template_id": public_id("tpl", new_id())}],
    }
    refused = await world.client.post("/v1/campaigns", json=body | field)
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"].startswith(f"/{next(iter(field))}")
