"""Asking and answering."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from secrets import token_bytes
from typing import Any
from uuid import UUID

from crm_contact_center.customers import store as customers
from crm_contact_center.interactions import store as interactions
from crm_contact_center.surveys import store
from crm_contact_center.surveys.domain import (
    SCALES,
    VALID_FOR,
    Invitation,
    InvitationState,
    Survey,
    SurveyKind,
    SurveyTrigger,
    check_answerable,
    check_score,
    is_rested,
    is_sampled,
)
from crm_contact_center.surveys.events import SurveyAnswered
from crm_contact_center.tickets import store as tickets
from crm_contact_center.tickets.commands.opening import NewTicket, open_ticket
from crm_contact_center.tickets.domain.cases import TicketKind
from crm_shared.db.pool import Tx
from crm_shared.errors import Conflict, FieldError, Invalid, NotFound, PreconditionFailed
from crm_shared.ids import new_id, public_id
from crm_shared.tenancy import Viewer


@dataclass(frozen=True, slots=True)
class NewSurvey:
    """A question and when to put it; see `Survey`."""

    name: str
    kind: SurveyKind
    question: str
    trigger: SurveyTrigger
    channels: tuple[str, ...]
    sampling_percent: int
    rest_days: int
    low_at: int | None


@dataclass(frozen=True, slots=True)
class Contact:
    """What a customer is asked about."""

    customer_id: UUID
    channel: str | None
    interaction_id: UUID | None = None
    ticket_id: UUID | None = None

    @property
    def id(self) -> UUID:
        """The interaction or ticket; where there is neither, each asking is a matter of its own."""
        return self.interaction_id or self.ticket_id or new_id()

    @property
    def touchpoint(self) -> str:
        """In a word."""
        if self.ticket_id is not None:
            return "ticket"
        return "interaction" if self.interaction_id is not None else "other"


async def create_survey(tx: Tx, viewer: Viewer, data: NewSurvey, *, now: datetime) -> Survey:
    """A new survey, in use at once."""
    fields: dict[str, Any] = {name: getattr(data, name) for name in NewSurvey.__dataclass_fields__}
    made = Survey(id=new_id(), active=True, version=1, created_at=now, **fields)
    if made.low_at is not None:
        check_score(made.kind, made.low_at, "/low_at")
    await store.insert_survey(tx, made)
    return made


async def change_survey(
    tx: Tx, viewer: Viewer, survey_id: UUID, changes: dict[str, Any], *, expected: int | None, now: datetime
) -> Survey:
    """Change a survey; what it measures stays, or its answers would no longer add up.

    Raises:
        NotFound: there is no such survey.
        PreconditionFailed: it has changed since the sender saw it.
    """
    current = await store.lock(tx, survey_id)
    if current is None:
        raise NotFound.of("survey", public_id("srv", survey_id))
    if expected is not None and expected != current.version:
        raise PreconditionFailed("The survey has changed; read it again and repeat your change.")
    changed = replace(current, **changes, version=current.version + 1)
    if changed.low_at is not None:
        check_score(changed.kind, changed.low_at, "/low_at")
    await store.save(tx, changed)
    return changed


async def ask(tx: Tx, viewer: Viewer, survey_id: UUID, contact: Contact, *, now: datetime) -> Invitation:
    """Ask a customer now; somebody wants it, so neither sample nor rest are asked.

    Raises:
        NotFound: there is no such survey.
        Invalid: there is no such interaction or ticket.
        Conflict: this survey has asked about this contact already.
    """
    survey = await store.get(tx, survey_id)
    if survey is None:
        raise NotFound.of("survey", public_id("srv", survey_id))
    await _check(tx, contact)
    made = await _invite(tx, survey, contact, now=now)
    if made is None:
        field = "/interaction_id" if contact.interaction_id else "/ticket_id"
        raise Conflict(
            "The customer has been asked about this already.",
            code="survey_asked_already",
            errors=[FieldError(field, "already_taken", "Each contact is asked about once.")],
        )
    return made


async def ask_after(tx: Tx, trigger: SurveyTrigger, contact: Contact, *, now: datetime) -> Invitation | None:
    """Ask by ourselves after a contact, if a survey wants it and the customer isn't tired of us; one survey at most."""
    for survey in await store.triggered_by(tx, trigger):
        if survey.channels and contact.channel not in survey.channels:
            continue
        if not is_sampled(survey, contact.id):
            continue
        family = (await customers.family(tx, [contact.customer_id]))[contact.customer_id]
        asked = await store.asked_at(tx, family, now - timedelta(days=survey.rest_days))
        if not is_rested(asked, survey, now):
            return None
        return await _invite(tx, survey, contact, now=now)
    return None


