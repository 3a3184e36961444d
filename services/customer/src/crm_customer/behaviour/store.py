"""SQL of behaviour: facts in, sums out."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, bindparam, delete, func, insert, select, tuple_, update

from crm_customer.behaviour.domain import CurrencyTotals, FactKind, Item, MoneyFact, Totals, exact
from crm_customer.behaviour.tables import behaviour_amount, behaviour_total, money_fact
from crm_shared.db.pool import Record, Tx
from crm_shared.db.statements import any_of, any_param

f = money_fact.c
_COLUMNS = [column.name for column in money_fact.columns]
_KNOWN = select(money_fact).where(f.source == bindparam("source"), any_param(f.external_id, "external_ids"))


def _count(kind: FactKind) -> ColumnElement[int]:
    return func.count().filter(f.kind == kind.value)


def _sum(kind: FactKind) -> ColumnElement[Decimal]:
    return func.coalesce(func.sum(f.amount).filter(f.kind == kind.value), 0)


def _bound(name: str, kind: FactKind) -> ColumnElement[Any]:
    return getattr(func, name)(f.occurred_at).filter(f.kind == kind.value)


_DROP_TOTALS = delete(behaviour_total).where(any_param(behaviour_total.c.customer_id, "ids"))
_ADD_TOTALS = insert(behaviour_total).from_select(
    [column.name for column in behaviour_total.columns],
    select(
        f.tenant_id,
        f.owner_id,
        _count(FactKind.PURCHASE),
        _count(FactKind.RETURN),
        _count(FactKind.PAYMENT),
        _bound("min", FactKind.PURCHASE),
        _bound("max", FactKind.PURCHASE),
        _bound("max", FactKind.PAYMENT),
    )
    .where(any_param(f.owner_id, "ids"))
    .group_by(f.tenant_id, f.owner_id),
)
_DROP_AMOUNTS = delete(behaviour_amount).where(any_param(behaviour_amount.c.customer_id, "ids"))
_ADD_AMOUNTS = insert(behaviour_amount).from_select(
    [column.name for column in behaviour_amount.columns],
    select(
        f.tenant_id,
        f.owner_id,
        f.currency,
        _sum(FactKind.PURCHASE),
        _sum(FactKind.RETURN),
        _sum(FactKind.PAYMENT),
    )
    .where(any_param(f.owner_id, "ids"))
    .group_by(f.tenant_id, f.owner_id, f.currency),
)
_TOTALS = select(behaviour_total).where(behaviour_total.c.customer_id == bindparam("id"))
_AMOUNTS = (
    select(behaviour_amount)
    .where(behaviour_amount.c.customer_id == bindparam("id"))
    .order_by(behaviour_amount.c.currency)
)
_HAND_OVER = update(money_fact).where(f.owner_id == bindparam("old")).values(owner_id=bindparam("new"))
_HAND_BACK = (
    update(money_fact)
    .where(f.owner_id == bindparam("old"), any_param(f.customer_id, "ids"))
    .values(owner_id=bindparam("new"))
)


def _fact(row: Record) -> MoneyFact:
    return MoneyFact(
        id=row["id"],
        customer_id=row["customer_id"],
        kind=FactKind(row["kind"]),
        source=row["source"],
        external_id=row["external_id"],
        occurred_at=row["occurred_at"],
        amount=exact(row["amount"], row["currency"]),
        quantity=row["quantity"],
        order_ref=row["order_ref"],
        items=tuple(_item(item) for item in row["items"] or ()),
        recorded_at=row["recorded_at"],
    )


def _item(item: dict[str, Any]) -> Item:
    amount = item["amount"]
    return Item(item["name"], Decimal(item["quantity"]), item["sku"], None if amount is None else Decimal(amount))


def _values(tx: Tx, fact: MoneyFact, owner_id: UUID) -> tuple[Any, ...]:
    items = [
        {
            "name": i.name,
            "quantity": str(i.quantity),
            "sku": i.sku,
            "amount": None if i.amount is None else str(i.amount),
        }
        for i in fact.items
    ]
    return (
        tx.tenant,
        fact.id,
        fact.customer_id,
        owner_id,
        fact.kind.value,
        fact.source,
        fact.external_id,
        fact.occurred_at,
        fact.amount.amount,
        fact.amount.currency,
        fact.quantity,
        fact.order_ref,
        items or None,
        fact.recorded_at,
    )


async def append(tx: Tx, facts: Sequence[tuple[MoneyFact, UUID]]) -> None:
    """Add facts, each with the customer who answers for it."""
    if len(facts) == 1:
        await tx.run(insert(money_fact).values(dict(zip(_COLUMNS, _values(tx, *facts[0]), strict=True))))
    elif facts:
        await tx.copy(money_fact, _COLUMNS, [_values(tx, fact, owner) for fact, owner in facts])


async def known(tx: Tx, source: str, external_ids: Sequence[str]) -> list[MoneyFact]:
    """Facts that a system has reported before under these ids."""
    return [_fact(row) for row in await tx.all(_KNOWN, {"source": source, "external_ids": list(external_ids)})]


async def sum_up(tx: Tx, customers: Sequence[UUID]) -> None:
    """Work out the side rows of these answering customers from their facts."""
    params = {"ids": list(customers)}
    for statement in (_DROP_TOTALS, _ADD_TOTALS, _DROP_AMOUNTS, _ADD_AMOUNTS):
        await tx.run(statement, params)


async def totals(tx: Tx, customer_id: UUID) -> Totals:
    """What an answering customer's behaviour sums up to."""
    row = await tx.one(_TOTALS, {"id": customer_id})
    if row is None:
        return Totals(0, 0, 0, None, None, None, ())
    amounts = await tx.all(_AMOUNTS, {"id": customer_id})
    return Totals(
        purchases=row["purchases"],
        returns=row["returns"],
        payments=row["payments"],
        first_purchase_at=row["first_purchase_at"],
        last_purchase_at=row["last_purchase_at"],
        last_payment_at=row["last_payment_at"],
        amounts=tuple(CurrencyTotals(a["currency"], a["purchased"], a["returned"], a["paid"]) for a in amounts),
    )


async def page(
    tx: Tx, customer_id: UUID, kind: FactKind | None, *, limit: int, after: tuple[datetime, UUID] | None
) -> list[MoneyFact]:
    """A page of an answering customer's facts, the latest first."""
    kinds = [each.value for each in FactKind] if kind is None else [kind.value]
    statement = select(money_fact).where(f.owner_id == customer_id, any_of(f.kind, kinds))
    if after is not None:
        statement = statement.where(tuple_(f.occurred_at, f.id) < tuple_(after[0], after[1]))
    statement = statement.order_by(f.occurred_at.desc(), f.id.desc()).limit(limit)
    return [_fact(row) for row in await tx.all(statement)]


async def hand_over(tx: Tx, *, merged: UUID, survivor: UUID) -> None:
    """Let the survivor answer for what the merged record's family did; the reports keep the id they named."""
    await tx.run(_HAND_OVER, {"old": merged, "new": survivor})


async def hand_back(tx: Tx, *, survivor: UUID, restored: UUID, family: Sequence[UUID]) -> None:
    """Let a record that has been set free answer for itself and its own family again."""
    await tx.run(_HAND_BACK, {"old": survivor, "new": restored, "ids": list(family)})
