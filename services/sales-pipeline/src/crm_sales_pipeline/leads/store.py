"""Reading and writing leads, their steps and window policies."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Text, bindparam, case, cast, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from crm_sales_pipeline.customers.store import family, with_present_customer
from crm_sales_pipeline.leads.domain.leads import Contact, Lead, LeadState, Origin, identity_of
from crm_sales_pipeline.leads.domain.scoring import Reason
from crm_sales_pipeline.leads.domain.windows import (
    DEFAULT_POLICIES,
    Approach,
    BuyingWindow,
    WindowPolicy,
    WindowRate,
)
from crm_sales_pipeline.leads.tables import lead, lead_step, window_policy
from crm_sales_pipeline.lists.domain import sees
from crm_sales_pipeline.lists.store import beyond, visible
from crm_shared.db.pool import Record, Tx
from crm_shared.db.statements import any_of
from crm_shared.tenancy import Viewer

_FROM, _CUSTOMER = with_present_customer(lead)
_LEAD = select(*(column for column in lead.c if column.name != "customer_id"), _CUSTOMER).select_from(_FROM)
_GET = _LEAD.where(lead.c.id == bindparam("id"))
_LOCK = _GET.with_for_update(of=lead)
_BY_SOURCE_KEY = select(lead.c.id).where(
    lead.c.source == bindparam("source"), lead.c.source_key == bindparam("source_key")
)
_BY_IDENTITY = select(lead.c.id).where(
    lead.c.source == bindparam("source"),
    lead.c.identity == bindparam("identity"),
    lead.c.source_key.is_(None),
    lead.c.ended_at.is_(None),
)
_STEPS = select(lead_step).where(lead_step.c.lead_id == bindparam("lead_id")).order_by(lead_step.c.id)
_REASONS = select(lead.c.score_reasons).where(lead.c.id == bindparam("id"))
_POLICIES = select(window_policy)
_OUTCOMES = (
    select(
        lead.c.captured_window,
        func.count().label("decided"),
        func.count(case((lead.c.state == LeadState.CONVERTED.value, 1))).label("converted"),
    )
    .where(lead.c.ended_at.isnot(None))
    .group_by(lead.c.captured_window)
)
_SET_CUSTOMER = update(lead).where(lead.c.id == bindparam("key")).values(customer_id=bindparam("customer"))


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a lead from state to state."""

    id: UUID
    from_state: LeadState | None
    to_state: LeadState
    actor: str
    reason: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class LeadFilter:
    """Which leads a list shows; None doesn't narrow."""

    state: LeadState | None = None
    owner_id: UUID | None = None
    campaign_id: UUID | None = None
    customer_id: UUID | None = None
    window: BuyingWindow | None = None
    breached: bool | None = None


async def insert_new(tx: Tx, made: Lead, *, identity: str, reasons: tuple[Reason, ...]) -> bool:
    """Keep a new lead; False when the same lead is here already (by source key, or open by identity)."""
    statement = (
        insert(lead)
        .values(
            tenant_id=tx.tenant,
            identity=identity,
            score_reasons=_reasons_json(reasons),
            customer_id=made.customer_id,
            **_values(made),
        )
        .on_conflict_do_nothing()
    )
    return await tx.run(statement) == 1


async def find_same(tx: Tx, origin: Origin, *, identity: str) -> UUID | None:
    """The lead that a second capture means."""
    if origin.source_key is not None:
        return await tx.scalar(_BY_SOURCE_KEY, {"source": origin.source, "source_key": origin.source_key})
    return await tx.scalar(_BY_IDENTITY, {"source": origin.source, "identity": identity})


async def save(tx: Tx, changed: Lead) -> None:
    """Keep a changed lead, except its customer: the reference stays as it was given."""
    await tx.run(update(lead).where(lead.c.id == changed.id).values(**_values(changed)))


async def set_customer(tx: Tx, lead_id: UUID, customer_id: UUID) -> None:
    """The lead turned out to be this customer."""
    await tx.run(_SET_CUSTOMER, {"key": lead_id, "customer": customer_id})


async def save_score(tx: Tx, lead_id: UUID, reasons: tuple[Reason, ...]) -> None:
    """Keep why a lead scores what it does."""
    await tx.run(update(lead).where(lead.c.id == lead_id).values(score_reasons=_reasons_json(reasons)))


