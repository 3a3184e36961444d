"""From a kept event to a receiver: signed, in order, again until it is had, and never to the cost of others."""

import asyncio
from datetime import datetime, timedelta

import orjson
from standardwebhooks import Webhook
from tests.gateway.webhooks.conftest import Company
from tests.gateway.webhooks.receiver import OK, Got, Receiver, receiving, status

from crm_gateway.identity import commands as identity
from crm_gateway.identity.domain.roles import Role
from crm_gateway.subscriptions import store as kept
from crm_gateway.webhooks.sending import LOG_LASTS, forget_old
from crm_gateway.webhooks.tables import webhook_lane
from crm_shared.ids import new_id, public_id

UPDATED, PLACED, MERGED = "crm.customer.updated.v1", "crm.order.placed.v1", "crm.customer.merged.v1"
DEAD = status(500, b"not today")


class TestWhatIsSent:
    async def test_a_receiver_gets_the_event_and_finds_the_signature_right(self, company: Company, receiver: Receiver):
        webhook = await company.webhook(receiver)
        [event] = await company.happen(UPDATED)
        await company.drain()
        [got] = receiver.got
        assert Webhook(webhook["secret"]).verify(got.body, got.headers) == orjson.loads(event.to_bytes())
        assert got.head == "POST /hook HTTP/1.1"
        assert got.id == str(event.id)
        assert got.headers["content-type"] == "application/cloudevents+json"

    async def test_what_happened_before_is_not_sent_and_what_comes_later_is_in_order(
        self, company: Company, receiver: Receiver
    ):
        await company.happen(UPDATED)
        await company.webhook(receiver)
        events = await company.happen(*[UPDATED, PLACED] * 7)
        await company.drain()
        assert sorted(receiver.ids) == sorted(str(event.id) for event in events)
        waves = [receiver.ids[first : first + 4] for first in range(0, 14, 4)]
        assert [set(wave) for wave in waves] == [
            {str(event.id) for event in events[first : first + 4]} for first in range(0, 14, 4)
        ]

    async def test_only_the_types_asked_for_and_only_of_the_record_asked_for(
        self, company: Company, receiver: Receiver
    ):
        customer = new_id()
        await company.webhook(receiver, types=["crm.customer.*"], subject=public_id("cus", customer))
        await company.happen(UPDATED, PLACED)
        [wanted] = await company.happen(UPDATED, customer=customer)
        await company.happen(PLACED, customer=customer)
        await company.drain()
        assert receiver.ids == [str(wanted.id)]

    async def test_a_thin_webhook_tells_what_happened_to_whom_and_nothing_of_them(
        self, company: Company, receiver: Receiver
    ):
        webhook = await company.webhook(receiver, payload="thin")
        [event] = await company.happen(UPDATED, name="Zoë")
        await company.drain()
        [got] = receiver.got
        assert Webhook(webhook["secret"]).verify(got.body, got.headers) == got.event
        assert (got.event["type"], got.event["subject"], got.event["sequence"]) == (UPDATED, event.subject, f"{1:020d}")
        assert "data" not in got.event
        assert "Zo" not in got.body.decode()

    async def test_during_a_rotation_old_and_new_secrets_both_check_it(self, company: Company, receiver: Receiver):
        webhook = await company.webhook(receiver)
        new = await company.ask("POST", f"/v1/webhooks/{webhook['id']}/rotate-secret", {"overlap_hours": 1})
        await company.happen(UPDATED)
        await company.drain()
        [got] = receiver.got
        for secret in (webhook["secret"], new["secret"]):
            Webhook(secret).verify(got.body, got.headers)

    async def test_a_rotation_without_overlap_ends_the_old_secret_at_once(self, company: Company, receiver: Receiver):
        webhook = await company.webhook(receiver)
        new = await company.ask("POST", f"/v1/webhooks/{webhook['id']}/rotate-secret", {"overlap_hours": 0})
        await company.happen(UPDATED)
        await company.drain()
        [got] = receiver.got
        Webhook(new["secret"]).verify(got.body, got.headers)
        assert " " not in got.headers["webhook-signature"]


