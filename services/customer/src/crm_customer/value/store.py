"""SQL of ratings: scores by window functions over all who bought."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Numeric,
    and_,
    bindparam,
    case,
    delete,
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy import Uuid as SqlUuid
from sqlalchemy.dialects.postgresql import insert as pg_insert

from crm_customer.behaviour.domain import FactKind
from crm_customer.behaviour.tables import behaviour_amount, money_fact
from crm_customer.parties.domain import Status
from crm_customer.parties.tables import customer
from crm_customer.value.domain import SCORES, Dimension, Rating, ValueGroup, group_of
from crm_customer.value.tables import value_draft, value_rating, value_run
from crm_shared.db.pool import Record, Tx
from crm_shared.db.statements import any_of


@dataclass(frozen=True, slots=True)
class Run:
    """One rating of all customers."""

    run: int
    as_of: datetime
    currency: str
    customers: int
    changed: int
    started_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class Rated:
    """A customer's rating as it is kept."""

    rating: Rating
    run: int
    rated_at: datetime


@dataclass(frozen=True, slots=True)
class Drafted:
    """A rating a run has worked out, and whether its scores differ from those kept."""

    rating: Rating
    scores_changed: bool


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a cross table."""

    row: int
    column: int
    customers: int
    total: Decimal


f, v, d = money_fact.c, value_rating.c, value_draft.c


def _scoring() -> Any:
    """All who bought, with their scores by the tie rule of the domain."""
    bought = f.kind == FactKind.PURCHASE.value
    signed = case(
        (f.currency != bindparam("currency"), literal_column("0", type_=Numeric())),
        (bought, f.amount),
        else_=-f.amount,
    )
    own = (
        select(
            f.tenant_id,
            f.owner_id,
            func.count().filter(bought).label("purchases"),
            func.max(f.occurred_at).filter(bought).label("last_purchase_at"),
            func.sum(signed).label("total"),
        )
        .join(customer, and_(customer.c.tenant_id == f.tenant_id, customer.c.id == f.owner_id))
        .where(
            or_(bought, f.kind == FactKind.RETURN.value),
            f.occurred_at <= bindparam("as_of", type_=f.occurred_at.type),
            customer.c.status == Status.ACTIVE.value,
        )
        .group_by(f.tenant_id, f.owner_id)
        .having(func.count().filter(bought) > 0)
        .subquery("own")
    )

    def fifth(column: Any) -> Any:
        below = func.rank(type_=BigInteger()).over(order_by=column) - 1
        return 1 + func.div(SCORES * below, func.count().over())

    return select(
        own.c.tenant_id,
        bindparam("run", type_=value_draft.c.run.type),
        own.c.owner_id,
        fifth(own.c.last_purchase_at),
        fifth(own.c.purchases),
        fifth(own.c.total),
        own.c.purchases,
        own.c.last_purchase_at,
        own.c.total,
    )


_DRAFT = insert(value_draft).from_select(
    [
        "tenant_id",
        "run",
        "customer_id",
        "recency",
        "frequency",
        "monetary",
        "purchases",
        "last_purchase_at",
        "total",
    ],
    _scoring(),
)
_scores_differ = or_(
    v.customer_id.is_(None), v.recency != d.recency, v.frequency != d.frequency, v.monetary != d.monetary
)
_NEXT = (
    select(value_draft, _scores_differ.label("scores_changed"))
    .select_from(value_draft.outerjoin(value_rating, and_(v.tenant_id == d.tenant_id, v.customer_id == d.customer_id)))
    .where(d.run == bindparam("run"), d.customer_id > bindparam("after", type_=SqlUuid()))
    .order_by(d.customer_id)
    .limit(bindparam("limit"))
)
_SCORES = range(1, SCORES + 1)
_COMBINATIONS = [(r, f, m) for r in _SCORES for f in _SCORES for m in _SCORES]


def _group() -> Any:
    """The named group of a draft's scores, looked up in what the domain says of every combination."""
    key = d.recency * 100 + d.frequency * 10 + d.monetary
    fitting = {
        group: [r * 100 + f * 10 + m for r, f, m in _COMBINATIONS if group_of(r, f, m) is group] for group in ValueGroup
    }
    return case(*((any_of(key, keys), group.value) for group, keys in fitting.items()))


_keep = pg_insert(value_rating).from_select(
    [column.name for column in value_rating.columns],
    select(
        d.tenant_id,
        d.customer_id,
        d.recency,
        d.frequency,
        d.monetary,
        _group(),
        d.purchases,
        d.last_purchase_at,
        d.total,
        bindparam("currency", type_=v.currency.type),
        d.run,
        bindparam("now", type_=v.rated_at.type),
    ).where(
        d.run == bindparam("run"),
        d.customer_id > bindparam("after", type_=SqlUuid()),
        d.customer_id <= bindparam("upto", type_=SqlUuid()),
    ),
)
_KEEP = _keep.on_conflict_do_update(
    index_elements=["tenant_id", "customer_id"],
    set_={c.name: _keep.excluded[c.name] for c in value_rating.columns if c.name not in ("tenant_id", "customer_id")},
    where=v.run <= _keep.excluded.run,  # of two runs at once the later one's word stands
)
# Every rating of this run bears its number; what bears an earlier one has been rated no more.
_DROP_UNRATED = delete(value_rating).where(v.run < bindparam("run"))
_DROP_DRAFT = delete(value_draft).where(d.run <= bindparam("run"))
_COUNT_DRAFT = select(func.count()).select_from(value_draft).where(d.run == bindparam("run"))
_LAST_RUN = select(func.coalesce(func.max(value_run.c.run), 0))
_ADD_RUN = insert(value_run).values({column.name: bindparam(column.name) for column in value_run.columns})
_FINISH_RUN = (
    update(value_run)
    .where(value_run.c.run == bindparam("r"))
    .values(finished_at=bindparam("at"), changed=bindparam("n"))
)
_RUNS = (
    select(value_run)
    .where(value_run.c.run < bindparam("before"))
    .order_by(value_run.c.run.desc())
    .limit(bindparam("limit"))
)
_ONE = select(value_rating).where(v.customer_id == bindparam("id"))
_GROUPS = (
    select(v.value_group, v.currency, func.count().label("customers"), func.sum(v.total).label("total"))
    .group_by(v.value_group, v.currency)
    .order_by(v.value_group)
)
_CURRENCY = (
    select(behaviour_amount.c.currency)
    .group_by(behaviour_amount.c.currency)
    .order_by(func.count().desc(), behaviour_amount.c.currency)
    .limit(1)
)


