"""Settings of the gateway's processes."""

from typing import Annotated, Any

import orjson
from pydantic import Field, field_validator
from pydantic_settings import NoDecode

from crm_gateway.limits.domain import Policy
from crm_gateway.proxy.domain.rules import Share
from crm_shared.settings import API, Secret, ServiceSettings


class GatewaySettings(ServiceSettings):
    """What the gateway needs beside what every service does."""

    internal_private_jwk: Annotated[dict[str, Any], NoDecode, Secret(of=(API,))] = Field(
        default_factory=dict[str, Any], description="Ed25519 key that signs onward tokens (JWK, as JSON); secret."
    )
    internal_jwks: Annotated[dict[str, Any], NoDecode] = Field(
        default_factory=dict[str, Any], description="Made from the private key."
    )
    upstreams: Annotated[dict[str, str], NoDecode] = Field(
        default_factory=dict[str, str], description="Each service's base address, by its name (as JSON)."
    )
    trusted_proxies: str = Field("", description="Whose X-Forwarded-For is believed, comma-separated.")
    hosts: str = Field("", description="The Host values that are answered, comma-separated; any without it.")
    access_log: bool = True
    trust_traceparent: bool = Field(
        default=True, description="Whether a client's trace is continued; otherwise it is only linked to."
    )
    openapi_path: str = Field("", description="The merged document, if not the one that came with this version.")
    rate_quota: int = Field(3_000, description="Requests of one key or user per window.")
    rate_window_s: float = 10.0
    streams_per_tenant: int = Field(20, ge=1, description="Endless answers of one tenant at a time, in each process.")
    stream_check_s: float = Field(15.0, gt=0, description="How often the caller of an endless answer is checked again.")
    bulk_quota: int = Field(60, description="Imports and the like per minute.")
    login_quota: int = Field(20, description="Log-ins of one address per minute.")
    public_quota: int = Field(1_200, description="Requests of one address to public routes per minute.")

    @field_validator("internal_private_jwk", "upstreams", mode="before")
    @classmethod
    def _parse_json(cls, value: Any) -> Any:
        return orjson.loads(value) if isinstance(value, str | bytes) else value

    @property
    def host_names(self) -> frozenset[bytes]:
        """The hosts, as they stand in requests."""
        return frozenset(host.strip().lower().encode() for host in self.hosts.split(",") if host.strip())

    @property
    def policies(self) -> dict[Share, Policy]:
        """The quotas by share."""
        return {
            Share.DEFAULT: Policy(Share.DEFAULT.value, self.rate_quota, self.rate_window_s),
            Share.BULK: Policy(Share.BULK.value, self.bulk_quota, 60.0),
            Share.LOGIN: Policy(Share.LOGIN.value, self.login_quota, 60.0),
            Share.PUBLIC: Policy(Share.PUBLIC.value, self.public_quota, 60.0),
        }