class TestRetries:
    async def test_a_failed_delivery_is_tried_ten_times_over_three_days_under_one_id(
        self, company: Company, receiver: Receiver
    ):
        receiver.answers = [DEAD]
        webhook = await company.webhook(receiver)
        [event] = await company.happen(UPDATED)
        begun = company.kit.clock.now()
        await company.drain()
        while (delivery := (await company.log(webhook))[0])["state"] == "pending":
            company.kit.clock.set(max(datetime.fromisoformat(delivery["next_attempt_at"]), company.kit.clock.now()))
            await company.drain()
        assert set(receiver.ids) == {str(event.id)}
        assert len(receiver.got) == len(delivery["attempts"]) == 10
        assert timedelta(days=2.75) < company.kit.clock.now() - begun < timedelta(days=3.5)
        assert (delivery["state"], delivery["reason"]) == ("failed", "attempts_used_up")
        assert delivery["attempts"][3]["status"] == 500
        assert delivery["attempts"][3]["response"] == "not today"
        stamps = [int(got.headers["webhook-timestamp"]) for got in receiver.got]
        assert stamps == sorted(set(stamps)), "every attempt is signed anew"

    async def test_a_receiver_that_recovers_gets_what_it_missed(self, company: Company, receiver: Receiver):
        receiver.answers = [DEAD, DEAD, OK]
        webhook = await company.webhook(receiver)
        await company.happen(UPDATED)
        for _ in range(3):
            await company.drain()
            company.kit.clock.advance(timedelta(minutes=6))
        [delivery] = await company.log(webhook)
        assert [attempt["status"] for attempt in delivery["attempts"]] == [500, 500, 200]
        assert delivery["state"] == "delivered"
        assert (await company.seen(webhook))["failing_since"] is None

    async def test_a_pause_that_the_receiver_asks_for_is_kept(self, company: Company, receiver: Receiver):
        receiver.answers = [status(429, retry_after="600"), OK]
        await company.webhook(receiver)
        await company.happen(UPDATED)
        await company.drain()
        await company.happen(UPDATED)
        company.kit.clock.advance(timedelta(seconds=599))
        await company.drain()
        assert len(receiver.got) == 1
        company.kit.clock.advance(timedelta(seconds=1))
        await company.drain()
        assert len(receiver.got) == 3

    async def test_one_event_that_always_fails_holds_up_none_after_it(self, company: Company, receiver: Receiver):
        async def picky(got: Got, writer: asyncio.StreamWriter) -> None:
            writer.write(DEAD if got.event["type"] == PLACED else OK)

        receiver.behaviour = picky
        webhook = await company.webhook(receiver)
        await company.happen(*[PLACED] * 6)
        await company.drain()
        for _ in range(6):
            company.kit.clock.advance(timedelta(minutes=6))
            events = await company.happen(UPDATED)
            for _ in range(2):
                await company.drain()
                company.kit.clock.advance(timedelta(minutes=1))
            assert str(events[0].id) in receiver.ids
        assert (await company.seen(webhook))["enabled"]

    async def test_what_answers_gone_is_disabled_at_once_and_that_is_noted(self, company: Company, receiver: Receiver):
        receiver.answers = [status(410)]
        webhook = await company.webhook(receiver)
        await company.happen(UPDATED)
        await company.drain()
        await company.happen(UPDATED)
        await company.drain()
        assert len(receiver.got) == 1
        seen = await company.seen(webhook)
        assert (seen["enabled"], seen["disabled_reason"]) == (False, "gone")
        acts = (await company.ask("GET", "/v1/audit-entries"))["items"]
        assert next((act["actor"], act["action"], act["target"], act["details"]) for act in acts) == (
            "system", "webhook.disabled", webhook["id"], {"reason": "gone"},
        )  # fmt: skip

    async def test_what_only_fails_for_five_days_is_disabled(self, company: Company, receiver: Receiver):
        receiver.answers = [DEAD]
        webhook = await company.webhook(receiver)
        for _ in range(11):
            await company.happen(UPDATED)
            await company.drain()
            company.kit.clock.advance(timedelta(hours=12))
        seen = await company.seen(webhook)
        assert (seen["enabled"], seen["disabled_reason"]) == (False, "failing")
        assert {one["state"] for one in await company.log(webhook)} <= {"failed", "dropped"}

    async def test_a_dead_endpoint_is_left_alone_more_and_more_while_its_events_stay_kept(
        self, company: Company, receiver: Receiver
    ):
        receiver.answers = [DEAD]
        webhook = await company.webhook(receiver)
        await company.happen(*[UPDATED] * 60)
        for _ in range(10):
            await company.drain()
            company.kit.clock.advance(timedelta(seconds=1))
        tried = len(await company.log(webhook))
        assert tried <= 20, "most have not even been begun"
        receiver.answers = [OK]
        company.kit.clock.advance(timedelta(minutes=6))
        await company.drain()
        assert {one["state"] for one in await company.log(webhook, "?limit=200")} == {"delivered"}
        assert len(set(receiver.ids)) == 60


