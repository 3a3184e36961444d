"""Local copies of customers, deals and orders. They emit nothing and may be rebuilt at any time."""

from collections.abc import Sequence
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from crm_contact_center.customers import store
from crm_contact_center.customers.domain import ContactPoint, fold
from crm_contact_center.references import CustomerId
from crm_shared.bus.handlers import Projections, Received
from crm_shared.db.pool import Tx
from crm_shared.fields import Fact, Instant, MoneyField

PROJECTIONS = Projections()


class Point(BaseModel):
    """One address in a customer's event."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    channel: str
    value: str
    verified: bool = False


class CustomerState(Fact):
    """What we read of a customer's own events."""

    display_name: str
    language: str | None = None
    contact_points: tuple[Point, ...] = ()


class SnapshotValue(Fact):
    group: str


class SnapshotLifecycle(Fact):
    state: str


class CustomerSnapshot(CustomerState):
    """The same with all that other events had told."""

    value: SnapshotValue | None = None
    lifecycle: SnapshotLifecycle | None = None


class Merged(Fact):
    survivor_id: CustomerId
    merged_id: CustomerId


class Unmerged(Fact):
    restored_id: CustomerId


class Nothing(Fact):
    """An event whose type says it all."""


class LifecycleChanged(Fact):
    state: str


class ValueRated(Fact):
    group: str


class DealOpened(Fact):
    customer_id: CustomerId
    name: str | None = None


class OfCustomer(Fact):
    customer_id: CustomerId


class OrderPlaced(Fact):
    customer_id: CustomerId
    number: str
    total: MoneyField
    placed_at: Instant


@PROJECTIONS.on("crm.customer.registered.v1", CustomerState)
@PROJECTIONS.on("crm.customer.updated.v1", CustomerState)
async def customer_known(tx: Tx, events: Sequence[Received[CustomerState]]) -> None:
    """Name, language and addresses, in full each time."""
    gone = await store.erased_among(tx, [event.aggregate_id for event in events])
    living = [event for event in events if event.aggregate_id not in gone]
    rows = [
        {"id": event.aggregate_id, "display_name": event.data.display_name, "language": event.data.language}
        for event in living
    ]
    await store.put(tx, rows, ("display_name", "language"))
    await store.replace_points(tx, {event.aggregate_id: _points(event.data.contact_points) for event in living})


@PROJECTIONS.on("crm.customer.snapshot.v1", CustomerSnapshot)
async def customer_snapshot(tx: Tx, events: Sequence[Received[CustomerSnapshot]]) -> None:
    """Everything at once."""
    await customer_known(tx, events)
    rows = [
        {
            "id": event.aggregate_id,
            "value_group": event.data.value.group if event.data.value else None,
            "lifecycle": event.data.lifecycle.state if event.data.lifecycle else None,
        }
        for event in events
    ]
    await store.put(tx, rows, ("value_group", "lifecycle"))


@PROJECTIONS.on("crm.customer.lifecycle-changed.v1", LifecycleChanged)
async def lifecycle_changed(tx: Tx, events: Sequence[Received[LifecycleChanged]]) -> None:
    """Where the customer stands."""
    await store.put(tx, [{"id": event.aggregate_id, "lifecycle": event.data.state} for event in events], ("lifecycle",))


@PROJECTIONS.on("crm.customer.value-rated.v1", ValueRated)
async def value_rated(tx: Tx, events: Sequence[Received[ValueRated]]) -> None:
    """What the customer is worth: it may choose the service level."""
    await store.put(
        tx, [{"id": event.aggregate_id, "value_group": event.data.group} for event in events], ("value_group",)
    )


@PROJECTIONS.on("crm.customer.merged.v1", Merged)
async def customer_merged(tx: Tx, events: Sequence[Received[Merged]]) -> None:
    """One person had two records; published under both keys, so it comes twice."""
    for event in events:
        await store.merge(tx, survivor_id=event.data.survivor_id, merged_id=event.data.merged_id)


@PROJECTIONS.on("crm.customer.unmerged.v1", Unmerged)
async def customer_unmerged(tx: Tx, events: Sequence[Received[Unmerged]]) -> None:
    """They were two after all."""
    for event in events:
        await store.unmerge(tx, event.data.restored_id)


@PROJECTIONS.on("crm.customer.erased.v1", Nothing)
async def customer_erased(tx: Tx, events: Sequence[Received[Nothing]]) -> None:
    """The right to be forgotten."""
    for event in events:
        await store.erase(tx, event.aggregate_id)


@PROJECTIONS.on("crm.deal.opened.v1", DealOpened)
async def deal_opened(tx: Tx, events: Sequence[Received[DealOpened]]) -> None:
    """Something is being sold to the customer: an agent should know."""
    await store.put_deal(
        tx, [_deal(event.aggregate_id, event.data.customer_id, event.data.name, open_=True) for event in events]
    )


@PROJECTIONS.on("crm.deal.won.v1", OfCustomer)
@PROJECTIONS.on("crm.deal.lost.v1", OfCustomer)
async def deal_ended(tx: Tx, events: Sequence[Received[OfCustomer]]) -> None:
    """It isn't any more."""
    await store.put_deal(tx, [_deal(event.aggregate_id, event.data.customer_id, None, open_=False) for event in events])


@PROJECTIONS.on("crm.order.placed.v1", OrderPlaced)
async def order_placed(tx: Tx, events: Sequence[Received[OrderPlaced]]) -> None:
    """The customer bought something."""
    await store.put_order(
        tx,
        [
            {
                "order_id": event.aggregate_id,
                "customer_id": event.data.customer_id,
                "number": event.data.number,
                "placed_at": event.data.placed_at,
                "total_amount": format(event.data.total.amount, "f"),
                "total_currency": event.data.total.currency,
            }
            for event in events
        ],
    )
    for event in events:
        await store.note_order(tx, event.data.customer_id, event.data.placed_at)


def _deal(deal_id: UUID, customer_id: UUID, name: str | None, *, open_: bool) -> dict[str, object]:
    return {"deal_id": deal_id, "customer_id": customer_id, "name": name, "open": open_}


def _points(points: Sequence[Point]) -> list[tuple[ContactPoint, bool]]:
    found: list[tuple[ContactPoint, bool]] = []
    for point in points:
        folded = fold(point.channel, point.value)
        if folded:
            found.append((ContactPoint(point.channel, point.value, folded), point.verified))
    return found
