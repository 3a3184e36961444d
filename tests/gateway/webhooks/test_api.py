"""Administering webhooks over HTTP."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from standardwebhooks import Webhook
from tests.gateway.webhooks.conftest import SETTINGS, Company, new_company
from tests.gateway.webhooks.receiver import Receiver, receiving, status

from crm_gateway.identity.domain.roles import Role
from crm_gateway.subscriptions import store as kept
from crm_gateway.webhooks.desk import WebhookDesk
from crm_gateway.webhooks.tables import webhook_endpoint
from crm_shared.ids import new_id, public_id

UPDATED, PLACED = "crm.customer.updated.v1", "crm.order.placed.v1"


class TestEndpoints:
    async def test_the_secret_is_shown_once_and_kept_sealed(self, company: Company, receiver: Receiver):
        made = await company.webhook(receiver)
        assert made["secret"].startswith("whsec_")
        http = await company.http()
        shown = [
            await http.get(f"/v1/webhooks/{made['id']}"),
            await http.get("/v1/webhooks"),
            await http.patch(f"/v1/webhooks/{made['id']}", json={"description": "ours"}),
            await http.get("/v1/audit-entries"),
        ]
        bare = made["secret"].removeprefix("whsec_")
        assert not any(bare in answer.text or '"secret"' in answer.text for answer in shown)
        async with company.kit.database.reading(company.tenant) as tx:
            row = await tx.one(webhook_endpoint.select())
        assert bare not in str(dict(row))

    async def test_a_repeated_request_makes_one_webhook_and_does_not_show_the_secret_again(
        self, company: Company, receiver: Receiver
    ):
        http = await company.http()
        body, key = {"url": receiver.url}, {"idempotency-key": "once"}
        first, second = [await http.post("/v1/webhooks", json=body, headers=key) for _ in range(2)]
        assert first.json()["id"] == second.json()["id"]
        assert (first.json()["secret"] is None, second.json()["secret"]) == (False, None)

    async def test_it_can_be_read_changed_and_deleted(self, company: Company, receiver: Receiver):
        made = await company.webhook(receiver, types=[PLACED], description="to the till")
        http = await company.http()
        path = f"/v1/webhooks/{made['id']}"
        changed = await http.patch(path, json={"types": ["crm.customer.*"]}, headers={"if-match": '"1"'})
        assert (changed.status_code, changed.json()["types"]) == (200, ["crm.customer.*"])
        assert changed.json()["description"] == "to the till"
        stale = await http.patch(path, json={"description": "x"}, headers={"if-match": '"1"'})
        assert stale.status_code == 412
        assert (await http.delete(path)).status_code == 204
        assert (await http.get(path)).status_code == 404
        assert (await http.delete(path)).status_code == 404

    @pytest.mark.parametrize(
        ("body", "code"),
        [
            ({"url": "https://10.0.0.1/"}, "address_refused"),
            ({"url": "https://169.254.169.254/latest"}, "address_refused"),
            ({"url": "https://[::ffff:127.0.0.1]/"}, "address_refused"),
            ({"url": "https://2130706433/"}, "url_malformed"),
            ({"url": "https://example.com/", "types": ["crm.nothing.happened.v1"]}, "event_type_unknown"),
            ({"url": "https://example.com/", "secret": "whsec_mine"}, None),
            ({}, None),
        ],
    )
    async def test_what_cannot_be_registered_is_refused_with_a_reason(
        self, company: Company, body: dict[str, Any], code: str | None
    ):
        answer = await (await company.http()).post("/v1/webhooks", json=body)
        assert answer.status_code == 422
        assert code in (None, answer.json()["code"])

    async def test_credentials_in_a_url_are_refused(self, company: Company):
        answer = await (await company.http()).post("/v1/webhooks", json={"url": "https://user:pass@example.com/"})
        assert answer.status_code == 422

    async def test_nobody_subscribes_to_what_they_may_not_see(self, company: Company, receiver: Receiver):
        http = await company.http(Role.INTEGRATION)
        refused = await http.post("/v1/webhooks", json={"url": receiver.url, "types": ["crm.user.*"]})
        assert (refused.status_code, refused.json()["code"]) == (403, "scope_missing")

    async def test_who_sees_only_a_partners_records_gets_no_events(self, company: Company, receiver: Receiver):
        subject = public_id("key", company.keys[Role.ADMIN])
        async with company.kit.client(company.tenant, subject=subject, partner="north") as http:
            refused = await http.post("/v1/webhooks", json={"url": receiver.url})
        assert (refused.status_code, refused.json()["code"]) == (403, "events_not_for_narrowed")

    async def test_readers_see_and_do_not_write(self, company: Company, receiver: Receiver):
        made = await company.webhook(receiver)
        http = await company.http(Role.VIEWER)
        assert (await http.get(f"/v1/webhooks/{made['id']}")).status_code == 200
        assert (await http.post("/v1/webhooks", json={"url": receiver.url})).status_code == 403
        assert (await http.post(f"/v1/webhooks/{made['id']}/rotate-secret", json={})).status_code == 403

    async def test_a_company_has_only_so_many(self, company: Company, receiver: Receiver):
        for _ in range(SETTINGS.webhook_most_endpoints):
            await company.webhook(receiver)
        answer = await (await company.http()).post("/v1/webhooks", json={"url": receiver.url})
        assert (answer.status_code, answer.json()["code"]) == (409, "webhooks_full")

    async def test_without_keys_to_seal_with_it_says_so(self, company: Company, receiver: Receiver):
        resources = company.kit.app.state.services.resources
        kept = resources[WebhookDesk.__name__]
        resources[WebhookDesk.__name__] = WebhookDesk(SETTINGS.model_copy(update={"webhook_keys": ""}))
        try:
            answer = await (await company.http()).post("/v1/webhooks", json={"url": receiver.url})
        finally:
            resources[WebhookDesk.__name__] = kept
        assert (answer.status_code, answer.json()["code"]) == (503, "webhooks_not_set_up")

    async def test_another_companys_webhooks_do_not_exist(self, company: Company, receiver: Receiver):
        made = await company.webhook(receiver)
        other = await new_company(company.kit, company.senders, company.stack)
        http = await other.http()
        path = f"/v1/webhooks/{made['id']}"
        for method, where in [("GET", path), ("DELETE", path), ("POST", f"{path}/test"), ("GET", f"{path}/deliveries")]:
            assert (await http.request(method, where)).status_code == 404, where
        assert receiver.got == []


class TestEnabling:
    async def test_while_disabled_nothing_is_sent_and_a_replay_brings_it_back(
        self, company: Company, receiver: Receiver
    ):
        webhook = await company.webhook(receiver)
        path = f"/v1/webhooks/{webhook['id']}"
        cursor = webhook["cursor"]
        disabled = await company.ask("POST", f"{path}/disable")
        assert (disabled["enabled"], disabled["disabled_reason"]) == (False, "by_hand")
        missed = await company.happen(UPDATED, PLACED)
        await company.drain()
        assert receiver.got == []
        enabled = await company.ask("PATCH", path, {"enabled": True})
        assert (enabled["enabled"], enabled["disabled_reason"], enabled["disabled_at"]) == (True, None, None)
        await company.drain()
        assert receiver.got == []
        replayed = await company.ask("POST", f"{path}/replay", {"cursor": cursor})
        assert replayed["replaying"]
        await company.drain()
        assert sorted(receiver.ids) == sorted(str(event.id) for event in missed)
        assert not (await company.seen(webhook))["replaying"]

    async def test_what_waited_is_given_up(self, company: Company, receiver: Receiver):
        receiver.answers = [status(500)]
        webhook = await company.webhook(receiver)
        await company.happen(UPDATED)
        await company.drain()
        await company.ask("PATCH", f"/v1/webhooks/{webhook['id']}", {"enabled": False})
        [delivery] = await company.log(webhook)
        assert (delivery["state"], delivery["reason"]) == ("dropped", "webhook_disabled")

    async def test_one_may_begin_disabled(self, company: Company, receiver: Receiver):
        webhook = await company.webhook(receiver, enabled=False)
        await company.happen(UPDATED)
        await company.drain()
        assert (webhook["enabled"], receiver.got) == (False, [])

    async def test_enabling_and_disabling_twice_changes_nothing_more(self, company: Company, receiver: Receiver):
        path = f"/v1/webhooks/{(await company.webhook(receiver))['id']}"
        for verb in ("enable", "enable", "disable", "disable", "enable"):
            await company.ask("POST", f"{path}/{verb}")
        [event] = await company.happen(UPDATED)
        await company.drain()
        assert receiver.ids == [str(event.id)]

    async def test_of_several_who_enable_it_at_once_none_is_in_the_way_of_another(
        self, company: Company, receiver: Receiver
    ):
        webhook = await company.webhook(receiver, enabled=False)
        http = await company.http()
        path = f"/v1/webhooks/{webhook['id']}/enable"
        answers = await asyncio.gather(*(http.post(path) for _ in range(6)))
        assert {answer.status_code for answer in answers} == {200}
        assert (await company.seen(webhook))["enabled"]


class TestTesting:
    async def test_a_test_is_signed_sent_at_once_and_its_answer_shown(self, company: Company, receiver: Receiver):
        receiver.answers = [status(202, b"got it")]
        webhook = await company.webhook(receiver)
        shown = await company.ask("POST", f"/v1/webhooks/{webhook['id']}/test")
        [got] = receiver.got
        assert Webhook(webhook["secret"]).verify(got.body, got.headers)["type"] == "crm.webhook.test.v1"
        assert (shown["state"], shown["event_id"]) == ("delivered", got.id)
        [attempt] = shown["attempts"]
        assert (attempt["status"], attempt["response"]) == (202, "got it")
        assert await company.log(webhook) == [shown]

    async def test_a_test_that_fails_says_how_and_is_not_repeated(self, company: Company, receiver: Receiver):
        receiver.answers = [status(404, b"no such hook")]
        webhook = await company.webhook(receiver)
        shown = await company.ask("POST", f"/v1/webhooks/{webhook['id']}/test")
        assert (shown["state"], shown["reason"], shown["attempts"][0]["status"]) == ("failed", "test_failed", 404)
        company.kit.clock.advance(timedelta(days=1))
        await company.drain()
        assert len(receiver.got) == 1
        again = f"/v1/webhooks/{webhook['id']}/deliveries/{shown['id']}/retry"
        answer = await (await company.http()).post(again)
        assert (answer.status_code, answer.json()["code"]) == (409, "webhook_test_not_repeated")

    async def test_a_disabled_webhook_can_be_tested_before_it_is_enabled(self, company: Company, receiver: Receiver):
        webhook = await company.webhook(receiver, enabled=False)
        assert (await company.ask("POST", f"/v1/webhooks/{webhook['id']}/test"))["state"] == "delivered"

    async def test_who_answers_gone_to_a_test_is_disabled(self, company: Company, receiver: Receiver):
        receiver.answers = [status(410)]
        webhook = await company.webhook(receiver)
        await company.ask("POST", f"/v1/webhooks/{webhook['id']}/test")
        assert (await company.seen(webhook))["disabled_reason"] == "gone"

    async def test_a_receiver_that_is_not_there_is_told(self, company: Company):
        async with receiving() as gone:
            webhook = await company.webhook(gone)
        shown = await company.ask("POST", f"/v1/webhooks/{webhook['id']}/test")
        [attempt] = shown["attempts"]
        assert attempt["status"] is None
        assert attempt["error"]


class TestLog:
    async def test_it_tells_of_each_attempt_and_can_be_narrowed_by_state(self, company: Company, receiver: Receiver):
        receiver.answers = [status(500, b"x" * 5_000), status(200)]
        webhook = await company.webhook(receiver)
        await company.happen(UPDATED)
        await company.drain()
        [pending] = await company.log(webhook, "?state=pending")
        assert pending["next_attempt_at"] is not None
        assert len(pending["attempts"][0]["response"]) == 1_024
        assert pending["attempts"][0]["duration_ms"] >= 0
        assert await company.log(webhook, "?state=delivered") == []
        one = await company.ask("GET", f"/v1/webhooks/{webhook['id']}/deliveries/{pending['id']}")
        assert one == pending

    async def test_it_goes_on_over_pages(self, company: Company, receiver: Receiver):
        webhook = await company.webhook(receiver)
        events = await company.happen(*[UPDATED] * 5)
        await company.drain()
        seen, cursor = [], ""
        while True:
            path = f"/v1/webhooks/{webhook['id']}/deliveries?limit=2{cursor}"
            page = await company.ask("GET", path)
            seen += [one["event_id"] for one in page["items"]]
            if page["next_cursor"] is None:
                break
            cursor = f"&cursor={page['next_cursor']}"
        assert sorted(seen) == sorted(str(event.id) for event in events)

    async def test_what_was_sent_is_not_kept_in_it(self, company: Company, receiver: Receiver):
        webhook = await company.webhook(receiver)
        await company.happen(UPDATED, email="zoe@example.com")
        await company.drain()
        http = await company.http()
        assert "zoe" not in (await http.get(f"/v1/webhooks/{webhook['id']}/deliveries")).text


class TestRepeating:
    async def test_one_delivery_can_be_sent_again_under_its_id(self, company: Company, receiver: Receiver):
        webhook = await company.webhook(receiver)
        [event] = await company.happen(UPDATED)
        await company.drain()
        [delivery] = await company.log(webhook)
        path = f"/v1/webhooks/{webhook['id']}/deliveries/{delivery['id']}/retry"
        assert (await company.ask("POST", path))["state"] == "pending"
        await company.drain()
        assert receiver.ids == [str(event.id)] * 2
        [delivery] = await company.log(webhook)
        assert (delivery["state"], len(delivery["attempts"])) == ("delivered", 2)

    async def test_a_retry_does_not_wait_for_an_endpoint_that_rests(self, company: Company, receiver: Receiver):
        receiver.answers = [status(503, retry_after="3600"), status(200)]
        webhook = await company.webhook(receiver)
        await company.happen(UPDATED)
        await company.drain()
        [delivery] = await company.log(webhook)
        await company.ask("POST", f"/v1/webhooks/{webhook['id']}/deliveries/{delivery['id']}/retry")
        await company.drain()
        assert len(receiver.got) == 2

    async def test_a_replay_sends_what_it_names_again_and_nothing_twice(self, company: Company, receiver: Receiver):
        webhook = await company.webhook(receiver)
        before = await company.happen(*[UPDATED, PLACED] * 5)
        await company.drain()
        receiver.got.clear()
        since = (company.kit.clock.now() - timedelta(days=1)).isoformat()
        body = {"since": since, "types": ["crm.order.*"]}
        await company.ask("POST", f"/v1/webhooks/{webhook['id']}/replay", body)
        again = await (await company.http()).post(f"/v1/webhooks/{webhook['id']}/replay", json=body)
        assert (again.status_code, again.json()["code"]) == (409, "webhook_replaying")
        [new] = await company.happen(UPDATED)
        await company.drain()
        orders = [str(event.id) for event in before if event.type == PLACED]
        assert sorted(receiver.ids) == sorted([*orders, str(new.id)])

    @pytest.mark.parametrize(
        ("body", "status_code"),
        [({}, 422), ({"since": "2026-01-01T00:00:00Z", "cursor": "x"}, 422), ({"cursor": "nonsense"}, 422)],
    )
    async def test_a_replay_needs_one_start(
        self, company: Company, receiver: Receiver, body: dict[str, str], status_code: int
    ):
        webhook = await company.webhook(receiver)
        answer = await (await company.http()).post(f"/v1/webhooks/{webhook['id']}/replay", json=body)
        assert answer.status_code == status_code

    async def test_a_disabled_webhook_repeats_nothing(self, company: Company, receiver: Receiver):
        webhook = await company.webhook(receiver)
        await company.happen(UPDATED)
        await company.drain()
        [delivery] = await company.log(webhook)
        path = f"/v1/webhooks/{webhook['id']}"
        await company.ask("POST", f"{path}/disable")
        http = await company.http()
        for where, body in [(f"deliveries/{delivery['id']}/retry", None), ("replay", {"cursor": webhook["cursor"]})]:
            answer = await http.post(f"{path}/{where}", json=body)
            assert (answer.status_code, answer.json()["code"]) == (409, "webhook_disabled")

    async def test_an_event_that_is_gone_cannot_be_sent_again(self, company: Company, receiver: Receiver):
        customer = new_id()
        webhook = await company.webhook(receiver)
        await company.happen(UPDATED, customer=customer)
        await company.drain()
        async with company.kit.transaction(company.tenant) as tx:
            await kept.forget(tx, customer)
        [delivery] = await company.log(webhook)
        answer = await (await company.http()).post(f"/v1/webhooks/{webhook['id']}/deliveries/{delivery['id']}/retry")
        assert (answer.status_code, answer.json()["code"]) == (410, "event_gone")
