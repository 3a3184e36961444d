"""Every statement on responses."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import LargeBinary, Text, Uuid, bindparam, func, insert, select, tuple_, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import insert as upsert

from crm_communication_dispatch.messages.tables import message
from crm_communication_dispatch.responses.domain import (
    BuyingWindow,
    Hit,
    InboundMail,
    Response,
    ResponseKind,
    Verdict,
)
from crm_communication_dispatch.responses.tables import hit, inbound_mail, response
from crm_shared.db.pool import Record, Tx
from crm_shared.db.statements import any_param

_r = response
_COLUMNS = tuple(_r.c[name] for name in Response.__dataclass_fields__)
_HITS = (
    select(*(hit.c[name] for name in Hit.__dataclass_fields__))
    .where(hit.c.message_id == bindparam("message", type_=Uuid()))
    .order_by(hit.c.at, hit.c.id)
)
_JUDGED = (
    update(hit)
    .where(hit.c.id == bindparam("i", type_=Uuid()))
    .values(verdict=bindparam("v", type_=Text()), signals=bindparam("s", type_=JSONB()))
)
_GET = select(*_COLUMNS).where(_r.c.id == bindparam("id", type_=Uuid()))
_ADD = (
    upsert(_r)
    .values({name: bindparam(name) for name in ("tenant_id", *Response.__dataclass_fields__)})
    .on_conflict_do_nothing(index_elements=[_r.c.tenant_id, _r.c.source_key])
    .returning(_r.c.id)
)
_MAIL = select(*(inbound_mail.c[name] for name in InboundMail.__dataclass_fields__))
_MAIL_BY_DIGEST = _MAIL.where(inbound_mail.c.digest == bindparam("digest", type_=LargeBinary()))
_BY_CAMPAIGN = (
    select(
        message.c.variant,
        _r.c.kind,
        func.count().label("n"),
        func.count(func.distinct(_r.c.customer_id)).label("customers"),
    )
    .select_from(_r.outerjoin(message, (message.c.tenant_id == _r.c.tenant_id) & (message.c.id == _r.c.message_id)))
    .where(_r.c.campaign_id == bindparam("campaign", type_=Uuid()))
    .group_by(message.c.variant, _r.c.kind)
)
_CLICKS = (
    select(hit.c.verdict, func.count().label("n"))
    .select_from(hit.join(message, (message.c.tenant_id == hit.c.tenant_id) & (message.c.id == hit.c.message_id)))
    .where(message.c.campaign_id == bindparam("campaign", type_=Uuid()))
    .group_by(hit.c.verdict)
)
_FORGET_TEXT = update(_r).where(any_param(_r.c.customer_id, "ids")).values(text=None)
_FORGET_MAIL = (
    update(inbound_mail)
    .where(any_param(inbound_mail.c.customer_id, "ids"))
    .values(sender=None, subject=None, text=None, detail={})
)


def _read(row: Record) -> Response:
    fields: dict[str, Any] = dict(row)
    fields["kind"] = ResponseKind(fields["kind"])
    fields["buying_window"] = BuyingWindow(fields["buying_window"]) if fields["buying_window"] else None
    return Response(**fields)


async def add_hit(tx: Tx, of: Hit) -> None:
    """Keep a request for a tracked link."""
    fields = {name: getattr(of, name) for name in Hit.__dataclass_fields__}
    await tx.run(insert(hit).values(tenant_id=tx.tenant, **{**fields, "verdict": None, "signals": list(of.signals)}))


async def hits_of(tx: Tx, message_id: UUID) -> list[Hit]:
    """All requests for links of a message, first to last."""
    found: list[Hit] = []
    for row in await tx.all(_HITS, {"message": message_id}):
        fields: dict[str, Any] = dict(row)
        fields["verdict"] = Verdict(fields["verdict"]) if fields["verdict"] else None
        found.append(Hit(**fields))
    return found


async def save_verdicts(tx: Tx, verdicts: Mapping[UUID, tuple[Verdict, Sequence[str]]]) -> None:
    """Keep what hits were judged to be."""
    rows = [{"i": key, "v": verdict.value, "s": list(signals)} for key, (verdict, signals) in verdicts.items()]
    await tx.many(_JUDGED, rows)


async def add(tx: Tx, of: Response) -> bool:
    """Keep a response; false when it is known already by its source."""
    fields = {name: getattr(of, name) for name in Response.__dataclass_fields__}
    fields["kind"] = of.kind.value
    fields["buying_window"] = of.buying_window.value if of.buying_window else None
    return await tx.scalar(_ADD, {"tenant_id": tx.tenant, **fields}) is not None


async def get(tx: Tx, response_id: UUID) -> Response | None:
    """One response."""
    row = await tx.one(_GET, {"id": response_id})
    return _read(row) if row else None


async def list_responses(
    tx: Tx, where: Mapping[str, Any], *, limit: int, after: tuple[Any, ...] | None
) -> list[Response]:
    """Responses, newest first; `where` maps columns to values."""
    statement = select(*_COLUMNS).order_by(_r.c.captured_at.desc(), _r.c.id.desc()).limit(limit)
    for name, value in where.items():
        if value is not None:
            statement = statement.where(_r.c[name] == value)
    if after is not None:
        statement = statement.where(tuple_(_r.c.captured_at, _r.c.id) < after)
    return [_read(row) for row in await tx.all(statement)]


async def mail_by_digest(tx: Tx, digest: bytes) -> InboundMail | None:
    """The mail with these very bytes, if it came before."""
    row = await tx.one(_MAIL_BY_DIGEST, {"digest": digest})
    return InboundMail(**dict(row)) if row else None


async def add_mail(tx: Tx, of: InboundMail) -> None:
    """Keep a mail that came to us."""
    fields = {name: getattr(of, name) for name in InboundMail.__dataclass_fields__}
    await tx.run(insert(inbound_mail).values(tenant_id=tx.tenant, **{**fields, "detail": dict(of.detail)}))


async def by_campaign(tx: Tx, campaign_id: UUID) -> list[tuple[str | None, ResponseKind, int, int]]:
    """`(variant, kind, responses, customers)` of a campaign."""
    rows = await tx.all(_BY_CAMPAIGN, {"campaign": campaign_id})
    return [(row["variant"], ResponseKind(row["kind"]), row["n"], row["customers"]) for row in rows]


async def hits_by_campaign(tx: Tx, campaign_id: UUID) -> dict[str, int]:
    """How many link requests of a campaign were by people, by machines, and not judged yet."""
    return {row["verdict"] or "watched": row["n"] for row in await tx.all(_CLICKS, {"campaign": campaign_id})}


async def redact(tx: Tx, customers: Sequence[UUID]) -> None:
    """Take what is personal out of these customers' answers."""
    await tx.run(_FORGET_TEXT, {"ids": list(customers)})
    await tx.run(_FORGET_MAIL, {"ids": list(customers)})
