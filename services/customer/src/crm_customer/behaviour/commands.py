"""Reporting purchases, payments and returns."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from crm_customer.behaviour import store
from crm_customer.behaviour.domain import DERIVED_WORK, FactKind, Item, MoneyFact
from crm_customer.parties.store import aliases, writing
from crm_shared.db.due import schedule
from crm_shared.db.pool import Tx
from crm_shared.errors import Conflict, CrmError, Invalid, NotFound
from crm_shared.ids import new_id, public_id
from crm_shared.money import Money
from crm_shared.tenancy import Viewer

MAX_CLOCK_SKEW = timedelta(minutes=5)
Key = tuple[str, FactKind, str]


@dataclass(frozen=True, slots=True)
class Report:
    """A purchase, payment or return that another system reports."""

    customer_id: UUID
    kind: FactKind
    source: str
    external_id: str
    occurred_at: datetime
    amount: Money
    quantity: Decimal | None = None
    order_ref: str | None = None
    items: tuple[Item, ...] = ()

    @property
    def key(self) -> Key:
        """What makes a second report of the same thing a repeat."""
        return self.source, self.kind, self.external_id


@dataclass(frozen=True, slots=True)
class Reported:
    """A fact as it is kept, and whether it had been reported before."""

    fact: MoneyFact
    repeated: bool


async def report(tx: Tx, viewer: Viewer, data: Report, *, now: datetime) -> Reported:
    """Report one fact; a repeat changes nothing.

    Raises:
        NotFound: there is no such customer.
        Conflict: the same source reported something else under this id.
        Invalid: it lies in the future.
    """
    result = (await report_many(tx, viewer, [data], now=now))[0]
    if isinstance(result, CrmError):
        raise result
    return result


async def report_many(
    tx: Tx, viewer: Viewer, items: Sequence[Report], *, now: datetime, announce: bool = True
) -> list[Reported | CrmError]:
    """Report facts; a refused one stands as its refusal. Without `announce` the caller sees to what follows."""
    answering = await aliases.canonical(tx, list({item.customer_id for item in items}))
    present = await writing.lock_ids(tx, list(set(answering.values())))
    known = await _known(tx, items)
    results: list[Reported | CrmError] = []
    fresh: list[tuple[MoneyFact, UUID]] = []
    for item in items:
        owner = answering[item.customer_id]
        result = _judge(item, known.get(item.key), exists=owner in present, now=now)
        results.append(result)
        if isinstance(result, Reported) and not result.repeated:
            fresh.append((result.fact, owner))
            known[item.key] = result.fact
    await store.append(tx, fresh)
    touched = sorted({owner for _, owner in fresh})
    if touched:
        await store.sum_up(tx, touched)
        if announce:
            await announce_change(tx, touched, now=now)
    return results


async def announce_change(tx: Tx, customers: Sequence[UUID], *, now: datetime) -> None:
    """Have what is derived from behaviour be worked out anew, for these customers together."""
    payload = {"customers": [str(each) for each in customers]}
    for kind in DERIVED_WORK:
        await schedule(tx, kind, key=str(new_id()), due_at=now, payload=payload)


async def _known(tx: Tx, items: Sequence[Report]) -> dict[Key, MoneyFact]:
    by_source: defaultdict[str, list[str]] = defaultdict(list)
    for item in items:
        by_source[item.source].append(item.external_id)
    facts = [fact for source, ids in by_source.items() for fact in await store.known(tx, source, ids)]
    return {(fact.source, fact.kind, fact.external_id): fact for fact in facts}


def _judge(item: Report, known: MoneyFact | None, *, exists: bool, now: datetime) -> Reported | CrmError:
    if not exists:
        return NotFound.of("customer", public_id("cus", item.customer_id))
    if item.occurred_at > now + MAX_CLOCK_SKEW:
        return Invalid.field("/occurred_at", "What is reported must have happened.", code="in_the_future")
    if item.amount.amount < 0:
        return Invalid.field("/amount", "An amount isn't negative; report a return instead.", code="amount_negative")
    fact = _fact(item, now)
    if known is None:
        return Reported(fact, repeated=False)
    if not known.says_the_same_as(fact):
        return Conflict(f"{item.source} reported something else as {item.external_id}.", code="external_id_reused")
    return Reported(known, repeated=True)


def _fact(item: Report, now: datetime) -> MoneyFact:
    return MoneyFact(
        id=new_id(),
        customer_id=item.customer_id,
        kind=item.kind,
        source=item.source,
        external_id=item.external_id,
        occurred_at=item.occurred_at,
        amount=item.amount,
        quantity=item.quantity,
        order_ref=item.order_ref,
        items=item.items,
        recorded_at=now,
    )
