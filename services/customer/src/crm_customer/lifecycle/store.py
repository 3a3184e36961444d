"""SQL of lifecycles: the rules over many customers at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, bindparam, case, func, literal, select
from sqlalchemy import Uuid as SqlUuid
from sqlalchemy.dialects.postgresql import insert

from crm_customer.behaviour.tables import behaviour_total
from crm_customer.lifecycle.domain import AWAY, LifecycleState, Rules
from crm_customer.lifecycle.tables import lifecycle, lifecycle_rules, lifecycle_target, lifecycle_transition
from crm_customer.parties.domain import Status
from crm_customer.parties.tables import customer
from crm_shared.db.pool import Record, Tx
from crm_shared.db.statements import any_of

LAST_ID = UUID(int=2**128 - 1)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the rules say of one customer whose state changes."""

    customer_id: UUID
    previous: LifecycleState
    state: LifecycleState
    purchases: int


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a customer stands, why, and since when."""

    customer_id: UUID
    state: LifecycleState
    reason: str
    since: datetime | None


@dataclass(frozen=True, slots=True)
class Transition:
    """One step of a customer's way."""

    id: UUID
    customer_id: UUID
    previous: LifecycleState
    state: LifecycleState
    reason: str
    purchases: int
    rules_version: int
    changed_at: datetime
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class Shift:
    """How many customers would go from one state to another."""

    previous: LifecycleState
    state: LifecycleState
    customers: int


c, t, now_at = customer.c, behaviour_total.c, lifecycle.c
_stands = func.coalesce(now_at.state, LifecycleState.POTENTIAL.value)
_bought = func.coalesce(t.purchases, 0)
_joined = (
    customer.outerjoin(behaviour_total, and_(t.tenant_id == c.tenant_id, t.customer_id == c.id))
    .outerjoin(lifecycle, and_(now_at.tenant_id == c.tenant_id, now_at.customer_id == c.id))
    .outerjoin(
        lifecycle_target,
        and_(lifecycle_target.c.tenant_id == c.tenant_id, lifecycle_target.c.customer_id == c.id),
    )
)
_set = insert(lifecycle).values({column.name: bindparam(column.name) for column in lifecycle.columns})
_SET = _set.on_conflict_do_update(
    index_elements=["tenant_id", "customer_id"],
    set_={name: _set.excluded[name] for name in ("state", "purchases", "reason", "since")},
)
_STEP_COLUMNS = [column.name for column in lifecycle_transition.columns]
_STEPS = (
    select(lifecycle_transition)
    .where(
        lifecycle_transition.c.customer_id == bindparam("id"),
        lifecycle_transition.c.id < bindparam("before", type_=SqlUuid()),
    )
    .order_by(lifecycle_transition.c.id.desc())
    .limit(bindparam("limit"))
)
_ONE = select(lifecycle).where(now_at.customer_id == bindparam("id"))
_COUNTS = (
    select(now_at.state, func.count().label("customers"))
    .join(customer, and_(c.tenant_id == now_at.tenant_id, c.id == now_at.customer_id))
    .where(c.status == Status.ACTIVE.value)
    .group_by(now_at.state)
)
_ACTIVE = select(func.count()).select_from(customer).where(c.status == Status.ACTIVE.value)
_RULES = select(lifecycle_rules).order_by(lifecycle_rules.c.version.desc()).limit(1)
_ADD_RULES = (
    insert(lifecycle_rules)
    .values({column.name: bindparam(column.name) for column in lifecycle_rules.columns})
    .on_conflict_do_nothing()
)


def _verdict(rules: Rules, now: datetime) -> ColumnElement[str]:
    """The rules of `domain.evaluate` as one expression."""
    present = rules.present(now)
    bought_since = _bought > func.coalesce(now_at.purchases, 0)
    return case(
        (
            _bought == 0,
            case(
                (lifecycle_target.c.customer_id.is_not(None), LifecycleState.TARGET.value),
                else_=LifecycleState.POTENTIAL.value,
            ),
        ),
        (t.last_purchase_at < present - timedelta(days=rules.lost_after_days), LifecycleState.LOST.value),
        (t.last_purchase_at < present - timedelta(days=rules.lapsed_after_days), LifecycleState.LAPSED.value),
        (and_(any_of(_stands, [state.value for state in AWAY]), bought_since), LifecycleState.WON_BACK.value),
        (
            and_(_stands == LifecycleState.WON_BACK.value, ~bought_since),
            LifecycleState.WON_BACK.value,
        ),
        (rules.loyal_from <= _bought, LifecycleState.LOYAL.value),
        (rules.repeat_from <= _bought, LifecycleState.REPEAT.value),
        else_=LifecycleState.FIRST_PURCHASE.value,
    )


async def verdicts(tx: Tx, ids: Sequence[UUID], rules: Rules, *, now: datetime) -> list[Verdict]:
    """What the rules say of these customers, where it differs from where they stand."""
    state = _verdict(rules, now)
    statement = (
        select(c.id, _stands.label("previous"), state.label("state"), _bought.label("purchases"))
        .select_from(_joined)
        .where(any_of(c.id, list(ids)), c.status == Status.ACTIVE.value, state != _stands)
        .order_by(c.id)
    )
    return [
        Verdict(row["id"], LifecycleState(row["previous"]), LifecycleState(row["state"]), row["purchases"])
        for row in await tx.all(statement)
    ]


