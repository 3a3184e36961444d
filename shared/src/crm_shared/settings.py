"""Settings of one process, read from the environment.

The same names serve every process; what differs is their values. `make run` makes them all by itself.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any

import orjson
from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

PLACEHOLDERS = frozenset({"change-me", "make-a-key", "not-secret-change-me"})
"""What examples and defaults hold where a secret belongs: everybody can read it."""
API, WORKER = "api", "worker"


class UnsafeSettings(Exception):
    """A process shall not start with these settings; the text says which and what to do."""


@dataclass(frozen=True, slots=True)
class Secret:
    """Marks a setting that guards something: processes of these kinds don't start without one of their own."""

    of: tuple[str, ...] = (API, WORKER)


def published_secrets(settings: BaseSettings, *, part: str) -> list[str]:
    """The variables of secrets which a process of this kind needs and which are missing, or known to everybody."""
    found: list[str] = []
    for name, field in type(settings).model_fields.items():
        needed = any(isinstance(mark, Secret) and part in mark.of for mark in field.metadata)
        value = getattr(settings, name)
        if needed and (not value or value == field.default or str(value) in PLACEHOLDERS):
            found.append(name.upper())
    return found


def refuse_published_secrets(*settings: BaseSettings, part: str) -> None:
    """Let no process go into service whose links, cursors or tokens anybody could forge.

    Raises:
        UnsafeSettings: naming the variables.
    """
    found = [name for one in settings for name in published_secrets(one, part=part)]
    if found:
        raise UnsafeSettings(
            f"{' and '.join(found)}: missing, or a value that everybody can read in the sources. Nothing was started. "
            f"Set each to a secret of your own (openssl rand -hex 24; keys are made as deploy/docker/README.md shows), "
            "the same one for all processes of a service."
        )


class ServiceSettings(BaseSettings):
    """What an api or a worker process of a service needs to know."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True, env_ignore_empty=True, hide_input_in_errors=True)

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
    # No secret, but without it nobody would be believed.
    internal_jwks: Annotated[dict[str, Any], NoDecode, Secret(of=(API,))] = Field(
        default_factory=dict[str, Any], description="The gateway's public keys (JWKS, as JSON)."
    )
    cursor_secret: Annotated[str, Secret(of=(API,))] = Field(
        default="", description="Signs page cursors; equal in all processes of a service."
    )
    announce_commits: bool = Field(
        default=True, description="Whether an api's commits wake the workers of other processes (NOTIFY)."
    )
    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = Field(default=1, ge=1, description="Processes that serve this port together; an api's only.")
    metrics_port: int = Field(
        default=0,
        description="Where a worker shows its health and metrics, and the gateway its metrics; 0: nowhere. "
        "A service's api shows both on its own port.",
    )
    drain_s: float = Field(
        default=0.0, ge=0, description="How long an api goes on after SIGTERM, saying that it isn't ready."
    )
    finish_s: int = Field(
        default=25,
        ge=1,
        description="How long requests under way may take once an api's door is closed; then they are cut.",
    )
    purge_after_days: float = Field(
        default=30.0,
        ge=0,
        le=3_650,
        description="How long after a tenant has left a worker deletes its rows; the same for all services.",
    )
    log_level: str = "INFO"
    api_pool_size: int = 6
    worker_pool_size: int = 4

    @property
    def purge_after(self) -> timedelta:
        """How long after a tenant has left its rows are deleted."""
        return timedelta(days=self.purge_after_days)

    @field_validator("internal_jwks", mode="before")
    @classmethod
    def _parse(cls, value: Any) -> Any:
        return orjson.loads(value) if isinstance(value, str | bytes) else value
