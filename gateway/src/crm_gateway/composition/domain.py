"""What a customer's 360 view is made of. A further part is one more line of the table."""

from dataclasses import dataclass
from enum import StrEnum


class PartStatus(StrEnum):
    """How one part of a composed answer came out."""

    OK = "ok"
    UNAVAILABLE = "unavailable"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"


@dataclass(frozen=True, slots=True)
class Part:
    """One question to one service. `target` holds `{customer}`; the answer must come within `deadline_s`."""

    name: str
    target: str
    deadline_s: float = 1.5

    def for_customer(self, customer: str) -> str:
        """The path and query for one customer's public id."""
        return self.target.format(customer=customer)


ESSENTIAL = "profile"
"""The part that decides whether there is such a customer at all."""

CUSTOMER_360 = (
    Part(ESSENTIAL, "/v1/customers/{customer}"),
    Part("value", "/v1/customers/{customer}/value"),
    Part("card", "/v1/customers/{customer}/card"),
    Part("timeline", "/v1/customers/{customer}/timeline?limit=20"),
    Part("consents", "/v1/customers/{customer}/consents"),
    Part("deals", "/v1/deals?customer_id={customer}"),
    Part("orders", "/v1/orders?customer_id={customer}"),
    Part("tickets", "/v1/tickets?customer_id={customer}"),
    Part("message_pressure", "/v1/message-pressure/{customer}"),
)


def status_of_answer(http_status: int) -> PartStatus:
    """What a service's HTTP status means for its part."""
    if 200 <= http_status < 300:
        return PartStatus.OK
    if http_status in (401, 403):
        return PartStatus.FORBIDDEN
    if http_status in (404, 410):
        return PartStatus.NOT_FOUND
    return PartStatus.UNAVAILABLE
