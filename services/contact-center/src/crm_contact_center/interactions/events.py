"""What happens to a conversation, for the rest of the suite. Texts stay here; only who, how and when travel."""

from typing import Annotated, Any, ClassVar

from crm_contact_center.interactions.domain import Direction, InteractionChannel
from crm_contact_center.references import AgentId, CustomerId, InteractionId, QueueId
from crm_shared.events import EventPayload
from crm_shared.fields import Instant, extensible

_CUSTOMER = "cus_0690k2plir3lfsae6ao9k2g2as"
_QUEUE = "que_0690k2plir3lfsae6ao9k2g2as"
_AGENT = "agt_0690k2plir3lfsae6ao9k2g2as"


def _example(**more: Any) -> dict[str, Any]:
    return {
        "customer_id": _CUSTOMER,
        "channel": "voice",
        "direction": "inbound",
        "queue": _QUEUE,
        "agent": None,
        "subject": "Invoice",
        "at": "2026-11-21T09:00:00Z",
        **more,
    }


class InteractionFact(EventPayload):
    """What every event of an interaction tells."""

    TYPE: ClassVar = ""
    ID_PREFIX: ClassVar = "int"
    EXAMPLE: ClassVar[dict[str, Any]] = {}

    customer_id: CustomerId | None
    channel: Annotated[str, extensible(InteractionChannel)]
    direction: Annotated[str, extensible(Direction)]
    queue: QueueId | None
    agent: AgentId | None
    subject: str | None
    at: Instant


class InteractionStarted(InteractionFact):
    """A conversation began; `repeat_of` is the customer's one shortly before."""

    TYPE: ClassVar = "crm.interaction.started.v1"
    EXAMPLE: ClassVar[dict[str, Any]] = _example(queue=None, repeat_of=None)

    repeat_of: InteractionId | None


class InteractionQueued(InteractionFact):
    """It waits for an agent."""

    TYPE: ClassVar = "crm.interaction.queued.v1"
    EXAMPLE: ClassVar[dict[str, Any]] = _example()


class InteractionOffered(InteractionFact):
    """An agent was reserved and asked."""

    TYPE: ClassVar = "crm.interaction.offered.v1"
    EXAMPLE: ClassVar[dict[str, Any]] = _example(agent=_AGENT)


class InteractionAnswered(InteractionFact):
    """An agent took it, after `wait_s` seconds in the queue."""

    TYPE: ClassVar = "crm.interaction.answered.v1"
    EXAMPLE: ClassVar[dict[str, Any]] = _example(agent=_AGENT, wait_s=12.5)

    wait_s: float


class InteractionAbandoned(InteractionFact):
    """The customer gave up after `wait_s` seconds in the queue."""

    TYPE: ClassVar = "crm.interaction.abandoned.v1"
    EXAMPLE: ClassVar[dict[str, Any]] = _example(wait_s=61.0)

    wait_s: float


class InteractionTransferred(InteractionFact):
    """It went on to another queue or agent; `to_queue` is where it waits now."""

    TYPE: ClassVar = "crm.interaction.transferred.v1"
    EXAMPLE: ClassVar[dict[str, Any]] = _example(agent=_AGENT, to_queue=_QUEUE, to_agent=None)

    to_queue: QueueId
    to_agent: AgentId | None


class InteractionEnded(InteractionFact):
    """It is over; `talk_s` is time in conversation (without `hold_s`) over all its legs."""

    TYPE: ClassVar = "crm.interaction.ended.v1"
    EXAMPLE: ClassVar[dict[str, Any]] = _example(agent=_AGENT, talk_s=180.0, hold_s=20.0, disposition="answered")

    talk_s: float
    hold_s: float
    disposition: str | None


class DemandRevealed(EventPayload):
    """In a service conversation the customer showed that they want to buy: a lead for sales."""

    TYPE: ClassVar = "crm.demand.revealed.v1"
    ID_PREFIX: ClassVar = "dem"
    READ_SCOPE: ClassVar = "interactions:read"
    EXAMPLE: ClassVar[dict[str, Any]] = {
        "customer_id": _CUSTOMER,
        "interaction_id": "int_0690k2plir3lfsae6ao9k2g2as",
        "text": "Asked for a second device in spring",
        "buying_window": "within_6_months",
        "agent": _AGENT,
        "at": "2026-11-21T09:00:00Z",
    }

    customer_id: CustomerId
    interaction_id: InteractionId | None
    text: str
    buying_window: str | None
    agent: AgentId | None
    at: Instant


EVENTS = (
    InteractionStarted,
    InteractionQueued,
    InteractionOffered,
    InteractionAnswered,
    InteractionAbandoned,
    InteractionTransferred,
    InteractionEnded,
    DemandRevealed,
)
