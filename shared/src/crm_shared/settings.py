"""Settings of one process, read from the environment.

The same names serve every process; what differs is their values. `make run` makes them all by itself.
"""

from typing import Annotated, Any

import orjson
from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


class ServiceSettings(BaseSettings):
    """What an api or a worker process of a service needs to know."""

    model_config = SettingsConfigDict(
        extra="ignore", frozen=True, env_ignore_empty=True, hide_input_in_errors=True
    )

    database_url: str = Field(description="PostgreSQL, as the service's app role.")
    worker_database_url: str = Field(default="", description="The same database as the worker role; workers only.")
    owner_database_url: str = Field(default="", description="The same database as the owner role; migrations only.")
    admin_database_url: str = Field(
        default="", description="The server's database `postgres` as an administrator; provisioning only."
    )
    direct_database_url: str = Field(
        default="", description="The worker's database without a transaction-pooling proxy between; for session locks."
    )
    bus_url: str = Field(default="", description="postgresql://… (the embedded log) or kafka://host:port[,host:port].")
    internal_jwks: Annotated[dict[str, Any], NoDecode] = Field(
        default_factory=dict[str, Any], description="The gateway's public keys (JWKS, as JSON)."
    )
    cursor_secret: str = Field(default="", description="Signs page cursors; equal in all processes of a service.")
    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = Field(default=1, ge=1, description="Processes that serve this port together; an api's only.")
    log_level: str = "INFO"
    api_pool_size: int = 6
    worker_pool_size: int = 4

    @field_validator("internal_jwks", mode="before")
    @classmethod
    def _parse(cls, value: Any) -> Any:
        return orjson.loads(value) if isinstance(value, str | bytes) else value
