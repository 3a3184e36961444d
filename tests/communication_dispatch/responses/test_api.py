"""What comes back, and what it changes."""

import email.policy
import re
from datetime import timedelta
from email import message_from_bytes

from tests.communication_dispatch.responses.test_domain import FIREFOX
from tests.communication_dispatch.responses.test_mail import bounce, complaint, mail
from tests.communication_dispatch.world import World

from crm_shared.ids import new_id, parse_id, public_id

HTML = {
    "subject": "Hello",
    "text": "See https://shop.example/t\n",
    "html": '<a href="https://shop.example/a?window=now">now</a><a href="https://shop.example/b">b</a>'
    '<a href="https://shop.example/c">c</a><a href="{{ links.unsubscribe }}">no</a>'
    '<a href="{{ links.web_view }}">see</a>',
}
RULE = {"response_rule": {"click": "lead", "reply": "task"}}


class Sent:
    """One mail of a campaign, as its customer holds it."""

    def __init__(self, world: World, campaign: str, customer, caught) -> None:
        self.world, self.campaign, self.customer, self.caught = world, campaign, customer, caught
        self.mail = message_from_bytes(caught.data, policy=email.policy.default)
        html = self.mail.get_body(("html",)).get_content()
        self.links = re.findall(r'href="([^"]+)"', html)
        self.unsubscribe = self.mail["List-Unsubscribe"].strip("<>")

    async def open(self, link: int, agent: str | None = FIREFOX):
        headers = {"user-agent": agent} if agent else {"user-agent": ""}
        path = self.links[link].split("8080", 1)[1]
        return await self.world.client.get(path, headers=headers | {"authorization": ""})

    async def judged(self) -> list[dict]:
        self.world.kit.clock.advance(timedelta(seconds=5))
        await self.world.settle()
        return (await self.world.client.get("/v1/responses")).json()["items"]

    async def come_back(self, raw: bytes) -> dict:
        answer = await self.world.client.post(
            "/v1/responses/inbound-mail", content=raw, headers={"content-type": "message/rfc822"}
        )
        assert answer.status_code == 201, answer.text
        return answer.json()

    async def message(self) -> dict:
        found = await self.world.client.get("/v1/messages", params={"campaign_id": self.campaign})
        return found.json()["items"][0]


async def sent(world: World, **fields) -> Sent:
    customer, segment = await world.customer(), new_id()
    await world.fill_segment(segment, [customer])
    template = await world.template(content={"email": {"en": HTML}})
    campaign = await world.campaign(segment, template, **{**RULE, **fields})
    await world.run_campaign(campaign)
    world.kit.clock.advance(timedelta(minutes=3))
    return Sent(world, campaign, customer, world.sink.mails[-1])


async def test_a_click_leads_on_and_becomes_a_lead_that_says_when(world: World):
    mine = await sent(world)
    answer = await mine.open(0)
    assert (answer.status_code, answer.headers["location"]) == (302, "https://shop.example/a?window=now")
    assert answer.headers["referrer-policy"] == "no-referrer"
    (response,) = await mine.judged()
    assert (response["kind"], response["buying_window"], response["wants"]) == ("click", "now", "lead")
    facts = {event["type"]: event for event in await world.told()}
    assert facts["crm.response.captured.v1"]["campaign_id"] == mine.campaign
    assert facts["crm.response.captured.v1"]["buying_window"] == "now"
    assert facts["crm.message.clicked.v1"]["customer_id"] == public_id("cus", mine.customer)
    await mine.open(0)
    assert len(await mine.judged()) == 1
    report = await world.report(mine.campaign)
    assert (report["responses"], report["responders"], report["link_requests"]) == ({"click": 1}, 1, {"human": 2})
    assert report["variants"][0]["responses"] == {"click": 1}


async def test_a_scanner_that_opens_every_link_is_no_lead(world: World):
    mine = await sent(world)
    for link in range(3):
        assert (await mine.open(link)).status_code == 302
    await mine.open(1, agent="python-requests/2.32")
    assert await mine.judged() == []
    assert (await world.report(mine.campaign))["link_requests"] == {"machine": 4}
    assert not await world.told("crm.message.clicked.v1", "crm.response.captured.v1")