async def answer(
    tx: Tx, viewer: Viewer, invitation_id: UUID, score: int, comment: str | None, *, now: datetime
) -> Invitation:
    """The customer says how it was; a low score opens a follow-up ticket, once.

    Raises:
        NotFound: there is no such asking.
        Invalid: the score is off the scale.
        Conflict: it is answered already, or too late.
    """
    asked = await store.lock_invitation(tx, invitation_id)
    survey = await store.get(tx, asked.survey_id) if asked else None
    if asked is None or survey is None:
        raise NotFound.of("survey", public_id("svy", invitation_id))
    check_answerable(asked, now)
    check_score(asked.kind, score)
    follow_up = None
    if survey.low_at is not None and score <= survey.low_at:
        follow_up = await _follow_up(tx, asked, score, comment, now=now)
    given = replace(
        asked,
        state=InvitationState.ANSWERED,
        answered_at=now,
        answered_by=viewer.subject,
        score=score,
        comment=comment,
        follow_up_id=follow_up,
        version=asked.version + 1,
    )
    await store.save_answer(tx, given)
    tx.emit(
        SurveyAnswered(
            customer_id=given.customer_id,
            survey=survey.name,
            kind=given.kind,
            score=score,
            scale_max=SCALES[given.kind][1],
            comment=comment,
            touchpoint=given.touchpoint,
            ticket_id=given.ticket_id,
            interaction_id=given.interaction_id,
            at=now,
        ),
        aggregate_id=given.id,
    )
    return given


async def _invite(tx: Tx, survey: Survey, contact: Contact, *, now: datetime) -> Invitation | None:
    await store.make_key(tx, token_bytes(32))
    made = Invitation(
        id=new_id(),
        survey_id=survey.id,
        kind=survey.kind,
        customer_id=contact.customer_id,
        interaction_id=contact.interaction_id,
        ticket_id=contact.ticket_id,
        touchpoint=contact.touchpoint,
        channel=contact.channel,
        state=InvitationState.INVITED,
        invited_at=now,
        expires_at=now + VALID_FOR,
        answered_at=None,
        answered_by=None,
        score=None,
        comment=None,
        follow_up_id=None,
        version=1,
    )
    return made if await store.invite(tx, made, contact.id) else None


async def _follow_up(tx: Tx, asked: Invitation, score: int, comment: str | None, *, now: datetime) -> UUID:
    """Somebody is to call back: as a complaint, so that it is handled in time."""
    opened = await open_ticket(
        tx,
        Viewer.system(tx.tenant),
        NewTicket(
            kind=TicketKind.COMPLAINT,
            subject=f"Low {asked.kind} score: {score} of {SCALES[asked.kind][1]}",
            description=comment,
            customer_id=asked.customer_id,
            interaction_id=asked.interaction_id,
            channel=asked.channel,
        ),
        now=now,
    )
    return opened.id


async def _check(tx: Tx, contact: Contact) -> None:
    if contact.interaction_id is not None and await interactions.get(tx, contact.interaction_id) is None:
        raise Invalid.field("/interaction_id", "There is no such interaction.", code="interaction_not_found")
    if contact.ticket_id is not None and await tickets.get(tx, contact.ticket_id) is None:
        raise Invalid.field("/ticket_id", "There is no such ticket.", code="ticket_not_found")
