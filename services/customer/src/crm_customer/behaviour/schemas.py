"""Behaviour as clients report and see it."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from crm_customer.behaviour.commands import Report, Reported
from crm_customer.behaviour.domain import FactKind, Item, MoneyFact, Totals, exact
from crm_customer.fields import CustomerId, ExternalId, Line, PurchaseId, SourceName
from crm_customer.outcomes import MAX_ITEMS, ItemProblem
from crm_shared.errors import CrmError
from crm_shared.fields import DecimalField, Instant, MoneyField, Read, Strict, extensible
from crm_shared.http.pagination import Page, PageQuery

MAX_LINES = 200


class ItemIn(Strict):
    """One line of a purchase."""

    name: Line
    quantity: DecimalField = Decimal(1)
    sku: ExternalId | None = Field(default=None, examples=["P-200"])
    amount: DecimalField | None = None


class PurchaseCreate(Strict):
    """A purchase, payment or return; `source` and `external_id` name it where it comes from, so a repeat is known."""

    kind: FactKind = FactKind.PURCHASE
    customer_id: CustomerId | None = Field(
        None, description="The customer by our id …", examples=["cus_064gkndciprknf6emc10j6k0as"]
    )
    customer_source: SourceName | None = Field(None, description="… or by another system …")
    customer_external_id: ExternalId | None = Field(None, description="… and its id there.")
    source: SourceName = Field(examples=["web-shop"])
    external_id: ExternalId = Field(examples=["W-1042"])
    occurred_at: Instant
    amount: MoneyField = Field(examples=[{"amount": "249.00", "currency": "EUR"}])
    quantity: DecimalField | None = None
    order_ref: ExternalId | None = None
    items: list[ItemIn] = Field(
        default_factory=list[ItemIn],
        max_length=MAX_LINES,
        examples=[[{"name": "Water pump P-200", "sku": "P-200", "quantity": "1"}]],
    )

    @model_validator(mode="after")
    def _somebody(self) -> Self:
        by_key = self.customer_source is not None and self.customer_external_id is not None
        if (self.customer_id is None) != by_key:
            raise PydanticCustomError(
                "customer_not_named", "name the customer by customer_id, or by customer_source and customer_external_id"
            )
        return self

    @property
    def customer_key(self) -> tuple[str, str] | None:
        """The customer's name in another system, if it is named so."""
        if self.customer_source is None or self.customer_external_id is None:
            return None
        return self.customer_source, self.customer_external_id

    def to_domain(self, customer_id: UUID) -> Report:
        """The command's input."""
        return Report(
            customer_id=customer_id,
            kind=self.kind,
            source=self.source,
            external_id=self.external_id,
            occurred_at=self.occurred_at,
            amount=self.amount,
            quantity=self.quantity,
            order_ref=self.order_ref,
            items=tuple(Item(item.name, item.quantity, item.sku, item.amount) for item in self.items),
        )


class PurchaseBulk(Strict):
    """Many facts."""

    items: list[PurchaseCreate] = Field(min_length=1, max_length=MAX_ITEMS)


class ItemRead(Read):
    """One line of a purchase."""

    name: str = Field(examples=["Water pump P-200"])
    quantity: DecimalField
    sku: str | None = Field(examples=["P-200"])
    amount: DecimalField | None


class PurchaseRead(Read):
    """A purchase, payment or return."""

    id: PurchaseId
    customer_id: CustomerId
    kind: Annotated[str, extensible(FactKind)]
    source: str = Field(examples=["web-shop"])
    external_id: str = Field(examples=["W-1042"])
    occurred_at: Instant
    amount: MoneyField
    quantity: DecimalField | None
    order_ref: str | None = Field(examples=["W-1042"])
    items: list[ItemRead]
    recorded_at: Instant

    @classmethod
    def of(cls, fact: MoneyFact) -> "PurchaseRead":
        """The client's view."""
        return cls(
            id=fact.id,
            customer_id=fact.customer_id,
            kind=fact.kind,
            source=fact.source,
            external_id=fact.external_id,
            occurred_at=fact.occurred_at,
            amount=fact.amount,
            quantity=fact.quantity,
            order_ref=fact.order_ref,
            items=[ItemRead(name=i.name, quantity=i.quantity, sku=i.sku, amount=i.amount) for i in fact.items],
            recorded_at=fact.recorded_at,
        )

    @classmethod
    def of_reported(cls, reported: Reported) -> "PurchaseRead":
        """The client's view of what was just reported."""
        return cls.of(reported.fact)


class PurchasePage(Page):
    """A page of what a customer did."""

    items: list[PurchaseRead]


class PurchaseFilter(PageQuery):
    """Which facts to list, the latest first."""

    kind: FactKind | None = None


class PurchaseOutcome(Read):
    """What became of one item: 201 for a new fact, 200 for a repeat."""

    status: int = Field(examples=[201])
    id: PurchaseId | None
    problem: ItemProblem | None = Field(examples=[None])

    @classmethod
    def of(cls, result: Reported | CrmError) -> "PurchaseOutcome":
        """The client's view."""
        if isinstance(result, CrmError):
            problem = ItemProblem.of(result)
            return cls(status=problem.status, id=None, problem=problem)
        return cls(status=200 if result.repeated else 201, id=result.fact.id, problem=None)


class PurchaseOutcomes(Read):
    """What became of each item, in the order sent."""

    items: list[PurchaseOutcome]

    @classmethod
    def of(cls, results: Sequence[Reported | CrmError]) -> "PurchaseOutcomes":
        """The client's view."""
        return cls(items=[PurchaseOutcome.of(result) for result in results])


class AmountsRead(Read):
    """Sums in one currency."""

    purchased: MoneyField
    returned: MoneyField
    paid: MoneyField


class BehaviourRead(Read):
    """What a customer's behaviour sums up to; each currency by itself."""

    purchases: int
    returns: int
    payments: int
    first_purchase_at: Instant | None
    last_purchase_at: Instant | None
    last_payment_at: Instant | None
    amounts: list[AmountsRead]

    @classmethod
    def of(cls, totals: Totals) -> "BehaviourRead":
        """The client's view."""
        return cls(
            purchases=totals.purchases,
            returns=totals.returns,
            payments=totals.payments,
            first_purchase_at=totals.first_purchase_at,
            last_purchase_at=totals.last_purchase_at,
            last_payment_at=totals.last_payment_at,
            amounts=[
                AmountsRead(
                    purchased=exact(amount.purchased, amount.currency),
                    returned=exact(amount.returned, amount.currency),
                    paid=exact(amount.paid, amount.currency),
                )
                for amount in totals.amounts
            ],
        )
