"""How a tenant sends: its own provider, or the suite's."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from crm_communication_dispatch.providers.domain import Relay, Security
from crm_communication_dispatch.settings import MailSettings


@dataclass(frozen=True, slots=True)
class Provider:
    """A tenant's own settings of a channel; what is None comes from the suite."""

    id: UUID
    channel: str
    name: str
    enabled: bool
    host: str | None
    port: int | None
    security: Security
    from_name: str | None
    from_address: str | None
    connections: int
    rate_per_s: int
    cost: Decimal
    currency: str
    version: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Route:
    """Through what, as whom, and at what cost per message a tenant's mail goes."""

    relay: Relay
    from_name: str | None
    from_address: str
    cost: Decimal
    currency: str


def route_of(provider: Provider | None, settings: MailSettings) -> Route:
    """A tenant's route; a relay of its own never gets the suite's credentials."""
    relay = Relay(
        host=settings.smtp_host,
        port=settings.smtp_port,
        security=Security(settings.smtp_security),
        username=settings.smtp_username,
        password=settings.smtp_password,
        connections=settings.smtp_connections,
        rate_per_s=settings.smtp_rate_per_s,
        timeout_s=settings.smtp_timeout_s,
        verify_certificate=settings.smtp_verify_certificate,
    )
    cost, currency = Decimal(settings.mail_cost), settings.mail_currency
    if provider is None:
        return Route(relay, settings.mail_from_name, settings.mail_from_address, cost, currency)
    if provider.host is not None and settings.tenant_relays:
        relay = Relay(
            host=provider.host,
            port=provider.port or 25,
            security=provider.security,
            connections=provider.connections,
            rate_per_s=provider.rate_per_s,
            timeout_s=settings.smtp_timeout_s,
        )
    name = provider.from_name or settings.mail_from_name
    return Route(relay, name, provider.from_address or settings.mail_from_address, provider.cost, provider.currency)
