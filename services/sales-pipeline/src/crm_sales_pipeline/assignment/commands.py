"""Assigning records to sellers, and keeping the sellers and rules that decide it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from crm_sales_pipeline.assignment import store
from crm_sales_pipeline.assignment.domain import (
    Assignment,
    Draw,
    Rule,
    Seller,
    Strategy,
    check_rule,
    choose,
    rule_for,
)
from crm_shared.db.pool import Tx
from crm_shared.errors import Conflict, FieldError, Invalid, NotFound
from crm_shared.ids import new_id, public_id
from crm_shared.tenancy import Viewer
from crm_shared.versions import expect_version


@dataclass(frozen=True, slots=True)
class Record:
    """What is to be assigned, with what rules may look at."""

    kind: str
    id: UUID
    source: str
    window: str
    partner: str | None


@dataclass(frozen=True, slots=True)
class Replay:
    """What making a rule's choices again gave: `differing` names assignments that came out otherwise."""

    checked: int
    differing: tuple[UUID, ...]


async def assign(tx: Tx, viewer: Viewer, record: Record, *, now: datetime) -> Assignment | None:
    """Let the rules choose a seller. None when no rule applies; an assignment without a seller when none can take it.

    The row it leaves explains the choice: rule, what each candidate carried, who was chosen.
    """
    applying = rule_for(
        await store.enabled_rules(tx), source=record.source, window=record.window, partner=record.partner
    )
    rule = await store.get_rule(tx, applying.id, lock=True) if applying is not None else None
    if rule is None:
        return None
    # Another rule may name the same sellers; without their lock the two would pass a capacity together.
    await store.lock_sellers(tx, rule.sellers)
    # Released first: what a seller carries must not count the very record that is being given away again.
    await store.release(tx, record.kind, record.id, now=now)
    draw = Draw(
        strategy=rule.strategy,
        seed=rule.seed,
        turn=rule.turn,
        last_seller=rule.last_seller,
        candidates=await store.candidates(tx, rule.sellers),
    )
    made = Assignment(
        id=new_id(),
        record_kind=record.kind,
        record_id=record.id,
        rule_id=rule.id,
        rule_name=rule.name,
        draw=draw,
        chosen=choose(draw),
        actor=viewer.subject,
    )
    await store.remember(tx, rule.id, turn=rule.turn + 1, last_seller=made.chosen or rule.last_seller)
    await store.insert_assignment(tx, made, now=now)
    return made


async def assign_to(tx: Tx, viewer: Viewer, record: Record, seller_id: UUID, *, now: datetime) -> Assignment:
    """Give a record to a seller by name, whatever the rules say; capacity doesn't bind a person's decision."""
    found = await store.get_seller(tx, seller_id)
    if found is None or not found.active:
        raise Conflict(f"There is no active seller {public_id('usr', seller_id)}.", code="seller_unavailable")
    await store.release(tx, record.kind, record.id, now=now)
    candidates = await store.candidates(tx, [seller_id])
    made = Assignment(
        id=new_id(),
        record_kind=record.kind,
        record_id=record.id,
        rule_id=None,
        rule_name=None,
        draw=Draw(strategy=Strategy.MANUAL, seed=0, turn=0, last_seller=None, candidates=candidates),
        chosen=seller_id,
        actor=viewer.subject,
    )
    await store.insert_assignment(tx, made, now=now)
    return made


async def release(tx: Tx, kind: str, record_id: UUID, *, now: datetime) -> None:
    """The record is done with; its seller carries one less."""
    await store.release(tx, kind, record_id, now=now)


async def replay(tx: Tx, viewer: Viewer, rule_id: UUID) -> Replay | None:
    """Make every choice of a rule again from what was stored with it."""
    del viewer
    if await store.get_rule(tx, rule_id) is None:
        return None
    checked, differing = 0, list[UUID]()
    after: tuple[UUID] | None = None
    while batch := await store.of_rule(tx, rule_id, limit=500, after=after):
        checked += len(batch)
        differing += [one.id for one in batch if choose(one.draw) != one.chosen]
        after = (batch[-1].id,)
    return Replay(checked=checked, differing=tuple(differing))


async def add_seller(tx: Tx, viewer: Viewer, made: Seller, *, now: datetime) -> Seller:
    """Have a seller whom no event has told us of."""
    del viewer, now
    if await store.get_seller(tx, made.id) is not None:
        raise Conflict(
            "This seller is here already; change them instead.",
            code="seller_exists",
            errors=[FieldError("/id", "already_taken", "Change the seller that there is.")],
        )
    await store.insert_seller(tx, made)
    return made


async def change_seller(
    tx: Tx, viewer: Viewer, seller_id: UUID, changes: Mapping[str, Any], *, expected: int | None, now: datetime
) -> Seller:
    """Change how much and what a seller gets."""
    del viewer, now
    found = await store.get_seller(tx, seller_id, lock=True)
    if found is None:
        raise NotFound.of("seller", public_id("usr", seller_id))
    expect_version(found.version, expected)
    changed = replace(found, **changes, version=found.version + 1)
    await store.update_seller(tx, changed)
    return changed


async def make_rule(tx: Tx, viewer: Viewer, made: Rule, *, now: datetime) -> Rule:
    """Have a rule."""
    del viewer, now
    check_rule(made.strategy, made.sellers)
    await _check_sellers(tx, made)
    await store.insert_rule(tx, made)
    return made


async def change_rule(
    tx: Tx, viewer: Viewer, rule_id: UUID, changes: Mapping[str, Any], *, expected: int | None, now: datetime
) -> Rule:
    """Change a rule; what it assigned before stays explained by what it was then."""
    del viewer, now
    found = await store.get_rule(tx, rule_id, lock=True)
    if found is None:
        raise NotFound.of("assignment rule", public_id("rule", rule_id))
    expect_version(found.version, expected)
    changed = replace(found, **changes, version=found.version + 1)
    check_rule(changed.strategy, changed.sellers)
    await _check_sellers(tx, changed)
    await store.update_rule(tx, changed)
    return changed


async def _check_sellers(tx: Tx, rule: Rule) -> None:
    known = {one.seller for one in await store.candidates(tx, rule.sellers)}
    faults = [
        FieldError(f"/seller_ids/{index}", "seller_unknown", f"There is no seller {public_id('usr', seller_id)}.")
        for index, seller_id in enumerate(rule.sellers)
        if seller_id not in known
    ]
    if faults:
        raise Invalid("The rule names sellers who aren't here.", code="seller_unknown", errors=faults)