async def get(tx: Tx, lead_id: UUID, *, lock: bool = False) -> Lead | None:
    """One lead."""
    row = await tx.one(_LOCK if lock else _GET, {"id": lead_id})
    return _lead(row) if row is not None else None


async def view(tx: Tx, viewer: Viewer, lead_id: UUID) -> Lead | None:
    """One lead, if the viewer may see it."""
    found = await get(tx, lead_id)
    if found is None or not sees(viewer, partner=found.origin.partner, owner_id=found.owner_id):
        return None
    return found


async def list_leads(
    tx: Tx, viewer: Viewer, filters: LeadFilter, *, limit: int, after: tuple[Any, ...] | None
) -> list[Lead]:
    """Leads that the viewer may see, newest first."""
    key = (lead.c.captured_at, lead.c.id)
    statement = _LEAD.where(*visible(lead, viewer)).order_by(*(column.desc() for column in key)).limit(limit)
    if filters.state is not None:
        statement = statement.where(lead.c.state == filters.state.value)
    if filters.owner_id is not None:
        statement = statement.where(lead.c.owner_id == filters.owner_id)
    if filters.campaign_id is not None:
        statement = statement.where(lead.c.campaign_id == filters.campaign_id)
    if filters.customer_id is not None:
        statement = statement.where(any_of(lead.c.customer_id, await family(tx, filters.customer_id)))
    if filters.window is not None:
        statement = statement.where(lead.c.buying_window == filters.window.value)
    if filters.breached is not None:
        breached = lead.c.sla_breached_at
        statement = statement.where(breached.isnot(None) if filters.breached else breached.is_(None))
    if after is not None:
        statement = statement.where(beyond(key, after, descending=True))
    return [_lead(row) for row in await tx.all(statement)]


async def add_step(tx: Tx, lead_id: UUID, step: Step) -> None:
    """Keep one step."""
    await tx.run(
        insert(lead_step).values(
            tenant_id=tx.tenant,
            id=step.id,
            lead_id=lead_id,
            from_state=step.from_state,
            to_state=step.to_state,
            actor=step.actor,
            reason=step.reason,
            at=step.at,
        )
    )


async def steps(tx: Tx, lead_id: UUID) -> list[Step]:
    """All steps of a lead, oldest first."""
    return [
        Step(
            id=row["id"],
            from_state=LeadState(row["from_state"]) if row["from_state"] else None,
            to_state=LeadState(row["to_state"]),
            actor=row["actor"],
            reason=row["reason"],
            at=row["at"],
        )
        for row in await tx.all(_STEPS, {"lead_id": lead_id})
    ]


async def score_reasons(tx: Tx, lead_id: UUID) -> tuple[Reason, ...]:
    """Why a lead scores what it does."""
    raw: list[dict[str, Any]] = await tx.scalar(_REASONS, {"id": lead_id}) or []
    return tuple(Reason(factor=one["factor"], value=one["value"], points=one["points"]) for one in raw)


async def policies(tx: Tx) -> dict[BuyingWindow, WindowPolicy]:
    """The policy of each window: the tenant's own, else the default."""
    own = {BuyingWindow(row["window"]): _policy(row) for row in await tx.all(_POLICIES, {})}
    return DEFAULT_POLICIES | own


async def save_policy(tx: Tx, policy: WindowPolicy) -> None:
    """Keep a tenant's own policy for a window."""
    values = _policy_values(policy)
    statement = insert(window_policy).values(tenant_id=tx.tenant, **values)
    key = [window_policy.c.tenant_id, window_policy.c.window]
    await tx.run(statement.on_conflict_do_update(index_elements=key, set_=values))


async def rates(tx: Tx) -> list[WindowRate]:
    """Expected and observed conversion of each window."""
    outcomes: Mapping[str, Record] = {row["captured_window"]: row for row in await tx.all(_OUTCOMES, {})}
    return [
        WindowRate(
            window=window,
            prior_rate=policy.prior_rate,
            prior_weight=policy.prior_weight,
            decided=outcomes[window]["decided"] if window in outcomes else 0,
            converted=outcomes[window]["converted"] if window in outcomes else 0,
        )
        for window, policy in (await policies(tx)).items()
    ]


