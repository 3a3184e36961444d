"""The one who asks, as the gateway knows them after authentication."""

from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID


class CredentialKind(StrEnum):
    """What a principal showed."""

    API_KEY = "api_key"
    SESSION = "session"


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller inside one tenant. `subject` is the public id of a user or of an API key."""

    tenant: UUID
    subject: str
    scopes: frozenset[str]
    credential: UUID
    kind: CredentialKind
    teams: frozenset[str] = field(default_factory=frozenset[str])
    partner: str | None = None
