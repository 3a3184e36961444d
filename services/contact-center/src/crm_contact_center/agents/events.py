"""What agents' doings tell the rest of the suite."""

from typing import Annotated, Any, ClassVar

from crm_contact_center.agents.domain import AgentState
from crm_contact_center.references import AgentId
from crm_shared.events import EventPayload
from crm_shared.fields import Instant, extensible


class AgentStateChanged(EventPayload):
    """An agent came, left, paused, or began to wrap up."""

    TYPE: ClassVar = "crm.agent.state-changed.v1"
    ID_PREFIX: ClassVar = "agt"
    EXAMPLE: ClassVar[dict[str, Any]] = {
        "agent": "agt_0690k2plir3lfsae6ao9k2g2as",
        "state": "available",
        "previous": "offline",
        "reason": None,
        "at": "2026-11-21T09:00:00Z",
    }

    agent: AgentId
    state: Annotated[str, extensible(AgentState)]
    previous: Annotated[str, extensible(AgentState)]
    reason: str | None
    at: Instant
