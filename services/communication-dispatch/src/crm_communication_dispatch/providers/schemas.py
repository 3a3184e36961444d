"""Providers as clients send and get them."""

from typing import Annotated, Any

from pydantic import Field

from crm_communication_dispatch.fields import ProviderId
from crm_communication_dispatch.providers.configuration import Provider
from crm_communication_dispatch.providers.domain import Channel, Security
from crm_shared.fields import Instant, MoneyField, Read, Strict, extensible
from crm_shared.http import Page
from crm_shared.money import Money

Host = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[A-Za-z0-9.:-]+$")]
Port = Annotated[int, Field(ge=1, le=65_535)]
Connections = Annotated[int, Field(ge=1, le=200)]
Rate = Annotated[int, Field(ge=0, le=1_000_000)]


class ProviderCreate(Strict):
    """How a tenant sends e-mail: as whom, through which relay, at what cost and rate."""

    name: Annotated[str, Field(min_length=1, max_length=200)] = Field(examples=["Company mail"])
    enabled: bool = True
    host: Host | None = Field(default=None, examples=["mail.example.com"])
    port: Port | None = Field(default=None, examples=[587])
    security: Security = Security.STARTTLS
    from_name: Annotated[str, Field(max_length=200)] | None = None
    from_address: Annotated[str, Field(max_length=254)] | None = Field(default=None, examples=["news@example.com"])
    connections: Connections = 10
    rate_per_s: Rate = 0
    cost: MoneyField = Field(default_factory=lambda: Money.of("0.0004", "EUR"))

    def fields(self) -> dict[str, Any]:
        """All but the cost."""
        return self.model_dump(exclude={"cost"})


class ProviderUpdate(Strict):
    """What of a provider changes."""

    name: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    enabled: bool | None = None
    host: Host | None = None
    port: Port | None = None
    security: Security | None = None
    from_name: Annotated[str, Field(max_length=200)] | None = None
    from_address: Annotated[str, Field(max_length=254)] | None = None
    connections: Connections | None = None
    rate_per_s: Rate | None = Field(default=None, examples=[20])
    cost: MoneyField | None = None

    def fields(self) -> dict[str, Any]:
        """What was sent; only host, port and sender may become empty."""
        sent = self.model_dump(exclude_unset=True, exclude={"cost"})
        nullable = {"host", "port", "from_name", "from_address"}
        kept = {name: value for name, value in sent.items() if value is not None or name in nullable}
        return kept | ({"cost": self.cost.amount, "currency": self.cost.currency} if self.cost else {})


class ProviderRead(Read):
    """A provider."""

    id: ProviderId
    channel: Annotated[str, extensible(Channel)]
    name: str = Field(examples=["Company mail"])
    enabled: bool = Field(examples=[True])
    host: str | None = Field(examples=["mail.example.com"])
    port: int | None = Field(examples=[587])
    security: Annotated[str, extensible(Security)]
    from_name: str | None = Field(examples=["Analytical Engines"])
    from_address: str | None = Field(examples=["news@example.com"])
    connections: int
    rate_per_s: int
    cost: MoneyField
    version: int
    created_at: Instant

    @classmethod
    def of(cls, found: Provider) -> "ProviderRead":
        """The client's view."""
        skipped = {"cost", "currency", "security"}
        fields = {name: getattr(found, name) for name in Provider.__dataclass_fields__ if name not in skipped}
        return cls(**fields, security=found.security.value, cost=Money(found.cost, found.currency))


class ProviderPage(Page):
    """Some providers."""

    items: list[ProviderRead]