async def shifts(tx: Tx, rules: Rules, *, now: datetime) -> list[Shift]:
    """What would change for all customers under these rules, counted."""
    state = _verdict(rules, now)
    inner = (
        select(_stands.label("previous"), state.label("state"))
        .select_from(_joined)
        .where(c.status == Status.ACTIVE.value)
        .subquery()
    )
    counted = (
        select(inner.c.previous, inner.c.state, func.count().label("customers"))
        .where(inner.c.previous != inner.c.state)
        .group_by(inner.c.previous, inner.c.state)
        .order_by(func.count().desc(), inner.c.previous, inner.c.state)
    )
    return [
        Shift(LifecycleState(row["previous"]), LifecycleState(row["state"]), row["customers"])
        for row in await tx.all(counted)
    ]


async def move(tx: Tx, steps: Sequence[Transition]) -> None:
    """Write down where customers stand now, and the steps that led there."""
    await tx.many(
        _SET,
        [
            {
                "tenant_id": tx.tenant,
                "customer_id": step.customer_id,
                "state": step.state.value,
                "purchases": step.purchases,
                "reason": step.reason,
                "since": step.changed_at,
            }
            for step in steps
        ],
    )
    if steps:
        rows = [
            (
                tx.tenant,
                step.id,
                step.customer_id,
                step.previous.value,
                step.state.value,
                step.reason,
                step.purchases,
                step.rules_version,
                step.changed_at,
                step.recorded_at,
            )
            for step in steps
        ]
        await tx.copy(lifecycle_transition, _STEP_COLUMNS, rows)


async def standing(tx: Tx, customer_id: UUID) -> Standing:
    """Where an answering customer stands."""
    row = await tx.one(_ONE, {"id": customer_id})
    if row is None:
        return Standing(customer_id, LifecycleState.POTENTIAL, "has not bought yet", None)
    return Standing(customer_id, LifecycleState(row["state"]), row["reason"], row["since"])


async def standings(tx: Tx, ids: Sequence[UUID]) -> list[Standing]:
    """Where those of these customers stand who have moved at all."""
    rows = await tx.all(select(lifecycle).where(any_of(now_at.customer_id, list(ids))))
    return [Standing(row["customer_id"], LifecycleState(row["state"]), row["reason"], row["since"]) for row in rows]


async def steps(tx: Tx, customer_id: UUID, *, limit: int, before: UUID) -> list[Transition]:
    """A page of a customer's way, the latest step first."""
    rows = await tx.all(_STEPS, {"id": customer_id, "limit": limit, "before": before})
    return [_transition(row) for row in rows]


def _transition(row: Record) -> Transition:
    return Transition(
        id=row["id"],
        customer_id=row["customer_id"],
        previous=LifecycleState(row["previous"]),
        state=LifecycleState(row["state"]),
        reason=row["reason"],
        purchases=row["purchases"],
        rules_version=row["rules_version"],
        changed_at=row["changed_at"],
        recorded_at=row["recorded_at"],
    )


async def counts(tx: Tx) -> dict[LifecycleState, int]:
    """How many customers stand where; whoever has no row is potential."""
    found = {LifecycleState(row["state"]): int(row["customers"]) for row in await tx.all(_COUNTS, {})}
    rest = int(await tx.scalar(_ACTIVE, {})) - sum(found.values())
    found[LifecycleState.POTENTIAL] = found.get(LifecycleState.POTENTIAL, 0) + max(rest, 0)
    return found


async def rules(tx: Tx) -> Rules:
    """The tenant's rules in force."""
    row = await tx.one(_RULES, {})
    if row is None:
        return Rules()
    kept: dict[str, Any] = row["rules"]
    as_of = kept["as_of"]
    return Rules(
        repeat_from=kept["repeat_from"],
        loyal_from=kept["loyal_from"],
        lapsed_after_days=kept["lapsed_after_days"],
        lost_after_days=kept["lost_after_days"],
        as_of=None if as_of is None else datetime.fromisoformat(as_of),
        version=row["version"],
    )


async def add_rules(tx: Tx, accepted: Rules, *, actor: str, now: datetime) -> bool:
    """Keep a new version of the rules, older ones stay; says whether nobody else has made this version meanwhile."""
    kept = {
        "repeat_from": accepted.repeat_from,
        "loyal_from": accepted.loyal_from,
        "lapsed_after_days": accepted.lapsed_after_days,
        "lost_after_days": accepted.lost_after_days,
        "as_of": None if accepted.as_of is None else accepted.as_of.isoformat(),
    }
    params = {"tenant_id": tx.tenant, "version": accepted.version, "rules": kept, "accepted_at": now, "actor": actor}
    return await tx.run(_ADD_RULES, params) > 0


async def aim_at(tx: Tx, ids: Sequence[UUID], *, at: datetime) -> list[UUID]:
    """Remember that customers were approached; says for whom it is the first time."""
    statement = (
        insert(lifecycle_target)
        .from_select(
            ["tenant_id", "customer_id", "targeted_at"],
            select(c.tenant_id, c.id, literal(at, lifecycle_target.c.targeted_at.type)).where(any_of(c.id, list(ids))),
        )
        .on_conflict_do_nothing()
        .returning(lifecycle_target.c.customer_id)
    )
    return [row["customer_id"] for row in await tx.all(statement)]