class TestAuthority:
    async def test_an_endpoint_gets_only_what_its_owner_may_see(self, company: Company, receiver: Receiver):
        await company.webhook(receiver, role=Role.INTEGRATION)
        [order, _] = await company.happen(PLACED, "crm.user.created.v1")
        await company.drain()
        assert receiver.ids == [str(order.id)], "events about users are for administrators"

    async def test_when_its_key_is_revoked_nothing_more_is_sent_until_somebody_takes_it_over(
        self, company: Company, receiver: Receiver
    ):
        webhook = await company.webhook(receiver, role=Role.INTEGRATION)
        key = public_id("key", company.keys[Role.INTEGRATION])
        await company.ask("POST", f"/v1/api-keys/{key}/revoke")
        await company.happen(UPDATED)
        await company.drain()
        seen = await company.seen(webhook)
        assert (receiver.got, seen["enabled"], seen["disabled_reason"]) == ([], False, "owner_gone")
        await company.ask("POST", f"/v1/webhooks/{webhook['id']}/enable")
        [after] = await company.happen(UPDATED)
        await company.drain()
        assert receiver.ids == [str(after.id)]
        assert (await company.seen(webhook))["owner"] == public_id("key", company.keys[Role.ADMIN])

    async def test_whoever_changes_where_events_go_answers_for_it(self, company: Company, receiver: Receiver):
        webhook = await company.webhook(receiver)
        async with receiving() as other:
            await company.ask("PATCH", f"/v1/webhooks/{webhook['id']}", {"url": other.url}, role=Role.INTEGRATION)
            await company.happen("crm.user.created.v1", PLACED)
            await company.drain()
            assert [got.event["type"] for got in other.got] == [PLACED]
        assert receiver.got == []

    async def test_a_type_that_the_owner_may_see_no_longer_is_not_repeated_either(
        self, company: Company, receiver: Receiver
    ):
        receiver.answers = [DEAD]
        webhook = await company.webhook(receiver)
        await company.happen("crm.user.created.v1")
        await company.drain()
        await company.ask("PATCH", f"/v1/webhooks/{webhook['id']}", {"description": "mine"}, role=Role.INTEGRATION)
        await company.ask("PATCH", f"/v1/webhooks/{webhook['id']}", {"types": ["*"]}, role=Role.INTEGRATION)
        company.kit.clock.advance(timedelta(minutes=1))
        await company.drain()
        [delivery] = await company.log(webhook)
        assert (delivery["state"], delivery["reason"], len(receiver.got)) == ("dropped", "not_allowed", 1)

    async def test_a_suspended_company_gets_nothing_until_it_is_back(self, company: Company, receiver: Receiver):
        webhook = await company.webhook(receiver)
        system = company.kit.viewer(company.tenant, subject="system")
        now = company.kit.clock.now()
        async with company.kit.transaction(company.tenant) as tx:
            await identity.suspend_tenant(tx, system, now=now)
        await company.happen(UPDATED)
        await company.drain()
        assert receiver.got == []
        assert (await company.seen(webhook))["enabled"]


class TestErasure:
    async def test_what_waits_for_a_retry_is_dropped_when_its_person_is_erased(
        self, company: Company, receiver: Receiver
    ):
        receiver.answers = [DEAD]
        customer = new_id()
        webhook = await company.webhook(receiver)
        await company.happen(UPDATED, customer=customer)
        await company.drain()
        async with company.kit.transaction(company.tenant) as tx:
            await kept.forget(tx, customer)
        receiver.answers = [OK]
        company.kit.clock.advance(timedelta(minutes=1))
        await company.drain()
        [delivery] = await company.log(webhook)
        assert (delivery["state"], delivery["reason"], len(receiver.got)) == ("dropped", "event_erased", 1)

    async def test_the_log_keeps_nothing_for_a_week(self, company: Company, receiver: Receiver):
        receiver.answers = [status(200, b"thanks for Zoe")]
        webhook = await company.webhook(receiver)
        await company.happen(UPDATED)
        await company.drain()
        await forget_old(company.kit.worker, company.kit.clock)
        assert len(await company.log(webhook)) == 1
        company.kit.clock.advance(LOG_LASTS + timedelta(seconds=1))
        await forget_old(company.kit.worker, company.kit.clock)
        assert await company.log(webhook) == []
        assert timedelta(days=7) > LOG_LASTS


async def test_an_endpoint_that_is_caught_up_is_not_looked_at_again(company: Company, receiver: Receiver) -> None:
    await company.webhook(receiver, types=[PLACED])
    await company.happen(*[UPDATED] * 5)
    await company.drain()
    assert await company.senders.round() == []
    async with company.kit.database.reading(company.tenant) as tx:
        position = await tx.scalar(webhook_lane.select().with_only_columns(webhook_lane.c.position))
        assert position == (await kept.head(tx)).latest