async def test_looking_at_the_unsubscribe_page_changes_nothing_and_one_post_does(world: World):
    mine = await sent(world)
    path = mine.unsubscribe.split("8080", 1)[1]
    page = await world.client.get(path, headers={"authorization": ""})
    assert (page.status_code, "<form" in page.text) == (200, True)
    assert (await world.client.get("/v1/suppressions")).json()["items"] == []
    for _ in range(2):
        done = await world.client.post(
            path,
            content=b"List-Unsubscribe=One-Click",
            headers={"authorization": "", "content-type": "application/x-www-form-urlencoded"},
        )
        assert done.status_code == 200
    (event,) = await world.told("crm.message.unsubscribed.v1")
    assert (event["channel"], event["purpose"]) == ("email", "marketing")
    assert event["customer_id"] == public_id("cus", mine.customer)
    after = await world.send(mine.customer, await world.template())
    assert (after["status"], after["reason"]) == ("suppressed", "suppressed_unsubscribed")
    urgent = await world.send(mine.customer, await world.template(purpose="transactional"))
    assert urgent["status"] == "queued"


async def test_addresses_not_made_by_us_open_nothing(world: World):
    mine = await sent(world)
    click, leave = mine.links[0].split("8080", 1)[1], mine.unsubscribe.split("8080", 1)[1]
    for path in (
        click[:-1] + ("A" if click[-1] != "A" else "B"),
        "/v1/responses/public/click/x",
        leave.replace("unsubscribe", "click"),
        click.replace("click", "view"),
    ):
        assert (await world.client.get(path)).status_code == 404
    assert (await world.client.post(click.replace("click", "unsubscribe"))).status_code == 404
    assert (await world.client.get("/v1/suppressions")).json()["items"] == []


async def test_a_message_is_read_in_the_browser_until_its_customer_is_erased(world: World):
    mine = await sent(world)
    path = mine.links[4].split("8080", 1)[1]
    page = await world.client.get(path)
    assert (page.status_code, "default-src 'none'" in page.headers["content-security-policy"]) == (200, True)
    assert mine.links[0] in page.text
    await world.kit.deliver(world.tenant, "crm.customer.erased.v1", mine.customer, {"erased_at": world.now})
    assert (await world.client.get(path)).status_code == 410


async def test_a_reply_becomes_what_the_campaigns_rule_says_once(world: World):
    mine = await sent(world)
    raw = mail("Please call me right away", To=mine.mail["Reply-To"])
    first, again = await mine.come_back(raw), await mine.come_back(raw)
    assert (first["kind"], first["id"]) == ("reply", again["id"])
    (event,) = await world.told("crm.response.captured.v1")
    assert (event["kind"], event["wants"], event["buying_window"]) == ("reply", "task", "now")
    assert event["text"] == "Please call me right away"
    assert len(await world.told("crm.message.replied.v1")) == 1


async def test_a_mail_out_of_the_blue_is_known_by_its_sender(world: World):
    mine = await sent(world)
    address = f"{mine.customer.hex}@example.org"
    got = await mine.come_back(mail("Where is my order?", To="hello@crm.example", From=address.upper()))
    assert (got["message_id"], got["customer_id"]) == (None, public_id("cus", mine.customer))
    (event,) = await world.told("crm.response.captured.v1")
    assert (event["campaign_id"], event["wants"]) == (None, "task")
    assert (await mine.come_back(mail("hi", To="hello@crm.example")))["customer_id"] is None


async def test_a_late_bounce_settles_the_message_and_the_address(world: World):
    mine = await sent(world)
    got = await mine.come_back(bounce("5.1.1", to=mine.caught.sender))
    assert got["kind"] == "bounce"
    assert ((await mine.message())["status"], (await mine.message())["reason"]) == ("bounced", "receipt_5.1.1")
    assert (await world.send(mine.customer, await world.template()))["reason"] == "suppressed_bounced"
    assert (await world.report(mine.campaign))["states"] == {"bounced": 1}


