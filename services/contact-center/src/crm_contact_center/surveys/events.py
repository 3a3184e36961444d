"""What customers answered."""

from typing import Annotated, Any, ClassVar

from crm_contact_center.references import CustomerId, InteractionId, TicketId
from crm_contact_center.surveys.domain import SurveyKind
from crm_shared.events import EventPayload
from crm_shared.fields import Instant, extensible


class SurveyAnswered(EventPayload):
    """A customer said how it was; `touchpoint` is what they were asked about."""

    TYPE: ClassVar = "crm.survey.answered.v1"
    ID_PREFIX: ClassVar = "svy"
    EXAMPLE: ClassVar[dict[str, Any]] = {
        "customer_id": "cus_0690k2plir3lfsae6ao9k2g2as",
        "survey": "After a call",
        "kind": "csat",
        "score": 4,
        "scale_max": 5,
        "comment": "Quick and friendly",
        "touchpoint": "interaction",
        "ticket_id": None,
        "interaction_id": "int_0690k2plir3lfsae6ao9k2g2as",
        "at": "2026-11-21T09:00:00Z",
    }

    customer_id: CustomerId
    survey: str
    kind: Annotated[str, extensible(SurveyKind)]
    score: int
    scale_max: int
    comment: str | None
    touchpoint: str
    ticket_id: TicketId | None
    interaction_id: InteractionId | None
    at: Instant
