"""Value as clients send and see it."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated

from pydantic import Field

from crm_customer.behaviour.domain import exact
from crm_customer.fields import Currency, CustomerId
from crm_customer.value.domain import SCORES, Dimension, ValueGroup
from crm_customer.value.store import Cell, Rated, Run
from crm_shared.fields import DecimalField, Instant, MoneyField, Read, Strict, extensible
from crm_shared.http.pagination import Page


class RatingStart(Strict):
    """Rate all customers."""

    as_of: Instant | None = Field(None, description="Only what happened until then counts; else the tenant's present.")
    currency: Currency | None = Field(
        None, description="The currency of the monetary score; else the commonest.", examples=["EUR"]
    )


class RunRead(Read):
    """One rating of all customers."""

    run: int
    as_of: Instant
    currency: str = Field(examples=["EUR"])
    customers: int = Field(examples=[5000])
    changed: int
    started_at: Instant
    finished_at: Instant | None

    @classmethod
    def of(cls, run: Run) -> "RunRead":
        """The client's view."""
        return cls(
            run=run.run,
            as_of=run.as_of,
            currency=run.currency,
            customers=run.customers,
            changed=run.changed,
            started_at=run.started_at,
            finished_at=run.finished_at,
        )


class RunPage(Page):
    """A page of runs."""

    items: list[RunRead]


class ValueRead(Read):
    """A customer's scores, 1 to 5, and what they rest on."""

    customer_id: CustomerId
    recency: int = Field(examples=[4])
    frequency: int = Field(examples=[3])
    monetary: int = Field(examples=[4])
    group: Annotated[str, extensible(ValueGroup)] = Field(examples=["loyal"])
    purchases: int = Field(examples=[7])
    last_purchase_at: Instant
    total: MoneyField
    run: int
    rated_at: Instant

    @classmethod
    def of(cls, rated: Rated) -> "ValueRead":
        """The client's view."""
        rating = rated.rating
        return cls(
            customer_id=rating.customer_id,
            recency=rating.recency,
            frequency=rating.frequency,
            monetary=rating.monetary,
            group=rating.group,
            purchases=rating.purchases,
            last_purchase_at=rating.last_purchase_at,
            total=exact(rating.total, rating.currency),
            run=rated.run,
            rated_at=rated.rated_at,
        )


class CellRead(Read):
    """One cell: how many customers have this pair of scores, and what they spent in the rating's currency."""

    row: int
    column: int
    customers: int
    total: DecimalField


class CrossTable(Read):
    """Two scores against each other, every pair listed."""

    rows: Annotated[str, extensible(Dimension)]
    columns: Annotated[str, extensible(Dimension)]
    customers: int
    cells: list[CellRead]

    @classmethod
    def of(cls, rows: Dimension, columns: Dimension, cells: Sequence[Cell]) -> "CrossTable":
        """The client's view."""
        known = {(cell.row, cell.column): cell for cell in cells}
        scores = range(1, SCORES + 1)
        empty = Cell(0, 0, 0, Decimal(0))
        return cls(
            rows=rows,
            columns=columns,
            customers=sum(cell.customers for cell in cells),
            cells=[
                CellRead(row=r, column=c, customers=cell.customers, total=cell.total)
                for r in scores
                for c in scores
                for cell in (known.get((r, c), empty),)
            ],
        )


class GroupRead(Read):
    """How many customers a named group holds, and what they spent."""

    group: Annotated[str, extensible(ValueGroup)]
    customers: int
    total: MoneyField


class Groups(Read):
    """The named groups, each currency by itself."""

    items: list[GroupRead]

    @classmethod
    def of(cls, groups: Sequence[tuple[ValueGroup, str, int, Decimal]]) -> "Groups":
        """The client's view."""
        return cls(
            items=[
                GroupRead(group=group, customers=customers, total=exact(total, currency))
                for group, currency, customers, total in groups
            ]
        )
