"""Bringing members in line with rules: all at once by a job, and a few customers at a time as they change."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from crm_customer.lifecycle import store as lifecycle
from crm_customer.segments.commands.defining import custom_types, found, refuse_while_materialising, understood
from crm_customer.segments.domain.tree import Rule, in_order_of_need, parse, segments_named
from crm_customer.segments.events import SegmentEntered, SegmentExited, SegmentMaterialised
from crm_customer.segments.store import segments as store
from crm_customer.segments.store.compiling import Scope
from crm_customer.segments.store.segments import Segment, SegmentKind
from crm_shared.db.operations import Operation, start_operation
from crm_shared.db.pool import Tx
from crm_shared.tenancy import Viewer

MATERIALISATION = "segment.materialisation"


async def start_materialisation(
    tx: Tx, viewer: Viewer, segment_id: UUID, as_of: datetime | None, *, now: datetime
) -> Operation:
    """Have a segment's members be found anew among all customers, as of a time if one is given.

    Raises:
        NotFound: there is no such segment.
        Conflict: it is being materialised already.
        Invalid: its rule speaks of what isn't there any more.
    """
    known = await found(tx, segment_id)
    await refuse_while_materialising(tx, viewer, known)
    await understood(tx, known.rule, own_id=segment_id)
    when = as_of or (await lifecycle.rules(tx)).present(now)
    payload = {"segment_id": str(segment_id), "as_of": when.isoformat()}
    started = await start_operation(tx, MATERIALISATION, payload, viewer=viewer, now=now)
    await store.save(
        tx,
        replace(
            known,
            operation_id=started.id,
            materialised_rule=known.rule,
            materialised_version=known.materialised_version + 1,
        ),
    )
    return started


@dataclass(frozen=True, slots=True)
class Occasion:
    """Why members are looked at, when, and what time counts as the present of their rules."""

    reason: str
    as_of: datetime
    now: datetime


async def bring_in_line(tx: Tx, known: Segment, rule: Rule, scope: Scope, *, on: Occasion) -> int:
    """Let those of a scope enter of whom the rule holds, and the others exit; says by how many members it grew."""
    matching = await store.matching(tx, rule, on.as_of, scope)
    present = await store.present(tx, known.id, scope)
    entered = await store.enter(tx, known, sorted(matching - present), reason=on.reason, now=on.now)
    exited = await store.leave(tx, known.id, sorted(present - matching))
    version = known.materialised_version
    for kind, ids in ((SegmentEntered, entered), (SegmentExited, exited)):
        event = kind(segment_id=known.id, version=version, reason=on.reason, at=on.now)
        for customer_id in ids:
            tx.emit(event, aggregate_id=customer_id)
    return len(entered) - len(exited)


async def finish_materialisation(tx: Tx, segment_id: UUID, *, now: datetime) -> Segment:
    """Count the members and say that they are complete."""
    known = await found(tx, segment_id)
    complete = replace(known, members=await store.count_members(tx, segment_id), materialised_at=now, operation_id=None)
    await store.save(tx, complete)
    event = SegmentMaterialised(
        segment_id=segment_id,
        name=complete.name,
        version=complete.materialised_version,
        count=complete.members,
        at=now,
    )
    tx.emit(event, aggregate_id=segment_id)
    return complete


async def reconsider(tx: Tx, ids: Sequence[UUID], *, now: datetime) -> None:
    """Bring all dynamic segments in line for customers who changed; a segment comes after those its rule speaks of."""
    types = await custom_types(tx)
    followed = {
        each.id: each
        for each in await store.everything(tx)
        if each.kind is SegmentKind.DYNAMIC and each.materialised_at is not None and each.materialised_rule is not None
    }
    rules = {each.id: parse(each.materialised_rule or {}, types) for each in followed.values()}
    occasion = Occasion("customer changed", (await lifecycle.rules(tx)).present(now), now)
    scope = Scope(ids=sorted(ids))
    for segment_id in in_order_of_need({each: segments_named(rule) for each, rule in rules.items()}):
        grown = await bring_in_line(tx, followed[segment_id], rules[segment_id], scope, on=occasion)
        await store.add_to_count(tx, segment_id, grown)