async def test_a_block_of_our_reputation_condemns_no_address(world: World):
    mine = await sent(world)
    await mine.come_back(bounce("5.7.1", to=mine.caught.sender))
    assert (await mine.message())["status"] == "failed"
    assert (await world.client.get("/v1/suppressions")).json()["items"] == []


async def test_a_delay_changes_nothing(world: World):
    mine = await sent(world)
    assert (await mine.come_back(bounce("4.4.1", "delayed", to=mine.caught.sender)))["kind"] == "delay"
    assert (await mine.message())["status"] == "accepted"


async def test_a_complaint_silences_everything_that_is_not_urgent(world: World):
    mine = await sent(world)
    await mine.come_back(complaint(original=f"Message-ID: {mine.mail['Message-ID']}\r\n"))
    (event,) = await world.told("crm.message.complained.v1")
    assert event["reason"] == "abuse"
    assert (await world.send(mine.customer, await world.template(purpose="newsletter")))[
        "reason"
    ] == "suppressed_complained"


async def test_an_automatic_answer_is_nobodys_response(world: World):
    mine = await sent(world)
    got = await mine.come_back(mail("I am away", To=mine.mail["Reply-To"], Auto_Submitted="auto-replied"))
    assert got["kind"] == "auto_reply"
    assert (await world.client.get("/v1/responses")).json()["items"] == []


async def test_a_mail_to_another_tenant_is_refused(world: World):
    mine = await sent(world)
    async with world.kit.client(new_id()) as stranger:
        refused = await stranger.post("/v1/responses/inbound-mail", content=mail("x", To=mine.mail["Reply-To"]))
        assert (refused.status_code, refused.json()["code"]) == (422, "mail_misdirected")
        by_ref = await stranger.post(
            "/v1/responses/inbound-mail", content=mail("x", To="a@b.c", In_Reply_To=mine.mail["Message-ID"])
        )
        assert by_ref.json()["message_id"] is None


async def test_what_is_no_mail_is_refused(world: World):
    for raw, status in ((b"", 422), (b"\x00\xff", 422), (b"From: a\r\n\r\n" + b"x" * (2**21 + 1), 413)):
        refused = await world.client.post("/v1/responses/inbound-mail", content=raw)
        assert refused.status_code == status, refused.text


async def test_a_coupon_is_one_answer_however_often_it_is_shown(world: World):
    mine = await sent(world, coupons=True)
    code = (await mine.message())["coupon"]
    answers = [
        await world.client.post("/v1/responses", json={"kind": "coupon", "code": code.lower()}) for _ in range(2)
    ]
    assert [a.status_code for a in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()
    assert answers[0].json()["wants"] == "lead"
    unknown = await world.client.post("/v1/responses", json={"kind": "coupon", "code": "NOSUCH"})
    assert (unknown.status_code, unknown.json()["code"]) == (404, "coupon_not_found")


async def test_a_call_is_entered_by_hand(world: World):
    customer = public_id("cus", await world.customer())
    body = {"kind": "call", "customer_id": customer, "text": "wants two", "buying_window": "within_3_months"}
    made = await world.client.post("/v1/responses", json=body)
    assert (made.status_code, made.json()["wants"]) == (201, "nothing")
    assert (await world.client.get(f"/v1/responses/{made.json()['id']}")).json() == made.json()
    for bad in (
        {"kind": "call"},
        {"kind": "click", "customer_id": customer},
        {"kind": "call", "customer_id": customer, "buying_window": "soon"},
    ):
        assert (await world.client.post("/v1/responses", json=bad)).status_code == 422
    missing = body | {"campaign_id": public_id("cmp", new_id())}
    assert (await world.client.post("/v1/responses", json=missing)).status_code == 404


async def test_an_erased_customers_words_are_gone(world: World):
    mine = await sent(world)
    await mine.come_back(mail("my address is …", To=mine.mail["Reply-To"]))
    await world.kit.deliver(world.tenant, "crm.customer.erased.v1", mine.customer, {"erased_at": world.now})
    (response,) = (await world.client.get("/v1/responses")).json()["items"]
    assert response["text"] is None
    assert parse_id("cus", response["customer_id"]) == mine.customer
