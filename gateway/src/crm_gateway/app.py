"""The map of the gateway: its slices, from bottom to top."""

from pathlib import Path

from crm_gateway.composition.api import ROUTERS as COMPOSITION_ROUTERS
from crm_gateway.composition.composer import Composer
from crm_gateway.identity.api import ROUTERS as IDENTITY_ROUTERS
from crm_gateway.identity.authentication import Recognition
from crm_gateway.identity.events import EVENTS
from crm_gateway.metadata import metadata
from crm_gateway.subscriptions.api import ROUTERS as EVENT_ROUTERS
from crm_gateway.subscriptions.catalogue import topics
from crm_gateway.subscriptions.news import Keeper, prune_events
from crm_gateway.subscriptions.settings import subscription_settings
from crm_gateway.subscriptions.tail import Tail
from crm_gateway.webhooks.api import ROUTERS as WEBHOOK_ROUTERS
from crm_gateway.webhooks.desk import WebhookDesk
from crm_gateway.webhooks.sending import forget_deliveries, send_webhooks
from crm_gateway.webhooks.settings import webhook_settings
from crm_shared.bus.handlers import Tap
from crm_shared.clock import SystemClock
from crm_shared.runtime.service import Service, Slice

_KEEPER = Keeper()
SERVICE = Service(
    name="gateway",
    title="Corkscrew gateway",
    metadata=metadata,
    slices=[
        Slice("identity", routers=IDENTITY_ROUTERS, events=EVENTS),
        Slice("limits"),
        Slice("openapi"),
        Slice("proxy"),
        Slice("composition", routers=COMPOSITION_ROUTERS),
        Slice("subscriptions", routers=EVENT_ROUTERS),
        Slice("webhooks", routers=WEBHOOK_ROUTERS),
    ],
    operation_prefix="opgat",
    tap=Tap(topics(), _KEEPER.take),
    loops=[_KEEPER.announce_events, prune_events, send_webhooks, forget_deliveries],
    migrations=Path(__file__).parents[2] / "migrations",
    resources={
        Recognition.__name__: lambda _: Recognition(SystemClock()),
        Composer.__name__: lambda _: Composer(),
        Tail.__name__: lambda _: Tail(subscription_settings()),
        WebhookDesk.__name__: lambda _: WebhookDesk(webhook_settings()),
    },
)
