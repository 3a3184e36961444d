"""Templates over HTTP."""

import pytest
from tests.communication_dispatch.world import HELLO, World

from crm_shared.ids import new_id, public_id


async def test_a_template_is_written_approved_and_then_never_changes(world: World):
    template = await world.template(approve=False)
    path = f"/v1/templates/{template}/versions/1"
    wording = {"languages": ["en"], "content": {"email": {"en": {"subject": "B", "text": "b"}}}}
    rewritten = await world.client.put(path, json=wording)
    assert rewritten.json()["content"]["email"]["en"]["subject"] == "B"
    approved = await world.client.post(f"{path}/approve")
    assert approved.json()["status"] == "approved"
    assert approved.json()["approved_by"] == "usr_test"
    refused = await world.client.put(path, json=wording)
    assert (refused.status_code, refused.json()["code"]) == (409, "template_version_immutable")
    again = await world.client.post(f"{path}/approve")
    assert again.status_code == 409
    added = await world.client.post(f"/v1/templates/{template}/versions", json=wording)
    assert (added.status_code, added.json()["number"]) == (201, 2)
    assert (await world.client.get(f"/v1/templates/{template}")).json()["approved_number"] == 1
    versions = (await world.client.get(f"/v1/templates/{template}/versions")).json()["items"]
    assert [v["status"] for v in versions] == ["approved", "draft"]
    assert versions[0]["content_hash"] == versions[1]["content_hash"]


async def test_a_missing_translation_blocks_approval(world: World):
    template = await world.template(approve=False, languages=["en", "de"])
    refused = await world.client.post(f"/v1/templates/{template}/versions/1/approve")
    assert (refused.status_code, refused.json()["code"]) == (409, "translation_missing")
    assert refused.json()["errors"][0]["pointer"] == "/content/email/de"


async def test_a_stale_version_is_refused(world: World):
    template = await world.template(approve=False)
    wording = {"languages": ["en"], "content": {"email": {"en": HELLO}}}
    refused = await world.client.put(f"/v1/templates/{template}/versions/1", json=wording, headers={"If-Match": '"7"'})
    assert refused.status_code == 412


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"content": {"email": {"en": {"subject": "x", "text": "{{ 'x' * 100000000 }}"}}}}, "/content/email/en/text"),
        ({"content": {"email": {"en": {"subject": "{{ ghost }}", "text": "x"}}}}, "/content/email/en/subject"),
        ({"content": {"email": {"fr": HELLO}}}, "/languages"),
        ({"content": {}}, "/content"),
        ({"languages": ["english"]}, "/languages"),
        ({"variables": [{"name": "customer", "type": "string"}]}, "/variables/0/name"),
        ({"variables": [{"name": "x", "type": "list"}]}, "/variables/0/fields"),
    ],
)
async def test_a_bad_template_is_refused_with_its_place(world: World, change, pointer):
    body = {"name": "T", "purpose": "marketing", "languages": ["en"], "content": {"email": {"en": HELLO}}} | change
    refused = await world.client.post("/v1/templates", json=body)
    assert refused.status_code == 422
    assert pointer in [error["pointer"] for error in refused.json()["errors"]]


async def test_a_preview_shows_what_a_real_customer_would_read(world: World):
    customer = await world.customer(given_name="Zoë", language="de-AT")
    wording = {
        "languages": ["en", "de"],
        "variables": [{"name": "offer", "type": "money"}],
        "content": {
            "email": {
                "en": {"subject": "Hi", "text": "x", "html": "<p>{{ offer }}</p>"},
                "de": {"subject": "Hallo {{ customer.given_name }}", "text": "y", "html": "<p>{{ offer }}</p>"},
            },
            "sms": {"en": {"text": "hi"}, "de": {"text": "hallo"}},
        },
    }
    template = await world.template(approve=False, **wording)
    path = f"/v1/templates/{template}/versions/1/preview"
    order = {"customer_id": public_id("cus", customer), "variables": {"offer": {"amount": "1234.5", "currency": "EUR"}}}
    shown = (await world.client.post(path, json=order)).json()
    assert (shown["language"], shown["subject"], shown["html"]) == ("de", "Hallo Zoë", "<p>1,234.50 EUR</p>")
    assert (await world.client.post(path, json={**order, "channel": "sms"})).json()["text"] == "hallo"
    missing = await world.client.post(path, json={})
    assert (missing.status_code, missing.json()["errors"][0]["pointer"]) == (422, "/variables/offer")
    nobody = await world.client.post(path, json={**order, "customer_id": public_id("cus", new_id())})
    assert nobody.status_code == 404
    assert await world.told() == []


async def test_another_tenants_template_is_not_there(world: World):
    template = await world.template()
    async with world.kit.client(new_id()) as stranger:
        assert (await stranger.get(f"/v1/templates/{template}")).status_code == 404
        assert (await stranger.post(f"/v1/templates/{template}/versions/1/approve")).status_code == 404


async def test_templates_are_listed_page_by_page(world: World):
    made = [await world.template(name=f"T{n}") for n in range(3)]
    draft = await world.template(approve=False)
    first = (await world.client.get("/v1/templates", params={"limit": 2})).json()
    second = (await world.client.get("/v1/templates", params={"limit": 2, "cursor": first["next_cursor"]})).json()
    assert [t["id"] for t in (*first["items"], *second["items"])] == [*made, draft]
    drafts = (await world.client.get("/v1/templates", params={"approved": False})).json()
    assert [t["id"] for t in drafts["items"]] == [draft]
    renamed = await world.client.patch(f"/v1/templates/{draft}", json={"name": "New"})
    assert renamed.json()["name"] == "New"


async def test_a_test_send_reaches_its_author_and_counts_for_nobody(world: World):
    template = await world.template(approve=False)
    path = f"/v1/templates/{template}/versions/1/test-send"
    sent = await world.client.post(path, json={"address": "author@example.org"})
    assert sent.status_code == 201
    await world.work()
    assert [mail.recipient for mail in world.sink.mails] == ["author@example.org"]
    assert (await world.message(sent.json()["id"]))["status"] == "accepted"
    assert await world.told() == []
    bad = await world.client.post(path, json={"address": "a@b\nRCPT TO:<c@d>"})
    assert bad.status_code == 422
