"""HTTP models of composed answers."""

from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from crm_gateway.composition.domain import PartStatus
from crm_shared.fields import Instant, PublicId, Read, extensible

CustomerId = Annotated[UUID, PublicId("cus")]


class PartRead(Read):
    """One part of a composed answer."""

    status: Annotated[str, extensible(PartStatus)]
    data: Any = Field(description="The owning service's answer when the status is ok, else null.")


class CustomerOverviewRead(Read):
    """All we know of one customer, from every service that answered in time."""

    customer_id: CustomerId
    as_of: Instant
    complete: bool = Field(description="Whether every part is there.", examples=[True])
    parts: dict[str, PartRead] = Field(
        description="By name: profile, value, card, timeline, consents, deals, orders, tickets, message_pressure."
    )
