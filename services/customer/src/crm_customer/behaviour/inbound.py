"""What other systems tell of customers' behaviour over the bus: the ERP, the shop, without going through the door.

The topic is `crm.integration.behaviour`. Whoever may write there speaks for every company of the installation: that is
the broker's access rule, and for systems of one company there is `POST /v1/purchases/bulk`. A message that can't be
taken waits alone; one about a customer who isn't known yet is tried again by itself.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

from pydantic import Field, model_validator

from crm_customer.behaviour import commands
from crm_customer.behaviour.commands import Report
from crm_customer.behaviour.domain import FactKind, Item
from crm_customer.behaviour.reactions import REACTIONS
from crm_customer.fields import CustomerId, ExternalId, Line, SourceName
from crm_customer.parties.store import reading
from crm_shared.bus.handlers import Received
from crm_shared.db.pool import Tx
from crm_shared.errors import NotFound
from crm_shared.fields import DecimalField, Fact, Instant, MoneyField
from crm_shared.tenancy import Viewer

__all__ = ["REACTIONS"]
"""With what is registered here, beside what is on our own events."""


class ItemTold(Fact):
    """One line of a purchase or return."""

    name: Line
    quantity: DecimalField = Decimal(1)
    sku: ExternalId | None = None
    amount: DecimalField | None = None


class BehaviourReported(Fact):
    """A customer bought, paid or returned something, as another system tells; a repeat changes nothing."""

    EXAMPLE: ClassVar[dict[str, Any]] = {
        "kind": "purchase",
        "customer_source": "web-shop",
        "customer_external_id": "C-7",
        "source": "web-shop",
        "external_id": "W-1042",
        "occurred_at": "2026-03-02T09:30:00Z",
        "amount": {"amount": "129.90", "currency": "EUR"},
        "items": [{"name": "Water pump P-200", "quantity": "1", "sku": "P-200"}],
    }

    kind: FactKind = FactKind.PURCHASE
    customer_id: CustomerId | None = Field(None, description="The customer by our id …")
    customer_source: SourceName | None = Field(None, description="… or by another system …")
    customer_external_id: ExternalId | None = Field(None, description="… and its id there.")
    source: SourceName = Field(description="With `external_id`, what makes a second report of the same thing a repeat.")
    external_id: ExternalId
    occurred_at: Instant
    amount: MoneyField
    quantity: DecimalField | None = None
    order_ref: ExternalId | None = None
    items: list[ItemTold] = Field(default_factory=list[ItemTold], max_length=200)

    @model_validator(mode="after")
    def _somebody(self) -> "BehaviourReported":
        if self.customer_id is None and not (self.customer_source and self.customer_external_id):
            raise ValueError("name the customer by customer_id, or by customer_source and customer_external_id")
        return self


@REACTIONS.on("crm.integration.behaviour-reported.v1", BehaviourReported)
async def behaviour_reported(tx: Tx, event: Received[BehaviourReported], *, now: datetime) -> None:
    """It counts as if it had been reported at the door."""
    told = event.data
    report = Report(
        customer_id=await _customer(tx, told),
        kind=told.kind,
        source=told.source,
        external_id=told.external_id,
        occurred_at=told.occurred_at,
        amount=told.amount,
        quantity=told.quantity,
        order_ref=told.order_ref,
        items=tuple(Item(item.name, item.quantity, item.sku, item.amount) for item in told.items),
    )
    await commands.report(tx, Viewer.system(tx.tenant), report, now=now)


async def _customer(tx: Tx, told: BehaviourReported) -> UUID:
    if told.customer_id is not None:
        return told.customer_id
    key = (told.customer_source or "", told.customer_external_id or "")
    found = await reading.ids_by_keys(tx, [key])
    if key not in found:
        raise NotFound.of("customer", f"{key[0]} {key[1]}")
    return found[key]
