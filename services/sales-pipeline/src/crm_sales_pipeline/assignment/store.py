"""Reading and writing sellers, rules and assignments."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.dialects.postgresql import insert

from crm_sales_pipeline.assignment.domain import Assignment, Candidate, Draw, Rule, Seller, Strategy
from crm_sales_pipeline.assignment.tables import assignment, assignment_rule, seller
from crm_sales_pipeline.lists.store import beyond
from crm_shared.db.pool import Record, Tx
from crm_shared.db.statements import any_of

_GET_SELLER = select(seller).where(seller.c.id == bindparam("id"))
_LOCK_SELLER = _GET_SELLER.with_for_update()
_user_insert = insert(seller).values(
    tenant_id=bindparam("tenant_id"),
    id=bindparam("id"),
    name=bindparam("name"),
    email=bindparam("email"),
    active=bindparam("active"),
    weight=1,
    capacity=None,
    teams=[],
    partner=None,
    version=1,
)
# A user's name, address and role are the gateway's to say; weight, capacity and teams are ours.
_FROM_USER = _user_insert.on_conflict_do_update(
    index_elements=[seller.c.tenant_id, seller.c.id],
    set_={name: _user_insert.excluded[name] for name in ("name", "email", "active")},
)
_DEACTIVATE = update(seller).where(seller.c.id == bindparam("key")).values(active=False)
_GET_RULE = select(assignment_rule).where(assignment_rule.c.id == bindparam("id"))
_LOCK_RULE = _GET_RULE.with_for_update()
_ENABLED_RULES = select(assignment_rule).where(assignment_rule.c.enabled)
_SET_MEMORY = (
    update(assignment_rule)
    .where(assignment_rule.c.id == bindparam("key"))
    .values(turn=bindparam("new_turn"), last_seller=bindparam("new_last_seller"))
)
_RELEASE = (
    update(assignment)
    .where(
        assignment.c.record_kind == bindparam("kind"),
        assignment.c.record_id == bindparam("key"),
        assignment.c.released_at.is_(None),
    )
    .values(released_at=bindparam("at"))
)
_OF_RECORD = (
    select(assignment)
    .where(assignment.c.record_kind == bindparam("kind"), assignment.c.record_id == bindparam("key"))
    .order_by(assignment.c.id)
)


async def insert_seller(tx: Tx, made: Seller) -> None:
    """Keep a new seller."""
    await tx.run(insert(seller).values(tenant_id=tx.tenant, **_seller_values(made)))


async def update_seller(tx: Tx, changed: Seller) -> None:
    """Keep a changed seller."""
    await tx.run(update(seller).where(seller.c.id == changed.id).values(**_seller_values(changed)))


async def fill_from_users(tx: Tx, users: Sequence[dict[str, Any]]) -> None:
    """Keep users who sell; `users` have id, name, email and active."""
    await tx.many(_FROM_USER, [{**user, "tenant_id": tx.tenant} for user in users])


async def deactivate(tx: Tx, ids: Sequence[UUID]) -> None:
    """These sell no more."""
    await tx.many(_DEACTIVATE, [{"key": seller_id} for seller_id in ids])


async def get_seller(tx: Tx, seller_id: UUID, *, lock: bool = False) -> Seller | None:
    """One seller."""
    row = await tx.one(_LOCK_SELLER if lock else _GET_SELLER, {"id": seller_id})
    return _seller(row) if row is not None else None


async def list_sellers(tx: Tx, *, partner: str | None, limit: int, after: tuple[Any, ...] | None) -> list[Seller]:
    """Sellers by id; with a partner, that partner's."""
    statement = select(seller).order_by(seller.c.id).limit(limit)
    if partner is not None:
        statement = statement.where(seller.c.partner == partner)
    if after is not None:
        statement = statement.where(beyond((seller.c.id,), after))
    return [_seller(row) for row in await tx.all(statement)]


async def lock_sellers(tx: Tx, ids: Sequence[UUID]) -> None:
    """No other rule gives these sellers anything until the transaction ends; locked in the order of their ids."""
    statement = select(seller.c.id).where(any_of(seller.c.id, ids)).order_by(seller.c.id).with_for_update()
    await tx.all(statement)


async def candidates(tx: Tx, ids: Sequence[UUID]) -> tuple[Candidate, ...]:
    """How these sellers stand now: what each carries and may carry."""
    load = (
        select(assignment.c.chosen, func.count().label("load"))
        .where(any_of(assignment.c.chosen, ids), assignment.c.released_at.is_(None))
        .group_by(assignment.c.chosen)
        .subquery()
    )
    statement = (
        select(
            seller.c.id,
            seller.c.weight,
            seller.c.capacity,
            seller.c.active,
            func.coalesce(load.c.load, 0).label("load"),
        )
        .select_from(seller.outerjoin(load, load.c.chosen == seller.c.id))
        .where(any_of(seller.c.id, ids))
        .order_by(seller.c.id)
    )
    return tuple(
        Candidate(
            seller=row["id"], load=row["load"], weight=row["weight"], capacity=row["capacity"], active=row["active"]
        )
        for row in await tx.all(statement)
    )


async def insert_rule(tx: Tx, made: Rule) -> None:
    """Keep a new rule."""
    await tx.run(insert(assignment_rule).values(tenant_id=tx.tenant, **_rule_values(made)))


async def update_rule(tx: Tx, changed: Rule) -> None:
    """Keep a changed rule."""
    await tx.run(update(assignment_rule).where(assignment_rule.c.id == changed.id).values(**_rule_values(changed)))


