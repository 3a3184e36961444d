"""What webhooks need from the environment, the api's process as well as the worker's."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from crm_gateway.webhooks.domain.addresses import AddressRule
from crm_gateway.webhooks.domain.urls import UrlRule
from crm_gateway.webhooks.sealing import Sealer


class WebhookSettings(BaseSettings):
    """Where webhooks may go, how patient we are, and what seals their secrets."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True, env_ignore_empty=True, hide_input_in_errors=True)

    webhook_keys: str = Field(
        "",
        repr=False,
        description="Seal secrets: comma-separated, the first seals, all open. None: no webhooks.",
    )
    webhook_allow_http: bool = Field(False, description="Plain http is taken too; for development.")
    webhook_allowed_ports: str = Field("443,8443", description="Ports and ranges, such as 443,8000-8999.")
    webhook_allowed_networks: str = Field(
        "", description="Networks that are allowed beside the public internet, such as 10.20.0.0/16."
    )
    webhook_ca_file: Path | None = Field(None, description="Certificate authorities (PEM) trusted beside the system's.")
    webhook_connect_timeout_s: float = Field(5.0, gt=0, le=30)
    webhook_timeout_s: float = Field(15.0, gt=0, le=60)
    webhook_concurrency: int = Field(8, ge=1, le=100, description="Requests to one endpoint at a time.")
    webhook_endpoints_at_once: int = Field(128, ge=1, description="Endpoints served at a time by a worker.")
    webhook_endpoints_of_tenant_at_once: int = Field(16, ge=1, description="Of these, one tenant's.")
    webhook_lease_s: float = Field(60.0, gt=0, description="After a crash another worker takes over after this.")
    webhook_disable_after_days: float = Field(5.0, gt=0, description="What only fails for so long is disabled.")
    webhook_most_endpoints: int = Field(50, ge=1, description="Endpoints of one tenant.")

    @field_validator("webhook_keys")
    @classmethod
    def _keys(cls, value: str) -> str:
        Sealer.of(value)
        return value

    @field_validator("webhook_allowed_ports")
    @classmethod
    def _ports(cls, value: str) -> str:
        _ranges(value)
        return value

    @field_validator("webhook_allowed_networks")
    @classmethod
    def _networks(cls, value: str) -> str:
        AddressRule.of(_parts(value))
        return value

    @property
    def url_rule(self) -> UrlRule:
        """What may be registered, and connected to."""
        addresses = AddressRule.of(_parts(self.webhook_allowed_networks))
        http = range(80, 81) if self.webhook_allow_http else range(0)
        return UrlRule(addresses, (*_ranges(self.webhook_allowed_ports), http), self.webhook_allow_http)


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _ranges(text: str) -> Sequence[range]:
    bounds = [part.partition("-") for part in _parts(text)]
    return tuple(range(int(first), int(last or first) + 1) for first, _, last in bounds)


@lru_cache(maxsize=1)
def webhook_settings() -> WebhookSettings:
    """The settings of this process."""
    return WebhookSettings()  # pyright: ignore[reportCallIssue] # the environment fills it