async def forget_person(tx: Tx, ids: Sequence[UUID], *, email: str | None) -> None:
    """Blank what leads hold of an erased person; that they were leads, and what became of them, stays countable."""
    theirs = any_of(lead.c.customer_id, ids)
    if email is not None:
        by_address = identity_of(customer_id=None, contact=Contact(email=email))
        theirs = or_(theirs, lead.c.identity == by_address)
    blank = dict.fromkeys(("contact_name", "email", "phone", "interest", "referrer"))
    nobody = func.concat("erased:", cast(lead.c.id, Text))
    await tx.run(update(lead).where(theirs).values(**blank, identity=nobody))


def _values(one: Lead) -> dict[str, Any]:
    return {
        "id": one.id,
        "contact_name": one.contact.name,
        "email": one.contact.email,
        "phone": one.contact.phone,
        "company": one.contact.company,
        "source": one.origin.source,
        "source_key": one.origin.source_key,
        "campaign_id": one.origin.campaign_id,
        "response_id": one.origin.response_id,
        "channel": one.origin.channel,
        "partner": one.origin.partner,
        "referrer": one.origin.referrer,
        "interest": one.interest,
        "captured_window": one.captured_window.value,
        "buying_window": one.buying_window.value,
        "state": one.state.value,
        "owner_id": one.owner_id,
        "score": one.score,
        "captured_at": one.captured_at,
        "clock_started_at": one.clock_started_at,
        "first_contact_due_at": one.first_contact_due_at,
        "sla_breached_at": one.sla_breached_at,
        "contacted_at": one.contacted_at,
        "seconds_to_contact": one.seconds_to_contact,
        "resurface_at": one.resurface_at,
        "resurface_as": one.resurface_as.value if one.resurface_as is not None else None,
        "resurfaced": one.resurfaced,
        "ended_at": one.ended_at,
        "reason": one.reason,
        "deal_id": one.deal_id,
        "version": one.version,
    }


def _lead(row: Record) -> Lead:
    return Lead(
        id=row["id"],
        customer_id=row["customer_id"],
        contact=Contact(name=row["contact_name"], email=row["email"], phone=row["phone"], company=row["company"]),
        origin=Origin(
            source=row["source"],
            source_key=row["source_key"],
            campaign_id=row["campaign_id"],
            response_id=row["response_id"],
            channel=row["channel"],
            partner=row["partner"],
            referrer=row["referrer"],
        ),
        interest=row["interest"],
        captured_window=BuyingWindow(row["captured_window"]),
        buying_window=BuyingWindow(row["buying_window"]),
        state=LeadState(row["state"]),
        owner_id=row["owner_id"],
        score=row["score"],
        captured_at=row["captured_at"],
        clock_started_at=row["clock_started_at"],
        first_contact_due_at=row["first_contact_due_at"],
        sla_breached_at=row["sla_breached_at"],
        contacted_at=row["contacted_at"],
        seconds_to_contact=row["seconds_to_contact"],
        resurface_at=row["resurface_at"],
        resurface_as=BuyingWindow(row["resurface_as"]) if row["resurface_as"] else None,
        resurfaced=row["resurfaced"],
        ended_at=row["ended_at"],
        reason=row["reason"],
        deal_id=row["deal_id"],
        version=row["version"],
    )


def _reasons_json(reasons: tuple[Reason, ...]) -> list[dict[str, Any]]:
    return [{"factor": one.factor, "value": one.value, "points": one.points} for one in reasons]


def _policy_values(policy: WindowPolicy) -> dict[str, Any]:
    within, after = policy.first_contact_within, policy.resurface_after
    return {
        "window": policy.window.value,
        "approach": policy.approach.value,
        "first_contact_minutes": within // timedelta(minutes=1) if within is not None else None,
        "resurface_after_days": after // timedelta(days=1) if after is not None else None,
        "resurface_as": policy.resurface_as.value if policy.resurface_as is not None else None,
        "prior_rate": policy.prior_rate,
        "prior_weight": policy.prior_weight,
    }


def _policy(row: Record) -> WindowPolicy:
    minutes, days = row["first_contact_minutes"], row["resurface_after_days"]
    return WindowPolicy(
        window=BuyingWindow(row["window"]),
        approach=Approach(row["approach"]),
        first_contact_within=timedelta(minutes=minutes) if minutes is not None else None,
        resurface_after=timedelta(days=days) if days is not None else None,
        resurface_as=BuyingWindow(row["resurface_as"]) if row["resurface_as"] else None,
        prior_rate=row["prior_rate"],
        prior_weight=row["prior_weight"],
    )
