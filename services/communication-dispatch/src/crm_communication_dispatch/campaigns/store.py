"""Every statement on campaigns, and on their rows of the ledger."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    DateTime,
    Integer,
    Numeric,
    Text,
    Uuid,
    bindparam,
    case,
    column,
    func,
    insert,
    literal_column,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import insert as upsert

from crm_communication_dispatch.campaigns.domain import (
    HOLD_OUT,
    Campaign,
    CampaignStatus,
    Plan,
    ResponseRule,
    Variant,
    Wants,
)
from crm_communication_dispatch.campaigns.tables import campaign
from crm_communication_dispatch.messages.domain import Status
from crm_communication_dispatch.messages.tables import message
from crm_shared.db.pool import Record, Tx
from crm_shared.money import Money

_c, _m = campaign, message
_AT = DateTime(timezone=True)
_PLAN = tuple(Plan.__dataclass_fields__)
_OWN = tuple(name for name in Campaign.__dataclass_fields__ if name != "plan")
_COLUMNS = tuple(_c.c[name] for name in (*_OWN, *_PLAN))
_GET = select(*_COLUMNS).where(_c.c.id == bindparam("id", type_=Uuid()))
_LOCK = _GET.with_for_update()
_waiting = or_(
    _m.c.status == Status.PLANNED.value, _m.c.status == Status.QUEUED.value, _m.c.status == Status.HELD.value
)
_planned = (
    func.unnest(
        bindparam("p_id", type_=ARRAY(Uuid())),
        bindparam("p_customer", type_=ARRAY(Uuid())),
        bindparam("p_variant", type_=ARRAY(Text())),
        bindparam("p_template", type_=ARRAY(Uuid())),
        bindparam("p_number", type_=ARRAY(Integer())),
        bindparam("p_coupon", type_=ARRAY(Text())),
        bindparam("p_reason", type_=ARRAY(Text())),
    )
    .table_valued(
        column("p_id", Uuid()),
        column("p_customer", Uuid()),
        column("p_variant", Text()),
        column("p_template", Uuid()),
        column("p_number", Integer()),
        column("p_coupon", Text()),
        column("p_reason", Text()),
        name="planned",
    )
    .render_derived(name="planned")
)
_in = _planned.c
_out = _in.p_reason.is_not(None)
_ADD_ROWS = (
    upsert(_m)
    .from_select(
        ["tenant_id", "id", "customer_id", "channel", "purpose", "campaign_id", "step", "variant", "template_id",
         "template_number", "variables", "status", "reason", "expires_at", "coupon", "explanation", "cost", "currency",
         "created_by", "planned_at", "ended_at"],
        select(
            bindparam("tenant", type_=Uuid()), _in.p_id, _in.p_customer, bindparam("channel", type_=Text()),
            bindparam("purpose", type_=Text()), bindparam("campaign", type_=Uuid()), literal_column("''", Text()),
            _in.p_variant, _in.p_template, _in.p_number, bindparam("variables", type_=JSONB()),
            case((_out, Status.SUPPRESSED.value), else_=Status.PLANNED.value), _in.p_reason,
            bindparam("expires_at", type_=_AT), _in.p_coupon, bindparam("why", type_=JSONB()),
            case((_out, literal_column("0", Numeric(20, 6))), else_=bindparam("cost", type_=Numeric(20, 6))),
            bindparam("currency", type_=Text()), bindparam("by", type_=Text()), bindparam("at", type_=_AT),
            case((_out, bindparam("at", type_=_AT)), else_=None),
        ),
    )
    .on_conflict_do_nothing()
)  # fmt: skip
_some = (
    select(_m.c.id)
    .where(_m.c.campaign_id == bindparam("campaign", type_=Uuid()), _m.c.status == Status.PLANNED.value)
    .limit(bindparam("n"))
    .with_for_update(skip_locked=True)
    .cte("some")  # as a plain subquery it may run again for each row, and let more go than it should
)
_RELEASE = update(_m).where(_m.c.id == _some.c.id).values(status=Status.QUEUED.value, due_at=bindparam("at", type_=_AT))
_CALL_BACK = (
    update(_m)
    .where(
        _m.c.campaign_id == bindparam("campaign", type_=Uuid()),
        or_(_m.c.status == Status.QUEUED.value, _m.c.status == Status.HELD.value),
    )
    .values(status=Status.PLANNED.value, due_at=None, version=_m.c.version + 1)
)
_EXPIRE = (
    update(_m)
    .where(_m.c.campaign_id == bindparam("campaign", type_=Uuid()), _waiting)
    .values(
        status=Status.EXPIRED.value,
        reason="campaign_cancelled",
        due_at=None,
        ended_at=bindparam("at", type_=_AT),
        version=_m.c.version + 1,
    )
)
_COUNTS = (
    select(
        _m.c.variant,
        _m.c.status,
        _m.c.reason,
        func.count().label("n"),
        func.count(_m.c.sent_at).label("sent"),
    )
    .where(_m.c.campaign_id == bindparam("campaign", type_=Uuid()))
    .group_by(_m.c.variant, _m.c.status, _m.c.reason)
)
_STATES = (
    select(_m.c.status, func.count().label("n"))
    .where(_m.c.campaign_id == bindparam("campaign", type_=Uuid()))
    .group_by(_m.c.status)
)
_COSTS = (
    select(_m.c.currency, func.sum(_m.c.cost).label("total"))
    .where(_m.c.campaign_id == bindparam("campaign", type_=Uuid()), _m.c.sent_at.is_not(None))
    .group_by(_m.c.currency)
)


@dataclass(frozen=True, slots=True)
class Planned:
    """One recipient of a campaign; `reason` is set for those held out."""

    message_id: UUID
    customer_id: UUID
    variant: Variant
    coupon: str | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class Counted:
    """How many messages of a variant are in a state for a reason, and how many of them went out."""

    variant: str | None
    status: Status
    reason: str | None
    count: int
    sent: int


def _read(row: Record) -> Campaign:
    fields: dict[str, Any] = dict(row)
    plan: dict[str, Any] = {name: fields.pop(name) for name in _PLAN}
    plan["variants"] = tuple(
        Variant(v["name"], UUID(v["template_id"]), v["template_number"], v["weight"]) for v in plan["variants"]
    )
    plan["response_rule"] = ResponseRule(**{kind: Wants(wants) for kind, wants in plan["response_rule"].items()})
    fields["status"] = CampaignStatus(fields["status"])
    return Campaign(plan=Plan(**plan), **fields)


def plan_row(of: Plan) -> dict[str, Any]:
    """A plan's columns."""
    row = {name: getattr(of, name) for name in _PLAN}
    row["variants"] = [{**asdict(variant), "template_id": str(variant.template_id)} for variant in of.variants]
    row["response_rule"] = {kind: wants.value for kind, wants in asdict(of.response_rule).items()}
    return row