async def main_currency(tx: Tx) -> str | None:
    """The currency that most customers pay in."""
    return await tx.scalar(_CURRENCY, {})


async def begin(tx: Tx, *, as_of: datetime, currency: str, now: datetime) -> Run:
    """Work out everybody's scores as they were at a time, and keep them apart as a run's draft."""
    number = int(await tx.scalar(_LAST_RUN, {})) + 1
    await tx.run(_DRAFT, {"run": number, "as_of": as_of, "currency": currency})
    customers = int(await tx.scalar(_COUNT_DRAFT, {"run": number}))
    run = Run(number, as_of, currency, customers, 0, now, None)
    await tx.run(
        _ADD_RUN,
        {
            "tenant_id": tx.tenant,
            "run": run.run,
            "as_of": run.as_of,
            "currency": run.currency,
            "customers": run.customers,
            "changed": run.changed,
            "started_at": run.started_at,
            "finished_at": None,
        },
    )
    return run


async def begun(tx: Tx, run: int) -> Run | None:
    """A run that has begun."""
    found = await runs(tx, limit=1, before=run + 1)
    return found[0] if found and found[0].run == run else None


async def drafted(tx: Tx, run: Run, *, after: UUID, limit: int) -> list[Drafted]:
    """The next ratings of a run's draft."""
    rows = await tx.all(_NEXT, {"run": run.run, "after": after, "limit": limit})
    return [Drafted(_rating(row, run.currency), row["scores_changed"]) for row in rows]


def _rating(row: Record, currency: str) -> Rating:
    return Rating(
        customer_id=row["customer_id"],
        recency=row["recency"],
        frequency=row["frequency"],
        monetary=row["monetary"],
        purchases=row["purchases"],
        last_purchase_at=row["last_purchase_at"],
        total=row["total"],
        currency=currency,
    )


async def keep(tx: Tx, run: Run, *, after: UUID, upto: UUID, now: datetime) -> None:
    """Keep a stretch of a run's draft in place of earlier ratings."""
    params = {"run": run.run, "currency": run.currency, "after": after, "upto": upto, "now": now}
    await tx.run(_KEEP, params)


async def finish(tx: Tx, run: int, *, changed: int, now: datetime) -> None:
    """End a run: whoever it did not rate has no rating any more, and its draft goes."""
    await tx.run(_DROP_UNRATED, {"run": run})
    await tx.run(_DROP_DRAFT, {"run": run})
    await tx.run(_FINISH_RUN, {"r": run, "at": now, "n": changed})


async def runs(tx: Tx, *, limit: int, before: int) -> list[Run]:
    """A page of runs, the latest first."""
    rows = await tx.all(_RUNS, {"limit": limit, "before": before})
    names = [column.name for column in value_run.columns if column.name != "tenant_id"]
    return [Run(**{name: row[name] for name in names}) for row in rows]


async def rated(tx: Tx, customer_id: UUID) -> Rated | None:
    """An answering customer's rating."""
    row = await tx.one(_ONE, {"id": customer_id})
    return None if row is None else Rated(_rating(row, row["currency"]), row["run"], row["rated_at"])


async def rated_many(tx: Tx, ids: Sequence[UUID]) -> list[Rated]:
    """The ratings of those of these customers who have one."""
    rows = await tx.all(select(value_rating).where(any_of(v.customer_id, list(ids))))
    return [Rated(_rating(row, row["currency"]), row["run"], row["rated_at"]) for row in rows]


async def groups(tx: Tx) -> list[tuple[ValueGroup, str, int, Decimal]]:
    """How many customers each named group holds, and what they spent, currency by currency."""
    rows = await tx.all(_GROUPS, {})
    return [(ValueGroup(row["value_group"]), row["currency"], row["customers"], row["total"]) for row in rows]


async def cross_table(tx: Tx, rows: Dimension, columns: Dimension) -> list[Cell]:
    """How many customers have which pair of scores, and what they spent."""
    row, column = v[rows.value], v[columns.value]
    statement = (
        select(row.label("r"), column.label("c"), func.count().label("customers"), func.sum(v.total).label("total"))
        .group_by(row, column)
        .order_by(row, column)
    )
    found = await tx.all(statement)
    return [Cell(each["r"], each["c"], each["customers"], each["total"]) for each in found]
