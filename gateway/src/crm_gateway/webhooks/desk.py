"""What routes need beside the database: the rules of URLs, what seals secrets, and a way out for tests."""

from uuid import UUID

from crm_gateway.webhooks.domain.deliveries import TEST_TYPE, Answered
from crm_gateway.webhooks.domain.endpoints import Endpoint
from crm_gateway.webhooks.domain.signatures import new_secret
from crm_gateway.webhooks.domain.urls import checked_url
from crm_gateway.webhooks.sealing import Sealer
from crm_gateway.webhooks.sending import Post, egress_of
from crm_gateway.webhooks.settings import WebhookSettings
from crm_shared.clock import Clock
from crm_shared.events import Envelope
from crm_shared.ids import new_id, public_id
from crm_shared.tenancy import Viewer

_TEST_TIMEOUT_S = 10.0
"""Somebody waits for the answer."""


class WebhookDesk:
    """One for each process that answers requests."""

    def __init__(self, settings: WebhookSettings) -> None:
        self.settings = settings
        self._sealer = Sealer.of(settings.webhook_keys)

    def checked_url(self, url: str) -> str:
        """The same URL, if it may be registered here."""
        return checked_url(url, self.settings.url_rule)

    def new_secret(self) -> tuple[str, bytes]:
        """A secret to be shown once, and its sealed form to be kept."""
        secret = new_secret()
        return secret, self._sealer.seal(secret)

    async def test(self, viewer: Viewer, endpoint: Endpoint, seals: list[bytes], clock: Clock) -> tuple[UUID, Answered]:
        """Send a test, and say under which id and what came of it."""
        event = _test_event(viewer, endpoint, clock)
        async with egress_of(self.settings, at_most_s=_TEST_TIMEOUT_S) as egress:
            post = Post(self.settings, egress, self._sealer, clock)
            return event.id, await post.send(endpoint, seals, event.id, event.to_bytes().decode())


def _test_event(viewer: Viewer, endpoint: Endpoint, clock: Clock) -> Envelope:
    return Envelope(
        id=new_id(),
        type=TEST_TYPE,
        source="gateway",
        subject=public_id("hook", endpoint.id),
        time=clock.now(),
        tenant=viewer.tenant,
        aggregate_id=endpoint.id,
        epoch=0,
        sequence=0,
        traceparent=None,
        data='{"message":"It works when you can read this and the signature is right."}',
    )
