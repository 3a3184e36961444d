"""Providers over HTTP."""

import email.policy
from email import message_from_bytes

import pytest
from tests.communication_dispatch.world import World

from crm_communication_dispatch.settings import mail_settings
from crm_shared.ids import new_id, public_id


async def test_a_tenant_sends_as_itself_and_at_its_own_cost(world: World):
    body = {"name": "Ours", "from_name": "Shop, Inc.", "from_address": "shop@shop.example"}
    cost = {"amount": "0.002", "currency": "CHF"}
    made = await world.client.post("/v1/providers", json=body | {"cost": cost})
    assert made.status_code == 201
    message = await world.send(await world.customer(), await world.template())
    assert message["cost"]["currency"] == "CHF"
    await world.work()
    mail = message_from_bytes(world.sink.mails[0].data, policy=email.policy.default)
    assert mail["From"].addresses[0].addr_spec == "shop@shop.example"
    assert mail["From"].addresses[0].display_name == "Shop, Inc."
    path = f"/v1/providers/{made.json()['id']}"
    off = await world.client.patch(path, json={"enabled": False}, headers={"If-Match": '"1"'})
    assert (off.json()["enabled"], off.json()["version"]) == (False, 2)
    assert (await world.client.get("/v1/providers")).json()["items"][0]["enabled"] is False
    stale = await world.client.patch(path, json={"enabled": True}, headers={"If-Match": '"1"'})
    assert stale.status_code == 412


@pytest.mark.parametrize(
    ("field", "status"),
    [
        ({"from_address": "nobody"}, 422),
        ({"from_name": "a\r\nBcc: x@y"}, 422),
        ({"host": "relay.internal"}, 403),
        ({"host": "a b"}, 422),
        ({"cost": {"amount": "1", "currency": "euro"}}, 422),
        ({"connections": 0}, 422),
    ],
)
async def test_a_bad_provider_is_refused(world: World, field, status):
    assert (await world.client.post("/v1/providers", json={"name": "X"} | field)).status_code == status
    assert (await world.client.get("/v1/providers")).json()["items"] == []


async def test_a_relay_of_ones_own_needs_the_operators_leave_and_gets_no_foreign_password(monkeypatch):
    from datetime import UTC, datetime
    from decimal import Decimal

    from crm_communication_dispatch.providers.configuration import Provider, route_of
    from crm_communication_dispatch.providers.domain import Security

    own = Provider(
        new_id(), "email", "X", True, "mx.example", 587, Security.STARTTLS, None, None, 3, 7, Decimal(1), "EUR", 1,
        datetime(2026, 1, 1, tzinfo=UTC),
    )  # fmt: skip
    suite = mail_settings().model_copy(update={"smtp_username": "suite", "smtp_password": "secret"})
    assert route_of(own, suite).relay.host == suite.smtp_host
    relay = route_of(own, suite.model_copy(update={"tenant_relays": True})).relay
    assert (relay.host, relay.port, relay.rate_per_s, relay.username, relay.password) == (
        "mx.example",
        587,
        7,
        None,
        None,
    )
    assert "secret" not in repr(route_of(None, suite))


async def test_an_unknown_provider_is_not_there(world: World):
    assert (await world.client.get(f"/v1/providers/{public_id('prv', new_id())}")).status_code == 404
