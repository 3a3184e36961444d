"""Who is looking: every read and every command takes a `Viewer` and sees only what it may."""

from dataclasses import dataclass, field
from uuid import UUID

from crm_shared.errors import Forbidden

SYSTEM_SUBJECT = "system"


@dataclass(frozen=True, slots=True)
class Viewer:
    """A principal inside one tenant.

    `subject` is a user's or key's public id (or `system`); `teams` and `partner` narrow what pooled staff and
    outside partners see; `scopes` are `<resource>:<verb>` strings.
    """

    tenant: UUID
    subject: str
    scopes: frozenset[str] = field(default_factory=frozenset[str])
    teams: frozenset[str] = field(default_factory=frozenset[str])
    partner: str | None = None

    @classmethod
    def system(cls, tenant: UUID) -> "Viewer":
        """The suite itself, acting on an event or a timer of this tenant."""
        return cls(tenant=tenant, subject=SYSTEM_SUBJECT)

    @property
    def is_system(self) -> bool:
        """Whether the suite itself acts."""
        return self.subject == SYSTEM_SUBJECT

    def may(self, scope: str) -> bool:
        """Whether this principal holds `scope`; the suite itself holds all."""
        return self.is_system or scope in self.scopes

    def require(self, scope: str) -> None:
        """Refuse unless this principal holds `scope`.

        Raises:
            Forbidden: it doesn't.
        """
        if not self.may(scope):
            raise Forbidden(f"This needs the scope {scope}.", code="scope_missing")
