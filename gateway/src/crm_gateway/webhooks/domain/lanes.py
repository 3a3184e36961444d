"""How far an endpoint has got among its tenant's events, and who serves it."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from crm_gateway.webhooks.domain.endpoints import Health


@dataclass(frozen=True, slots=True)
class Replay:
    """Events that are sent once more: those after `after`, up to `up_to`; of these types where some are named."""

    after: int
    up_to: int
    types: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Lane:
    """One enabled endpoint's progress. Only its holder sends, until `held_until` unless it says so again."""

    endpoint_id: UUID
    position: int
    replay: Replay | None
    next_at: datetime | None
    health: Health
    holder: UUID | None
    held_until: datetime | None

    def is_free_for(self, holder: UUID, now: datetime) -> bool:
        """Whether this worker may serve the endpoint now."""
        return self.holder == holder or self.held_until is None or self.held_until <= now

    def rests(self, now: datetime) -> bool:
        """Whether the endpoint is left alone for now."""
        return self.health.rests_until is not None and self.health.rests_until > now