async def get_rule(tx: Tx, rule_id: UUID, *, lock: bool = False) -> Rule | None:
    """One rule; locked, nobody else can draw from it meanwhile."""
    row = await tx.one(_LOCK_RULE if lock else _GET_RULE, {"id": rule_id})
    return _rule(row) if row is not None else None


async def enabled_rules(tx: Tx) -> list[Rule]:
    """All rules in force; a tenant has a handful."""
    return [_rule(row) for row in await tx.all(_ENABLED_RULES, {})]


async def list_rules(tx: Tx, *, limit: int, after: tuple[Any, ...] | None) -> list[Rule]:
    """Rules by priority."""
    key = (assignment_rule.c.priority, assignment_rule.c.id)
    statement = select(assignment_rule).order_by(*key).limit(limit)
    if after is not None:
        statement = statement.where(beyond(key, after))
    return [_rule(row) for row in await tx.all(statement)]


async def remember(tx: Tx, rule_id: UUID, *, turn: int, last_seller: UUID | None) -> None:
    """Keep how far a rule has got; its version is for people's changes and stays."""
    await tx.run(_SET_MEMORY, {"key": rule_id, "new_turn": turn, "new_last_seller": last_seller})


async def insert_assignment(tx: Tx, made: Assignment, *, now: datetime) -> None:
    """Keep an assignment with all that its choice depended on."""
    await tx.run(
        insert(assignment).values(
            tenant_id=tx.tenant,
            id=made.id,
            record_kind=made.record_kind,
            record_id=made.record_id,
            rule_id=made.rule_id,
            rule_name=made.rule_name,
            strategy=made.draw.strategy.value,
            seed=made.draw.seed,
            turn=made.draw.turn,
            last_seller=made.draw.last_seller,
            candidates=[_candidate_json(one) for one in made.draw.candidates],
            chosen=made.chosen,
            actor=made.actor,
            assigned_at=now,
            released_at=None if made.chosen is not None else now,
        )
    )


async def release(tx: Tx, kind: str, record_id: UUID, *, now: datetime) -> None:
    """The record no longer counts among what its seller carries."""
    await tx.run(_RELEASE, {"kind": kind, "key": record_id, "at": now})


async def of_record(tx: Tx, kind: str, record_id: UUID) -> list[Assignment]:
    """All assignments of a record, oldest first."""
    return [_assignment(row) for row in await tx.all(_OF_RECORD, {"kind": kind, "key": record_id})]


async def of_rule(tx: Tx, rule_id: UUID, *, limit: int, after: tuple[Any, ...] | None = None) -> list[Assignment]:
    """What a rule assigned, oldest first."""
    statement = select(assignment).where(assignment.c.rule_id == rule_id).order_by(assignment.c.id).limit(limit)
    if after is not None:
        statement = statement.where(beyond((assignment.c.id,), after))
    return [_assignment(row) for row in await tx.all(statement)]


def _candidate_json(one: Candidate) -> dict[str, Any]:
    return {
        "seller": str(one.seller),
        "load": one.load,
        "weight": one.weight,
        "capacity": one.capacity,
        "active": one.active,
    }


def _candidate(raw: dict[str, Any]) -> Candidate:
    return Candidate(
        seller=UUID(raw["seller"]),
        load=raw["load"],
        weight=raw["weight"],
        capacity=raw["capacity"],
        active=raw["active"],
    )


def _assignment(row: Record) -> Assignment:
    return Assignment(
        id=row["id"],
        record_kind=row["record_kind"],
        record_id=row["record_id"],
        rule_id=row["rule_id"],
        rule_name=row["rule_name"],
        draw=Draw(
            strategy=Strategy(row["strategy"]),
            seed=row["seed"],
            turn=row["turn"],
            last_seller=row["last_seller"],
            candidates=tuple(_candidate(raw) for raw in row["candidates"]),
        ),
        chosen=row["chosen"],
        actor=row["actor"],
    )


def _seller_values(one: Seller) -> dict[str, Any]:
    return {
        "id": one.id,
        "name": one.name,
        "email": one.email,
        "active": one.active,
        "weight": one.weight,
        "capacity": one.capacity,
        "teams": list(one.teams),
        "partner": one.partner,
        "version": one.version,
    }


def _seller(row: Record) -> Seller:
    return Seller(
        id=row["id"],
        name=row["name"],
        email=row["email"],
        active=row["active"],
        weight=row["weight"],
        capacity=row["capacity"],
        teams=tuple(row["teams"]),
        partner=row["partner"],
        version=row["version"],
    )


def _rule_values(one: Rule) -> dict[str, Any]:
    return {
        "id": one.id,
        "name": one.name,
        "priority": one.priority,
        "strategy": one.strategy.value,
        "seed": one.seed,
        "sources": list(one.sources),
        "windows": list(one.windows),
        "partner": one.partner,
        "sellers": list(one.sellers),
        "enabled": one.enabled,
        "turn": one.turn,
        "last_seller": one.last_seller,
        "version": one.version,
    }


def _rule(row: Record) -> Rule:
    return Rule(
        id=row["id"],
        name=row["name"],
        priority=row["priority"],
        strategy=Strategy(row["strategy"]),
        seed=row["seed"],
        sources=tuple(row["sources"]),
        windows=tuple(row["windows"]),
        partner=row["partner"],
        sellers=tuple(row["sellers"]),
        enabled=row["enabled"],
        turn=row["turn"],
        last_seller=row["last_seller"],
        version=row["version"],
    )
