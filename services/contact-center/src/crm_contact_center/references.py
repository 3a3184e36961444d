"""Ids as they travel: a UUID in Python, prefixed text outside."""

from typing import Annotated
from uuid import UUID

from crm_shared.fields import PublicId

CustomerId = Annotated[UUID, PublicId("cus")]
CalendarId = Annotated[UUID, PublicId("cal")]
AgentId = Annotated[UUID, PublicId("agt")]
UserId = Annotated[UUID, PublicId("usr")]
InteractionId = Annotated[UUID, PublicId("int")]
QueueId = Annotated[UUID, PublicId("que")]
ReservationId = Annotated[UUID, PublicId("rsv")]
TicketId = Annotated[UUID, PublicId("tkt")]
PolicyId = Annotated[UUID, PublicId("sla")]
SurveyId = Annotated[UUID, PublicId("srv")]
InvitationId = Annotated[UUID, PublicId("svy")]
"""One asking and its answer; a survey's definition is `srv_…`."""
DemandId = Annotated[UUID, PublicId("dem")]
DealId = Annotated[UUID, PublicId("deal")]
OrderId = Annotated[UUID, PublicId("ord")]
