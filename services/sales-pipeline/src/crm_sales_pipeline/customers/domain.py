"""A customer as sales knows them."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from crm_shared.errors import Gone


@dataclass(frozen=True, slots=True)
class Customer:
    """The local copy; `known` is False for a stub that the customer's own event will fill."""

    id: UUID
    known: bool
    kind: str | None
    display_name: str | None
    language: str | None
    country: str | None
    email: str | None
    phone: str | None
    lifecycle: str | None
    value_group: str | None
    erased_at: datetime | None


def check_not_erased(customer: Customer | None) -> None:
    """Refuse to begin anything new with an erased customer; an unknown one is only not heard of yet."""
    if customer is not None and customer.erased_at is not None:
        raise Gone("This customer has been erased.", code="customer_erased")
