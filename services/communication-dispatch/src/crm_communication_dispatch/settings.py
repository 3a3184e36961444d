"""What this service needs from the environment beyond the kernel's settings."""

from functools import lru_cache
from typing import Annotated, Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from crm_shared.settings import Secret


class MailSettings(BaseSettings):
    """The suite's own relay and sender, used by every tenant that has none of its own; and how links are signed."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True, env_ignore_empty=True)

    smtp_host: str = "127.0.0.1"
    smtp_port: int = 1025
    smtp_security: Literal["none", "starttls", "tls"] = "none"
    smtp_username: str | None = None
    smtp_password: str | None = None
    smtp_connections: int = Field(20, ge=1, le=500, description="Sessions with the relay, and mails in one wave.")
    smtp_rate_per_s: int = Field(0, ge=0, description="Mails per second; 0 means as fast as the relay answers.")
    smtp_timeout_s: float = Field(20, gt=0, le=60)
    smtp_verify_certificate: bool = True
    mail_from_address: str = "hello@crm.example"
    mail_from_name: str | None = None
    mail_domain: str = Field("crm.example", description="Where bounces and replies come back to, and of Message-IDs.")
    mail_cost: str = Field("0.0004", description="What one mail costs, in `mail_currency`.")
    mail_currency: str = "EUR"
    public_url: str = Field("http://127.0.0.1:8080", description="Where customers reach the gateway.")
    link_secret: Annotated[str, Secret()] = Field(
        "not-secret-change-me", description="Signs links and return addresses; equal everywhere."
    )
    tenant_relays: bool = Field(False, description="Whether tenants may name relays of their own, on any host.")
    click_verdict_delay_s: float = Field(2.0, ge=0, description="How long clicks are watched before they are judged.")
    sender_lease_s: float = Field(90.0, gt=0, description="After a crash another sender takes over after this.")


@lru_cache(maxsize=1)
def mail_settings() -> MailSettings:
    """The settings of this process."""
    return MailSettings()  # pyright: ignore[reportCallIssue] # the environment fills it
