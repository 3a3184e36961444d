"""A tenant in the hands of a test: customers arrive by events, everything else is asked over HTTP."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpx
from crm_communication_dispatch.messages.loop import SENDERS, outbound
from crm_communication_dispatch.messages.sender import Outbound
from crm_communication_dispatch.settings import MailSettings
from crm_shared.ids import new_id, parse_id, public_id
from crm_shared.testing.kit import ServiceKit

from tests.communication_dispatch.sink import Sink

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
        data = {
            "kind": "person", "category": "consumer", "display_name": "Ann Lee", "given_name": "Ann",
            "family_name": "Lee", "language": "en", "time_zone": "Europe/Berlin", "country": "DE",
            "contact_points": [{"channel": "email", "value": email, "preferred": True, "verified": True}] if email else [],
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
        while await self.kit.run_timers() and SENDERS.wanted:
            count += await SENDERS.drain(self.kit.worker, self.kit.clock, self.outbound)
        return count

    async def told(self, *types: str) -> list[dict[str, Any]]:
        return [event.payload() | {"type": event.type} for event in await self.kit.events(self.tenant, *types)]


def key_of(prefix: str, text: str) -> UUID:
    return parse_id(prefix, text)
