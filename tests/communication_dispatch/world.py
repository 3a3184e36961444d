"""A tenant in the hands of a test: customers arrive by events, everything else is asked over HTTP."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
from tests.communication_dispatch.sink import Sink

from crm_communication_dispatch.messages.loop import SENDERS, outbound
from crm_communication_dispatch.messages.sender import Outbound
from crm_communication_dispatch.settings import MailSettings
from crm_shared.ids import new_id, parse_id, public_id
from crm_shared.testing.kit import ServiceKit

HELLO = {"subject": "Hello {{ customer.given_name|default('you') }}", "text": "Dear {{ customer.display_name }}\n"}


@dataclass
class World:
    kit: ServiceKit
    sink: Sink
    tenant: UUID = field(default_factory=new_id)
    client: httpx.AsyncClient = field(init=False)
    outbound: Outbound = field(init=False)

    def __post_init__(self) -> None:
        settings = MailSettings(smtp_host=self.sink.host, smtp_port=self.sink.port, smtp_connections=5)
        self.outbound = outbound(settings)

    async def customer(self, *, known: bool = True, consent: bool = True, **fields: Any) -> UUID:
        """A registered customer who agreed to marketing e-mail."""
        key = new_id()
        if known:
            await self.tell(key, "registered", **fields)
        if consent:
            await self.consent(key)
        return key

    async def tell(self, key: UUID, what: str, **fields: Any) -> None:
        email = fields.pop("email", f"{key.hex}@example.org")
        points = [{"channel": "email", "value": email, "preferred": True, "verified": True}]
        data = {
            "kind": "person", "category": "consumer", "display_name": "Ann Lee", "given_name": "Ann",
            "family_name": "Lee", "language": "en", "time_zone": "Europe/Berlin", "country": "DE",
            "contact_points": points if email else [],
            "registered_at": self.kit.clock.now().isoformat(),
        } | fields  # fmt: skip
        await self.kit.deliver(self.tenant, f"crm.customer.{what}.v1", key, data)

    async def consent(
        self, key: UUID, status: str = "granted", purpose: str = "marketing", channel: str = "email"
    ) -> UUID:
        consent_id = new_id()
        data = {
            "consent_id": public_id("cst", consent_id), "purpose": purpose, "channel": channel, "status": status,
            "legal_basis": "consent", "effective_at": self.kit.clock.now().isoformat(), "expires_at": None,
        }  # fmt: skip
        await self.kit.deliver(self.tenant, "crm.customer.consent-changed.v1", key, data)
        return consent_id

    async def template(self, *, approve: bool = True, purpose: str = "marketing", **wording: Any) -> str:
        body = {"name": "Hello", "purpose": purpose, "languages": ["en"], "content": {"email": {"en": HELLO}}} | wording
        answer = await self.client.post("/v1/templates", json=body)
        assert answer.status_code == 201, answer.text
        template_id = answer.json()["id"]
        if approve:
            answer = await self.client.post(f"/v1/templates/{template_id}/versions/1/approve")
            assert answer.status_code == 200, answer.text
        return template_id

    async def send(self, customer: UUID, template_id: str, **fields: Any) -> dict[str, Any]:
        body = {"customer_id": public_id("cus", customer), "template_id": template_id, **fields}
        answer = await self.client.post("/v1/messages", json=body)
        assert answer.status_code == 201, answer.text
        return answer.json()

    async def message(self, message_id: str) -> dict[str, Any]:
        return (await self.client.get(f"/v1/messages/{message_id}")).json()

    async def work(self) -> int:
        """Let timers start senders, and run them until nothing is due; says how many mails were tried."""
        count = 0
        while await self.kit.run_timers() and self.wanted:
            count += await SENDERS.drain(self.kit.worker, self.kit.clock, self.outbound)
        return count

    @property
    def wanted(self) -> bool:
        """Whether a sender is wanted for this tenant; what other tests left behind isn't sent here."""
        SENDERS.wanted &= {(self.tenant, "email")}
        return bool(SENDERS.wanted)

    async def settle(self, *, send: bool = True) -> int:
        """Run timers, jobs and senders until nothing is left to do at this moment; says how many mails were tried."""
        count = 0
        while True:
            moved = await self.kit.run_timers() + await self.kit.run_jobs()
            if self.wanted and send:
                count += await SENDERS.drain(self.kit.worker, self.kit.clock, self.outbound)
                moved += 1
            if not moved:
                return count

    async def enter(self, segment: UUID, customer: UUID, version: int = 1) -> None:
        data = {"segment_id": public_id("seg", segment), "version": version, "reason": "rule", "at": self.now}
        await self.kit.deliver(self.tenant, "crm.customer.segment-entered.v1", customer, data)

    async def exit(self, segment: UUID, customer: UUID, version: int) -> None:
        data = {"segment_id": public_id("seg", segment), "version": version, "reason": "rule", "at": self.now}
        await self.kit.deliver(self.tenant, "crm.customer.segment-exited.v1", customer, data)

    async def materialised(self, segment: UUID, count: int, version: int = 1) -> None:
        data = {
            "segment_id": public_id("seg", segment),
            "name": "S",
            "version": version,
            "count": count,
            "at": self.now,
        }
        await self.kit.deliver(self.tenant, "crm.segment.materialised.v1", segment, data)

    async def fill_segment(self, segment: UUID, customers: list[UUID]) -> None:
        for customer in customers:
            await self.enter(segment, customer)
        await self.materialised(segment, len(customers))

    @property
    def now(self) -> str:
        return self.kit.clock.now().isoformat()

    async def campaign(self, segment: UUID, template: str, *, start: bool = True, **fields: Any) -> str:
        """A campaign, approved by somebody else, and begun."""
        body = {
            "name": "C", "segment_id": public_id("seg", segment), "variants": [{"template_id": template}], **fields,
        }  # fmt: skip
        answer = await self.client.post("/v1/campaigns", json=body)
        assert answer.status_code == 201, answer.text
        campaign = answer.json()["id"]
        if start:
            await self.do(f"/v1/campaigns/{campaign}/submit")
            async with self.kit.client(self.tenant, subject="usr_boss") as boss:
                answer = await boss.post(f"/v1/campaigns/{campaign}/approve")
                assert answer.status_code == 200, answer.text
            await self.do(f"/v1/campaigns/{campaign}/schedule", {})
        return campaign

    async def do(self, path: str, body: Any = None) -> dict[str, Any]:
        answer = await self.client.post(path, json=body)
        assert answer.status_code < 300, answer.text
        return answer.json()

    async def run_campaign(self, campaign: str, *, steps: int = 20) -> dict[str, Any]:
        """Let time pass until the campaign has ended, or it has waited long enough; gives its report."""
        for _ in range(steps):
            await self.settle()
            report = await self.report(campaign)
            if report["status"] in ("finished", "cancelled", "paused"):
                break
            self.kit.clock.advance(timedelta(seconds=1))
        return await self.report(campaign)

    async def report(self, campaign: str) -> dict[str, Any]:
        return (await self.client.get(f"/v1/campaigns/{campaign}/report")).json()

    async def told(self, *types: str) -> list[dict[str, Any]]:
        return [event.payload() | {"type": event.type} for event in await self.kit.events(self.tenant, *types)]


def key_of(prefix: str, text: str) -> UUID:
    return parse_id(prefix, text)


async def seed_customers(world: World, segment: UUID, count: int) -> None:
    """Many customers in a segment at once, through the projections."""
    from crm_communication_dispatch.customers import store
    from crm_communication_dispatch.customers.domain import Consent, Segment

    now = world.kit.clock.now()
    people = [new_id() for _ in range(count)]
    async with world.kit.transaction(world.tenant) as tx:
        profiles = {
            key: {
                "display_name": f"Ann Lee {n}", "given_name": "Ann", "email": f"c{n}@example.org", "language": "en",
                "time_zone": "Europe/Berlin",
            }
            for n, key in enumerate(people)
        }  # fmt: skip
        await store.save_profiles(tx, profiles)
        consents = [(key, Consent(new_id(), "marketing", "email", "granted", now, None)) for key in people]
        await store.save_consents(tx, consents)
        await store.enter_segments(tx, [(segment, key, 1) for key in people])
        await store.save_segments(tx, [Segment(segment, "S", 1, count, now)])
