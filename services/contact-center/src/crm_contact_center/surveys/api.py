"""Routes of surveys; customers answer on the public ones, with the token they were sent."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Path, Query, Response

from crm_contact_center.references import InvitationId, SurveyId
from crm_contact_center.surveys import commands, queries, store
from crm_contact_center.surveys.commands import Contact
from crm_contact_center.surveys.domain import Results, Survey, tenant_in
from crm_contact_center.surveys.queries import Asked
from crm_contact_center.surveys.schemas import (
    InvitationCreate,
    InvitationFilter,
    InvitationPage,
    InvitationRead,
    PublicSurveyRead,
    SurveyAnswer,
    SurveyCreate,
    SurveyFilter,
    SurveyPage,
    SurveyRead,
    SurveyResultsRead,
    SurveyUpdate,
)
from crm_shared.db.pool import Tx
from crm_shared.http.call import Call, needs, on_behalf, public
from crm_shared.http.router import Router
from crm_shared.tenancy import Viewer

router = Router(prefix="/v1/surveys", tag="surveys", about="Questions to customers about a contact, and their answers.")

Writer = Annotated[Call, needs("surveys:write")]
Reader = Annotated[Call, needs("surveys:read")]
Anybody = Annotated[Call, public("A customer answers with the token that was sent to them.")]
Token = Annotated[str, Path(max_length=100, description="What the link to the customer ends with.")]


@router.post("", status_code=201, response_model=SurveyRead)
async def create(body: SurveyCreate, call: Writer) -> Response:
    """Create a survey, in use at once."""
    return await call.write(commands.create_survey, body.to_domain(), answer=SurveyRead.of)


@router.get("", response_model=SurveyPage)
async def list(filters: Annotated[SurveyFilter, Query()], call: Reader) -> Response:
    """Surveys by name."""
    return await call.page(
        store.list_surveys, filters, answer=SurveyRead.of, key=lambda survey: (survey.name, survey.id)
    )


@router.get("/invitations", response_model=InvitationPage)
async def list_invitations(filters: Annotated[InvitationFilter, Query()], call: Reader) -> Response:
    """Who was asked by a survey and what they answered, newest first."""
    return await call.page(
        queries.list_invitations,
        filters,
        answer=InvitationRead.of,
        key=lambda asked: (asked.invitation.invited_at, asked.invitation.id),
    )


@router.get("/invitations/{invitation_id}", response_model=InvitationRead)
async def get_invitation(invitation_id: InvitationId, call: Reader) -> Response:
    """One invitation to a survey."""
    return await call.read(queries.get_invitation, invitation_id, answer=InvitationRead.of)


@router.post("/invitations/{invitation_id}/answer", response_model=InvitationRead)
async def answer(invitation_id: InvitationId, body: SurveyAnswer, call: Writer) -> Response:
    """Record an answer that the customer gave to an agent."""
    return await call.write(_answer, invitation_id, body.score, body.comment, answer=InvitationRead.of)


@router.get("/public/{token}", response_model=PublicSurveyRead)
async def public_question(token: Token, call: Anybody) -> Response:
    """The question, for the customer who was sent this token."""
    return await _as_customer(call, token).read(queries.by_token, token, answer=PublicSurveyRead.of)


@router.post("/public/{token}", response_model=PublicSurveyRead)
async def public_answer(token: Token, body: SurveyAnswer, call: Anybody) -> Response:
    """Answer a survey, as the customer who was sent this token."""
    return await _as_customer(call, token).write(
        _answer_by_token, token, body.score, body.comment, answer=PublicSurveyRead.of
    )


@router.get("/{survey_id}", response_model=SurveyRead)
async def get(survey_id: SurveyId, call: Reader) -> Response:
    """One survey."""
    return await call.read(store.view, survey_id, answer=SurveyRead.of)


@router.patch("/{survey_id}", response_model=SurveyRead)
async def update(survey_id: SurveyId, body: SurveyUpdate, call: Writer) -> Response:
    """Change a survey; what it measures stays."""
    return await call.write(
        commands.change_survey, survey_id, body.changes(), expected=call.if_match(), answer=SurveyRead.of
    )


@router.get("/{survey_id}/results", response_model=SurveyResultsRead)
async def results(survey_id: SurveyId, call: Reader) -> Response:
    """What a survey's answers come to."""

    def read(found: tuple[Survey, Results]) -> SurveyResultsRead:
        return SurveyResultsRead.of(found[0].kind, found[1])

    return await call.read(_results, survey_id, answer=read)


@router.post("/{survey_id}/invitations", status_code=201, response_model=InvitationRead)
async def ask(survey_id: SurveyId, body: InvitationCreate, call: Writer) -> Response:
    """Ask a customer now, whatever the sample and the rest say."""
    return await call.write(_ask, survey_id, body.to_domain(), answer=InvitationRead.of)


def _as_customer(call: Call, token: str) -> Call:
    return on_behalf(call, Viewer(tenant_in(token), "customer"))


async def _ask(tx: Tx, viewer: Viewer, survey_id: UUID, contact: Contact, *, now: datetime) -> Asked:
    return await queries.asked(tx, await commands.ask(tx, viewer, survey_id, contact, now=now))


async def _answer(
    tx: Tx, viewer: Viewer, invitation_id: UUID, score: int, comment: str | None, *, now: datetime
) -> Asked:
    return await queries.asked(tx, await commands.answer(tx, viewer, invitation_id, score, comment, now=now))


async def _answer_by_token(
    tx: Tx, viewer: Viewer, token: str, score: int, comment: str | None, *, now: datetime
) -> Asked:
    found = await queries.by_token(tx, viewer, token)
    return await _answer(tx, viewer, found.invitation.id, score, comment, now=now)


async def _results(tx: Tx, viewer: Viewer, survey_id: UUID) -> tuple[Survey, Results] | None:
    survey, found = await store.get(tx, survey_id), await store.results(tx, viewer, survey_id)
    return (survey, found) if survey and found else None
