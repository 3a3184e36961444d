"""Opening, changing and moving deals."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from crm_sales_pipeline.customers.commands import meet
from crm_sales_pipeline.deals import store
from crm_sales_pipeline.deals.domain import (
    Deal,
    Loss,
    Probability,
    Transition,
    check_guards,
    check_loss,
    dwell_seconds,
    moved,
)
from crm_sales_pipeline.deals.events import DealLost, DealOpened, DealStageChanged, DealWon
from crm_sales_pipeline.lists.domain import partner_for, sees, user_of
from crm_sales_pipeline.pipelines import store as pipelines
from crm_sales_pipeline.pipelines.commands import pipeline_for
from crm_sales_pipeline.pipelines.domain import Canonical, GuardResult, Pipeline, Stage, guard_results
from crm_shared.db.pool import Tx
from crm_shared.errors import Conflict, Invalid, NotFound
from crm_shared.ids import new_id, public_id
from crm_shared.money import Money
from crm_shared.tenancy import Viewer
from crm_shared.versions import expect_version


@dataclass(frozen=True, slots=True)
class OpenDeal:
    """What is known when a deal begins: in the default pipeline and its first open stage, unless others are named."""

    customer_id: UUID
    name: str
    pipeline_id: UUID | None = None
    stage: str | None = None
    contact_id: UUID | None = None
    owner_id: UUID | None = None
    partner: str | None = None
    channel: str | None = None
    source: str | None = None
    campaign_id: UUID | None = None
    lead_id: UUID | None = None
    amount: Money | None = None
    expected_close_on: date | None = None
    manual_probability: Decimal | None = None
    fields: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class MoveDeal:
    """Where to, and for a lost deal why."""

    stage: str
    loss: Loss | None = None


async def open_deal(tx: Tx, viewer: Viewer, data: OpenDeal, *, now: datetime) -> Deal:
    """Begin a deal.

    Raises:
        Gone: the customer has been erased.
        Conflict: the stage's guards ask for more, or a deal cannot begin there.
    """
    customer = await meet(tx, data.customer_id)
    pipeline = await pipeline_for(tx, data.pipeline_id)
    stage = _stage(pipeline, data.stage) if data.stage is not None else pipeline.entry
    if stage.canonical.is_closed:
        raise Conflict("A deal doesn't begin closed; open it and move it.", code="stage_closed")
    made = _fresh(replace(data, customer_id=customer.id), viewer, pipeline, stage, now)
    guards = guard_results(stage, made.guard_values())
    check_guards(stage, guards)
    await store.insert_new(tx, made)
    await _note(tx, viewer, made, before=None, guards=guards, now=now)
    tx.emit(
        DealOpened(
            customer_id=made.customer_id,
            name=made.name,
            amount=made.amount,
            pipeline=pipeline.name,
            stage=made.stage,
            owner=made.owner_id,
            campaign_id=made.campaign_id,
            lead_id=made.lead_id,
        ),
        aggregate_id=made.id,
    )
    return made


async def change_deal(
    tx: Tx, viewer: Viewer, deal_id: UUID, changes: Mapping[str, Any], *, expected: int | None, now: datetime
) -> Deal:
    """Change what is known of a deal; `manual_probability` None takes a person's opinion back, which zero doesn't."""
    del now
    deal = await lock(tx, viewer, deal_id, expected=expected)
    special = ("manual_probability", "model_probability", "fields")
    direct = {name: value for name, value in changes.items() if name not in special}
    own = changes.get("fields", {})
    opinions = deal.probability
    changed = replace(
        deal,
        **direct,
        probability=replace(
            opinions,
            manual=changes.get("manual_probability", opinions.manual),
            model=changes.get("model_probability", opinions.model),
        ),
        fields={name: value for name, value in {**deal.fields, **own}.items() if value is not None},
        version=deal.version + 1,
    )
    await store.save(tx, changed)
    return changed


async def move_deal(
    tx: Tx, viewer: Viewer, deal_id: UUID, data: MoveDeal, *, expected: int | None, now: datetime
) -> Deal:
    """Move a deal to another stage of its pipeline, through the stage's guards.

    Raises:
        Conflict: a guard fails, the deal stands there already, or a deal with an order would be lost.
        Invalid: there is no such stage, or a loss has no reason.
    """
    deal = await lock(tx, viewer, deal_id, expected=expected)
    pipeline = await pipelines.get(tx, deal.pipeline_id)
    assert pipeline is not None
    stage = _stage(pipeline, data.stage)
    if stage.key == deal.stage:
        raise Conflict(f"The deal stands in {stage.name} already.", code="stage_same")
    check_loss(deal, stage, data.loss)
    check_guards(stage, guard_results(stage, deal.guard_values()))
    return await _enter(tx, viewer, deal, stage, loss=data.loss, now=now)


async def win_by_order(tx: Tx, viewer: Viewer, deal_id: UUID, total: Money, *, now: datetime) -> Deal:
    """An order came of the deal: count it and win the deal.

    Guards are recorded but don't hold: the order is a fact. A deal without an amount takes the order's.

    Raises:
        Conflict: the deal was lost; it has to be reopened first.
    """
    deal = await lock(tx, viewer, deal_id)
    if deal.canonical is Canonical.LOST:
        raise Conflict("This deal was lost; reopen it before ordering on it.", code="deal_lost")
    ordered = replace(deal, orders=deal.orders + 1, amount=deal.amount or total)
    pipeline = await pipelines.get(tx, deal.pipeline_id)
    assert pipeline is not None
    stage = pipeline.first(Canonical.WON)
    if deal.canonical is Canonical.WON or stage is None:
        kept = replace(ordered, version=deal.version + 1)
        await store.save(tx, kept)
        return kept
    return await _enter(tx, viewer, ordered, stage, loss=None, now=now)


async def lock(tx: Tx, viewer: Viewer, deal_id: UUID, *, expected: int | None = None) -> Deal:
    """The deal, ours to change until the transaction ends.

    Raises:
        NotFound: it isn't there, or the viewer may not see it.
        PreconditionFailed: it isn't as the sender saw it.
    """
    found = await store.get(tx, deal_id, lock=True)
    if found is None or not sees(viewer, partner=found.partner, owner_id=found.owner_id):
        raise NotFound.of("deal", public_id("deal", deal_id))
    expect_version(found.version, expected)
    return found


async def _enter(tx: Tx, viewer: Viewer, deal: Deal, stage: Stage, *, loss: Loss | None, now: datetime) -> Deal:
    guards = guard_results(stage, deal.guard_values())
    kept = replace(moved(deal, stage, loss=loss, now=now), version=deal.version + 1)
    await store.save(tx, kept)
    await _note(tx, viewer, kept, before=deal, guards=guards, now=now)
    tx.emit(
        DealStageChanged(
            customer_id=kept.customer_id,
            from_stage=deal.stage,
            to_stage=kept.stage,
            canonical=kept.canonical,
            owner=kept.owner_id,
        ),
        aggregate_id=kept.id,
    )
    _emit_outcome(tx, deal, kept)
    return kept


def _emit_outcome(tx: Tx, before: Deal, after: Deal) -> None:
    """Won and lost are said when a deal becomes so, not when it moves between two stages of that type."""
    if after.canonical is before.canonical:
        return
    if after.canonical is Canonical.WON:
        tx.emit(
            DealWon(customer_id=after.customer_id, amount=after.amount, campaign_id=after.campaign_id),
            aggregate_id=after.id,
        )
    elif after.canonical is Canonical.LOST:
        assert after.lost_reason is not None
        tx.emit(
            DealLost(customer_id=after.customer_id, reason=after.lost_reason, competitor=after.competitor),
            aggregate_id=after.id,
        )


async def _note(
    tx: Tx, viewer: Viewer, deal: Deal, *, before: Deal | None, guards: tuple[GuardResult, ...], now: datetime
) -> None:
    await store.add_transition(
        tx,
        Transition(
            id=new_id(),
            deal_id=deal.id,
            from_stage=before.stage if before is not None else None,
            to_stage=deal.stage,
            from_canonical=before.canonical if before is not None else None,
            to_canonical=deal.canonical,
            actor=viewer.subject,
            guards=guards,
            dwell_s=dwell_seconds(before, now) if before is not None else None,
            reason=deal.lost_reason,
            at=now,
        ),
    )


def _stage(pipeline: Pipeline, key: str) -> Stage:
    stage = pipeline.stage(key)
    if stage is None:
        known = ", ".join(one.key for one in pipeline.stages)
        message = f"{pipeline.name} has no stage {key}; it has {known}."
        raise Invalid.field("/stage", message, code="stage_unknown")
    return stage


def _fresh(data: OpenDeal, viewer: Viewer, pipeline: Pipeline, stage: Stage, now: datetime) -> Deal:
    return Deal(
        id=new_id(),
        pipeline_id=pipeline.id,
        stage=stage.key,
        canonical=stage.canonical,
        name=data.name,
        customer_id=data.customer_id,
        contact_id=data.contact_id,
        owner_id=data.owner_id or user_of(viewer),
        partner=partner_for(viewer, data.partner),
        channel=data.channel,
        source=data.source,
        campaign_id=data.campaign_id,
        lead_id=data.lead_id,
        amount=data.amount,
        expected_close_on=data.expected_close_on,
        probability=Probability(stage=stage.probability, manual=data.manual_probability, model=None),
        fields=dict(data.fields),
        opened_at=now,
        stage_entered_at=now,
        closed_at=None,
        lost_reason=None,
        competitor=None,
        orders=0,
        version=1,
    )
