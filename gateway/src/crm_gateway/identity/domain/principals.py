"""The one who asks, as the gateway knows them after authentication."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from crm_gateway.identity.domain.credentials import CredentialKind
from crm_shared.tenancy import Viewer


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller: what the services learn of them (`viewer`), and which credential they showed, valid until when."""

    viewer: Viewer
    credential: UUID
    kind: CredentialKind
    expires_at: datetime | None = None
