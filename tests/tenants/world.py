"""One company with at least one of everything, made through the door."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID
from zlib import crc32

import orjson
from sqlalchemy import select
from tests.tenants.document import Belongings
from tests.tenants.rows import rows_of
from tests.tenants.stage import Stage

from crm_communication_dispatch.links import LinkKind, links_of
from crm_communication_dispatch.settings import mail_settings
from crm_contact_center.surveys import store as surveys
from crm_contact_center.surveys.domain import sign
from crm_gateway.identity.bootstrap import KeySeed, TenantSeed, ensure_tenant, new_key_text
from crm_gateway.identity.domain.roles import Role
from crm_shared.db.tables import operation
from crm_shared.events import Envelope
from crm_shared.ids import new_id, parse_id, public_id

PASSWORD = "correct horse battery"
HELLO = {"subject": "Hello {{ customer.given_name|default('you') }}", "text": "Dear {{ customer.display_name }}\n"}
DAY = "2026-03-01"
AT = "2026-03-01T10:00:00Z"


@dataclass(kw_only=True)
class World(Belongings):
    """A tenant and what it owns."""

    stage: Stage
    mark: str
    slug: str
    tenant: UUID
    keys: dict[Role, str]
    key_ids: dict[Role, UUID]

    @property
    def word(self) -> str:
        """The mark where only letters fit."""
        return self.mark.replace("-", "_")

    @property
    def admin(self) -> str:
        """The key that may everything."""
        return self.keys[Role.ADMIN]

    async def has_rows_in(self, service: str) -> bool:
        """Whether anything of this tenant lies in a service's database."""
        rows = await rows_of(self.stage, self.tenant)
        return any(lines for table, lines in rows.items() if table.startswith(f"{service}."))

    async def operations(self) -> list[tuple[str, str]]:
        """All long jobs of this tenant by service, with the ids that clients see."""
        found: list[tuple[str, str]] = []
        for name, kit in self.stage.kits.items():
            async with kit.transaction(self.tenant) as tx:
                ids = await tx.all(select(operation.c.id))
            found += [(name, public_id(kit.service.operation_prefix, row["id"])) for row in ids]
        return found

    async def ask(self, method: str, path: str, body: Any = None, *, role: Role = Role.ADMIN, **headers: str) -> Any:
        """What must succeed in building the world."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = await self.stage.ask(method, path, key=self.keys[role], body=body, headers=sent)
        assert answer.status < 300, f"{method} {path} of {self.mark}: {answer}"
        return answer.json() if answer.body else None

    async def make(self, path: str, body: Any = None, *, role: Role = Role.ADMIN, **headers: str) -> str:
        """Make something; its id is kept, the first of a kind wins."""
        made: str = (await self.ask("POST", path, body, role=role, **headers))["id"]
        self.ids.setdefault(made.rpartition("_")[0], made)
        return made


async def build_world(stage: Stage, mark: str, *, twice: bool = False) -> World:
    """A company called `mark`; its texts all carry that word. It may have everything twice, so that lists go on."""
    keys = {role: new_key_text() for role in Role}
    seed = TenantSeed(mark, f"{mark} company", keys=[KeySeed(r.value, text, (r,)) for r, text in keys.items()])
    ensured = await ensure_tenant(stage.own, seed, now=datetime.now(UTC))
    key_ids = {role: ensured.keys[role.value] for role in Role}
    world = World(stage=stage, mark=mark, slug=mark, tenant=ensured.tenant, keys=keys, key_ids=key_ids)
    world.ids |= {"ten": public_id("ten", ensured.tenant), "key": public_id("key", ensured.keys["viewer"])}
    for part in (_people, _customers, _selling, _mailing, _serving, _asking):
        await part(world)
        await stage.settle()
    await _jobs(world)
    await stage.settle()
    if twice:
        twin = replace(world, mark=f"{mark}-too", ids={}, names={}, fitting={})
        for part in (_people, _customers, _selling, _mailing, _serving, _asking, _jobs):
            await part(twin)
            await stage.settle()
    return world


async def _people(world: World) -> None:
    email = f"{world.mark}@example.com"
    user = {"email": email, "name": f"{world.mark} person", "roles": ["seller", "agent"], "password": PASSWORD}
    await world.make("/v1/users", user)
    await world.make("/v1/sessions", {"tenant": world.slug, "email": email, "password": PASSWORD})
    await world.make("/v1/api-keys", {"name": f"{world.mark} spare", "roles": ["viewer"]})
    url = f"https://{world.mark}.invalid/hook"  # a name that leads nowhere: what is tested there fails, and is logged
    hook = await world.make("/v1/webhooks", {"url": url, "description": f"{world.mark} hook"})
    await world.make(f"/v1/webhooks/{hook}/test")


async def _customers(world: World) -> None:
    mark, word = world.mark, world.word
    world.names |= {
        "customers name": f"{word}_shoe", "customers source": f"{mark}-shop", "customers external_id": f"{mark}-1",
        "leads window": "now", "templates number": "2",
    }  # fmt: skip
    await world.ask("PUT", f"/v1/customers/attributes/{word}_shoe", {"label": f"{mark} shoe size", "type": "text"})
    made = [await world.make("/v1/customers", _customer(mark, word, nth)) for nth in range(3)]
    await world.ask("POST", f"/v1/customers/{made[0]}/merge", {"merged_id": made[1], "reason": f"{mark} twice"})
    consents = f"/v1/customers/{made[0]}/consents"
    grant = {"purpose": "marketing", "channel": "email", "status": "granted", "evidence": f"{mark} box ticked"}
    await world.ask("POST", consents, grant)
    await world.make(consents, grant | {"channel": "sms", "opt_in": "pending"})
    purchase = {
        "customer_id": made[0], "source": f"{mark}-shop", "external_id": f"{mark}-p1", "occurred_at": AT,
        "amount": {"amount": "99.00", "currency": "EUR"}, "items": [{"name": f"{mark} record"}],
    }  # fmt: skip
    await world.ask("POST", "/v1/purchases", purchase)
    rule = {"type": "attribute", "field": "display_name", "op": "prefix", "value": mark}
    segment = await world.make("/v1/segments", {"name": f"{mark} everybody", "kind": "dynamic", "rule": rule})
    await world.ask("POST", f"/v1/segments/{segment}/materialise", {})
    await world.make("/v1/values/ratings", {})
    csv = f"display_name,external_id\n{mark} imported,{mark}-i1\n,\n".encode()
    await world.make(f"/v1/customer-imports?source={mark}-list", csv, content_type="text/csv")


def _customer(mark: str, word: str, nth: int) -> dict[str, Any]:
    return {
        "display_name": f"{mark} customer {nth}", "given_name": mark, "family_name": f"{mark}son", "country": "DE",
        "language": "en", "external_source": f"{mark}-shop", "external_id": f"{mark}-{nth + 1}", "owner": f"{mark}er",
        "attributes": {f"{word}_shoe": f"{mark} {nth}"},
        "contact_points": [
            {"channel": "email", "value": f"{mark}{nth}@example.org", "verified": True, "preferred": True},
            {"channel": "phone", "value": f"+4930{crc32(mark.encode()) % 10**6:06}{nth}", "verified": True},
        ],
    }  # fmt: skip


async def _selling(world: World) -> None:
    mark, customer = world.mark, world.ids["cus"]
    await world.make("/v1/sellers", {"name": f"{mark} seller"})
    rule = {"name": f"{mark} turns", "strategy": "round_robin", "seller_ids": [world.ids["usr"]]}
    await world.make("/v1/assignment-rules", rule)
    product = await world.make("/v1/products", {"sku": f"{mark}-1", "name": f"{mark} record", "tax_rate": "0.19"})
    book = {"name": f"{mark} shop", "currency": "EUR", "rounding": "half_up", "tax_rounding": "per_line"}
    await world.make("/v1/price-books", book | {"valid_from": DAY})
    price = {"product_id": product, "unit_price": "10.00", "valid_from": DAY}
    await world.ask("PUT", f"/v1/price-books/{world.ids['pbk']}/prices", {"prices": [price]})
    stages = [
        {"key": key, "name": f"{mark} {key}", "canonical": canonical, "probability": chance}
        for key, canonical, chance in (("talk", "open", "20"), ("yes", "won", "100"), ("no", "lost", "0"))
    ]
    await world.make("/v1/pipelines", {"name": f"{mark} line", "is_default": True, "stages": stages})
    lead = await world.make("/v1/leads", {"source": "web", "customer_id": customer, "interest": f"{mark} things"})
    await world.ask("POST", f"/v1/leads/{lead}/contact", {})
    await world.make("/v1/deals", {"customer_id": customer, "name": f"{mark} deal"})
    lines = [{"product_id": product, "quantity": "2"}]
    await world.make("/v1/quotes", {"customer_id": customer, "deal_id": world.ids["deal"], "lines": lines})
    order = await world.make("/v1/orders", {"customer_id": customer, "lines": lines, "outlet": f"{mark} outlet"})
    money = {"amount": "5.00", "currency": "EUR"}
    await world.make("/v1/payments", {"order_id": order, "amount": money, "reference": f"{mark}-pay"})
    await world.make("/v1/expenses", {"amount": money, "description": f"{mark} stand", "deal_id": world.ids["deal"]})


async def _mailing(world: World) -> None:
    mark, customer = world.mark, world.ids["cus"]
    await world.make("/v1/providers", {"name": f"{mark} relay"})
    wording = {"languages": ["en"], "content": {"email": {"en": HELLO}}}
    template = await world.make("/v1/templates", {"name": f"{mark} hello", "purpose": "marketing"} | wording)
    await world.ask("POST", f"/v1/templates/{template}/versions/1/approve")
    await world.ask("POST", f"/v1/templates/{template}/versions", wording)
    message = await world.make("/v1/messages", {"customer_id": customer, "template_id": template})
    await world.make("/v1/audiences", {"segment_id": world.ids["seg"], "purpose": "marketing"})
    campaign = {"name": f"{mark} campaign", "segment_id": world.ids["seg"], "variants": [{"template_id": template}]}
    await world.make("/v1/campaigns", campaign)
    begun = await world.make("/v1/campaigns", campaign | {"name": f"{mark} campaign approved"})
    await world.ask("POST", f"/v1/campaigns/{begun}/submit")
    await world.ask("POST", f"/v1/campaigns/{begun}/approve", role=Role.MARKETING_APPROVER)
    world.fitting["/v1/campaign-returns/{campaign_id}"] = begun
    await world.make("/v1/responses", {"kind": "call", "customer_id": customer, "text": f"{mark} called"})
    block = {"channel": "email", "address": f"no@{mark}.example.org", "note": f"{mark} bounced"}
    await world.make("/v1/suppressions", block)
    for kind in (LinkKind.CLICK, LinkKind.UNSUBSCRIBE, LinkKind.VIEW):
        world.names[f"responses {kind.name.lower()}"] = links_of(mail_settings()).url_token(
            kind, world.tenant, parse_id("msg", message)
        )


async def _serving(world: World) -> None:
    mark, customer = world.mark, world.ids["cus"]
    world.names["skills name"] = f"{mark}-skill"
    await world.ask("PUT", f"/v1/skills/{mark}-skill", {"description": f"{mark} skill"})
    hours = [{"opens": "08:00", "closes": "20:00"}]
    days = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
    calendar = {"name": f"{mark} hours", "zone": "Europe/Berlin", "weekly": dict.fromkeys(days, hours)}
    await world.make("/v1/calendars", calendar)
    queue = await world.make("/v1/queues", {"name": f"{mark} line", "channels": ["voice", "chat"]})
    agent = await world.make("/v1/agents", {"name": f"{mark} agent", "skills": {}})
    await world.ask("POST", f"/v1/agents/{agent}/state", {"state": "available", "lease_s": 3_600})
    call = {"channel": "voice", "customer_id": customer, "queue_id": queue, "subject": f"{mark} call"}
    interaction = await world.make("/v1/interactions", call)
    await world.make("/v1/sla-policies", {"name": f"{mark} promise", "targets": {"resolution": {"seconds": 36_000}}})
    ticket = {"kind": "query", "customer_id": customer, "subject": f"{mark} ticket", "interaction_id": interaction}
    await world.make("/v1/tickets", ticket)
    await world.stage.settle()
    offered = await world.ask("GET", f"/v1/agents/{agent}/reservations")
    world.ids["rsv"] = offered["items"][0]["id"]
    await world.ask("POST", f"/v1/reservations/{world.ids['rsv']}/accept")
    letter = await world.make("/v1/interactions", {"channel": "email", "customer_id": customer})
    world.fitting["/v1/interactions/{interaction_id}/enqueue"] = letter


async def _asking(world: World) -> None:
    survey = {"name": f"{world.mark} survey", "question": f"{world.mark}?", "kind": "csat", "trigger": "manual"}
    made = await world.make("/v1/surveys", survey)
    asked = {"customer_id": world.ids["cus"], "ticket_id": world.ids["tkt"]}
    invitation = await world.make(f"/v1/surveys/{made}/invitations", asked)
    async with world.stage.kits["contact-center"].transaction(world.tenant) as tx:
        key = await surveys.key(tx)
    assert key is not None
    world.names["surveys public"] = sign(key, world.tenant, parse_id("svy", invitation))


async def _jobs(world: World) -> None:
    world.names |= {"parked-events service": "contact-center", "parked-events key": await _parked(world)}
    world.names["operations operation_id"] = await world.make("/v1/lifecycle/evaluations", {})
    sold = (
        f"external_id,customer_external_id,occurred_at,amount\n{world.mark}-s1,{world.mark}-1,{AT},9.00\n,,,\n".encode()
    )
    query = f"source={world.mark}-till&customer_source={world.mark}-shop&currency=EUR"
    await world.make(f"/v1/purchase-imports?{query}", sold, content_type="text/csv")
    await world.stage.settle()
    world.ids["imp"] = (await world.ask("GET", "/v1/customer-imports"))["items"][0]["id"]
    bought = (await world.ask("GET", "/v1/purchase-imports"))["items"][0]["id"]
    for path in ("/v1/purchase-imports/{import_id}", "/v1/purchase-imports/{import_id}/errors"):
        world.fitting[path] = bought


async def _parked(world: World) -> str:
    """A key that waits, because the first events of it have never come."""
    customer = new_id()
    event = Envelope(
        id=new_id(),
        type="crm.customer.updated.v1",
        source="customer",
        subject=public_id("cus", customer),
        time=world.stage.clock.now(),
        tenant=world.tenant,
        aggregate_id=customer,
        epoch=0,
        sequence=7,
        traceparent=None,
        data=orjson.dumps({"display_name": world.mark}).decode(),
    )
    await world.stage.deliver([event])
    return f"customer:{customer}"