async def get(tx: Tx, campaign_id: UUID) -> Campaign | None:
    """One campaign."""
    row = await tx.one(_GET, {"id": campaign_id})
    return _read(row) if row else None


async def lock(tx: Tx, campaign_id: UUID) -> Campaign | None:
    """One campaign, held until the transaction ends."""
    row = await tx.one(_LOCK, {"id": campaign_id})
    return _read(row) if row else None


async def add(tx: Tx, of: Campaign) -> None:
    """Write a new campaign."""
    own = {name: getattr(of, name) for name in _OWN}
    await tx.run(insert(_c).values(tenant_id=tx.tenant, **{**own, "status": of.status.value}, **plan_row(of.plan)))


async def change(tx: Tx, campaign_id: UUID, *, now: datetime, **values: Any) -> Campaign:
    """Change columns of a campaign, and its version."""
    row = await tx.one(
        update(_c)
        .where(_c.c.id == campaign_id)
        .values(version=_c.c.version + 1, updated_at=now, **values)
        .returning(*_COLUMNS)
    )
    assert row is not None
    return _read(row)


async def list_campaigns(
    tx: Tx, where: Mapping[str, Any], *, limit: int, after: tuple[Any, ...] | None
) -> list[Campaign]:
    """Campaigns, newest first; `where` maps columns to values."""
    statement = select(*_COLUMNS).order_by(_c.c.created_at.desc(), _c.c.id.desc()).limit(limit)
    for name, value in where.items():
        if value is not None:
            statement = statement.where(_c.c[name] == value)
    if after is not None:
        statement = statement.where(tuple_(_c.c.created_at, _c.c.id) < after)
    return [_read(row) for row in await tx.all(statement)]


async def add_recipients(
    tx: Tx, of: Campaign, planned: Sequence[Planned], *, cost: Decimal, expires_at: datetime, now: datetime
) -> int:
    """Write ledger rows for recipients; those that have one already are left alone. Gives how many were new."""
    held = [one.reason is not None for one in planned]
    params = {
        "tenant": tx.tenant,
        "campaign": of.id,
        "channel": of.plan.channel,
        "purpose": of.plan.purpose,
        "variables": dict(of.plan.variables),
        "expires_at": expires_at,
        "why": {},
        "cost": cost,
        "currency": of.plan.currency,
        "by": of.author,
        "at": now,
        "p_id": [one.message_id for one in planned],
        "p_customer": [one.customer_id for one in planned],
        "p_variant": [HOLD_OUT if out else one.variant.name for one, out in zip(planned, held, strict=True)],
        "p_template": [one.variant.template_id for one in planned],
        "p_number": [one.variant.template_number for one in planned],
        "p_coupon": [one.coupon for one in planned],
        "p_reason": [one.reason for one in planned],
    }
    return await tx.run(_ADD_ROWS, params)


async def release(tx: Tx, campaign_id: UUID, *, at_most: int, now: datetime) -> int:
    """Let planned messages go; says how many."""
    return await tx.run(_RELEASE, {"campaign": campaign_id, "n": at_most, "at": now})


async def call_back(tx: Tx, campaign_id: UUID) -> int:
    """Take back what hasn't gone; says how many."""
    return await tx.run(_CALL_BACK, {"campaign": campaign_id})


async def expire(tx: Tx, campaign_id: UUID, *, now: datetime) -> int:
    """End what hasn't gone; says how many."""
    return await tx.run(_EXPIRE, {"campaign": campaign_id, "at": now})


async def states(tx: Tx, campaign_id: UUID) -> dict[Status, int]:
    """How many of a campaign's messages are in each state."""
    return {Status(row["status"]): row["n"] for row in await tx.all(_STATES, {"campaign": campaign_id})}


async def counts(tx: Tx, campaign_id: UUID) -> list[Counted]:
    """How many messages of each variant are in each state, and why."""
    rows = await tx.all(_COUNTS, {"campaign": campaign_id})
    return [Counted(row["variant"], Status(row["status"]), row["reason"], row["n"], row["sent"]) for row in rows]


async def costs(tx: Tx, campaign_id: UUID) -> list[Money]:
    """What a campaign's messages that went out cost, per currency."""
    return [Money(row["total"], row["currency"]) for row in await tx.all(_COSTS, {"campaign": campaign_id})]
