"""Statements on surveys and their answers."""

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, func, insert, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert as upsert

from crm_contact_center.surveys.domain import (
    Invitation,
    InvitationState,
    Results,
    Survey,
    SurveyKind,
    SurveyTrigger,
)
from crm_contact_center.surveys.tables import survey, survey_invitation, survey_key
from crm_shared.db.pool import Record, Tx
from crm_shared.db.statements import any_of, any_param
from crm_shared.tenancy import Viewer

_s, _i = survey.c, survey_invitation.c

_FIELDS = list(Survey.__dataclass_fields__)
_SEEN = select(*(_s[name] for name in _FIELDS))
_GET = _SEEN.where(_s.id == bindparam("id"))
_LOCK = _GET.with_for_update()
_INSERT = insert(survey).values({name: bindparam(name) for name in ("tenant_id", *_FIELDS)})
_CHANGING = [name for name in _FIELDS if name not in ("id", "kind", "created_at")]
_SAVE = update(survey).where(_s.id == bindparam("i")).values({name: bindparam(f"b_{name}") for name in _CHANGING})
_TRIGGERED = _SEEN.where(_s.trigger == bindparam("trigger"), _s.active.is_(True)).order_by(_s.created_at)

_ASKED_FIELDS = list(Invitation.__dataclass_fields__)
_ASKED = select(*(_i[name] for name in _ASKED_FIELDS))
_GET_ASKED = _ASKED.where(_i.id == bindparam("id"))
_LOCK_ASKED = _GET_ASKED.with_for_update()
_INVITE = (
    upsert(survey_invitation)
    .values({name: bindparam(name) for name in ("tenant_id", "touchpoint_id", *_ASKED_FIELDS)})
    .on_conflict_do_nothing()
)
_ANSWERING = ("state", "answered_at", "answered_by", "score", "comment", "follow_up_id", "version")
_ANSWER = (
    update(survey_invitation)
    .where(_i.id == bindparam("i"))
    .values({name: bindparam(f"b_{name}") for name in _ANSWERING})
)
_ASKED_AT = select(_i.invited_at).where(any_param(_i.customer_id, "ids"), _i.invited_at >= bindparam("since"))
_KEY = select(survey_key.c.key)
_MAKE_KEY = upsert(survey_key).values(tenant_id=bindparam("tenant_id"), key=bindparam("key")).on_conflict_do_nothing()
_SCRUB = update(survey_invitation).where(_i.customer_id == bindparam("i")).values(comment=None)
_answered = _i.state == InvitationState.ANSWERED.value
_RESULTS = select(
    func.count().label("invited"),
    func.count().filter(_answered).label("answered"),
    func.coalesce(func.sum(_i.score), 0).label("total_score"),
    func.count().filter(_i.score >= 9).label("promoters"),
    func.count().filter(_i.score <= 6).label("detractors"),
    func.count().filter(_i.follow_up_id.is_not(None)).label("low"),
).where(_i.survey_id == bindparam("id"))


async def insert_survey(tx: Tx, made: Survey) -> None:
    """Keep a new survey."""
    await tx.run(_INSERT, {"tenant_id": tx.tenant, **_values(made)})


async def save(tx: Tx, changed: Survey) -> None:
    """Keep a changed survey."""
    values = _values(changed)
    await tx.run(_SAVE, {"i": changed.id, **{f"b_{name}": values[name] for name in _CHANGING}})


async def get(tx: Tx, survey_id: UUID) -> Survey | None:
    """One survey."""
    row = await tx.one(_GET, {"id": survey_id})
    return _read(row) if row else None


async def view(tx: Tx, viewer: Viewer, survey_id: UUID) -> Survey | None:
    """One survey, as anybody in the tenant may see it."""
    return await get(tx, survey_id)


async def lock(tx: Tx, survey_id: UUID) -> Survey | None:
    """One survey, held until the transaction ends."""
    row = await tx.one(_LOCK, {"id": survey_id})
    return _read(row) if row else None


async def triggered_by(tx: Tx, trigger: SurveyTrigger) -> list[Survey]:
    """The surveys in use that ask after such a contact."""
    return [_read(row) for row in await tx.all(_TRIGGERED, {"trigger": trigger.value})]


async def list_surveys(
    tx: Tx, viewer: Viewer, filters: Any, *, limit: int, after: tuple[Any, ...] | None
) -> list[Survey]:
    """Surveys by name."""
    statement = _SEEN.order_by(_s.name, _s.id).limit(limit)
    if after is not None:
        statement = statement.where((_s.name > after[0]) | ((_s.name == after[0]) & (_s.id > after[1])))
    return [_read(row) for row in await tx.all(statement)]


async def results(tx: Tx, viewer: Viewer, survey_id: UUID) -> Results | None:
    """What the answers come to; None if there is no such survey."""
    if await get(tx, survey_id) is None:
        return None
    row = await tx.one(_RESULTS, {"id": survey_id})
    assert row is not None, "an aggregate has a row"
    return Results(**dict(row))


async def invite(tx: Tx, made: Invitation, touchpoint_id: UUID) -> bool:
    """Ask about a contact; says whether this is the first time this survey does."""
    values = {name: getattr(made, name) for name in _ASKED_FIELDS}
    return await tx.run(_INVITE, {"tenant_id": tx.tenant, "touchpoint_id": touchpoint_id, **values}) > 0


async def get_invitation(tx: Tx, viewer: Viewer, invitation_id: UUID) -> Invitation | None:
    """One asking."""
    row = await tx.one(_GET_ASKED, {"id": invitation_id})
    return _read_asked(row) if row else None


async def lock_invitation(tx: Tx, invitation_id: UUID) -> Invitation | None:
    """One asking, held until the transaction ends."""
    row = await tx.one(_LOCK_ASKED, {"id": invitation_id})
    return _read_asked(row) if row else None


async def save_answer(tx: Tx, answered: Invitation) -> None:
    """Keep an answer."""
    await tx.run(_ANSWER, {"i": answered.id, **{f"b_{name}": getattr(answered, name) for name in _ANSWERING}})


async def asked_at(tx: Tx, customer_ids: Collection[UUID], since: datetime) -> list[datetime]:
    """When this person was asked anything since a moment."""
    return [row["invited_at"] for row in await tx.all(_ASKED_AT, {"ids": list(customer_ids), "since": since})]


async def list_invitations(
    tx: Tx,
    viewer: Viewer,
    filters: Any,
    customer_ids: Collection[UUID] | None,
    *,
    limit: int,
    after: tuple[Any, ...] | None,
) -> list[Invitation]:
    """Askings, newest first."""
    statement = _ASKED.order_by(_i.invited_at.desc(), _i.id.desc()).limit(limit)
    if customer_ids is not None:
        statement = statement.where(any_of(_i.customer_id, customer_ids))
    for name in ("state", "survey_id", "interaction_id", "ticket_id"):
        if (wanted := getattr(filters, name)) is not None:
            statement = statement.where(_i[name] == wanted)
    if after is not None:
        statement = statement.where(tuple_(_i.invited_at, _i.id) < tuple_(*after))
    return [_read_asked(row) for row in await tx.all(statement)]


async def key(tx: Tx) -> bytes | None:
    """The key that signs this tenant's tokens, if one has been made."""
    return await tx.scalar(_KEY, {})


async def make_key(tx: Tx, fresh: bytes) -> bytes:
    """The key that signs this tenant's tokens; `fresh` if there was none."""
    await tx.run(_MAKE_KEY, {"tenant_id": tx.tenant, "key": fresh})
    kept = await key(tx)
    assert kept is not None, "it has just been made"
    return kept


async def scrub(tx: Tx, customer_id: UUID) -> None:
    """Forget what an erased person wrote."""
    await tx.run(_SCRUB, {"i": customer_id})


def _values(found: Survey) -> dict[str, Any]:
    return {**{name: getattr(found, name) for name in _FIELDS}, "channels": list(found.channels)}


def _read(row: Record) -> Survey:
    values: dict[str, Any] = {name: row[name] for name in _FIELDS}
    values["kind"] = SurveyKind(row["kind"])
    values["trigger"] = SurveyTrigger(row["trigger"])
    values["channels"] = tuple(row["channels"])
    return Survey(**values)


def _read_asked(row: Record) -> Invitation:
    values: dict[str, Any] = {name: row[name] for name in _ASKED_FIELDS}
    values["kind"] = SurveyKind(row["kind"])
    values["state"] = InvitationState(row["state"])
    return Invitation(**values)
