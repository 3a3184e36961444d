"""Surveys over HTTP."""

from typing import Annotated, Any, Self

from pydantic import Field

from crm_contact_center.interactions.domain import InteractionChannel
from crm_contact_center.references import CustomerId, InteractionId, InvitationId, SurveyId, TicketId
from crm_contact_center.surveys.commands import Contact, NewSurvey
from crm_contact_center.surveys.domain import SCALES, InvitationState, Results, Survey, SurveyKind, SurveyTrigger
from crm_contact_center.surveys.queries import Asked
from crm_shared.fields import Instant, Read, Strict, extensible
from crm_shared.http.pagination import Page, PageQuery

Score = Annotated[int, Field(ge=0, le=10)]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Question = Annotated[str, Field(min_length=1, max_length=500)]
Comment = Annotated[str, Field(min_length=1, max_length=4_000)]


class SurveyCreate(Strict):
    """A question, and after what it is put: csat scores 1 to 5, nps 0 to 10, ces 1 to 7."""

    name: Name = Field(examples=["After a call"])
    kind: SurveyKind
    question: Question = Field(examples=["How satisfied were you with our help?"])
    trigger: SurveyTrigger = SurveyTrigger.INTERACTION
    channels: list[InteractionChannel] = Field([], max_length=10)
    sampling_percent: int = Field(100, ge=0, le=100)
    rest_days: int = Field(30, ge=0, le=365)
    low_at: Score | None = None

    def to_domain(self) -> NewSurvey:
        fields: dict[str, Any] = {name: getattr(self, name) for name in NewSurvey.__dataclass_fields__}
        fields["channels"] = tuple(self.channels)
        return NewSurvey(**fields)


class SurveyUpdate(Strict):
    """What is to change; what is left out stays."""

    name: Name = ""
    question: Question = ""
    channels: list[InteractionChannel] = Field([], max_length=10)
    sampling_percent: int = Field(100, ge=0, le=100, examples=[50])
    rest_days: int = Field(30, ge=0, le=365)
    low_at: Score | None = None
    active: bool = True

    def changes(self) -> dict[str, Any]:
        given = self.model_dump(exclude_unset=True)
        if "channels" in given:
            given["channels"] = tuple(given["channels"])
        return given


class SurveyRead(Read):
    """A survey."""

    id: SurveyId
    name: str = Field(examples=["After a call"])
    kind: Annotated[str, extensible(SurveyKind)]
    question: str = Field(examples=["How satisfied were you with our help?"])
    trigger: Annotated[str, extensible(SurveyTrigger)]
    channels: list[str] = Field(examples=[["voice"]])
    sampling_percent: int = Field(examples=[50])
    rest_days: int = Field(examples=[30])
    low_at: int | None
    active: bool = Field(examples=[True])
    version: int
    created_at: Instant

    @classmethod
    def of(cls, survey: Survey) -> Self:
        fields: dict[str, Any] = {name: getattr(survey, name) for name in cls.model_fields}
        fields["channels"] = list(survey.channels)
        return cls(**fields)


class SurveyPage(Page):
    items: list[SurveyRead]


class SurveyFilter(PageQuery):
    """Surveys have no filters yet."""


class SurveyResultsRead(Read):
    """What the answers come to; `nps` for surveys of that kind only."""

    invited: int = Field(examples=[120])
    answered: int = Field(examples=[48])
    mean: float | None = Field(examples=[4.6])
    nps: float | None
    promoters: int
    detractors: int
    follow_ups: int

    @classmethod
    def of(cls, kind: SurveyKind, found: Results) -> Self:
        is_nps = kind is SurveyKind.NPS
        return cls(
            invited=found.invited,
            answered=found.answered,
            mean=found.mean,
            nps=found.nps if is_nps else None,
            promoters=found.promoters if is_nps else 0,
            detractors=found.detractors if is_nps else 0,
            follow_ups=found.low,
        )


class InvitationCreate(Strict):
    """Whom to ask about what."""

    customer_id: CustomerId
    interaction_id: InteractionId | None = None
    ticket_id: TicketId | None = None
    channel: InteractionChannel | None = Field(default=None, examples=["email"])

    def to_domain(self) -> Contact:
        return Contact(self.customer_id, self.channel, self.interaction_id, self.ticket_id)


class SurveyAnswer(Strict):
    """How it was."""

    score: Score = Field(examples=[5])
    comment: Comment | None = Field(default=None, examples=["Quick and friendly."])


class InvitationRead(Read):
    """One customer asked about one contact; `token` opens the public page on which they answer."""

    id: InvitationId
    survey_id: SurveyId
    kind: Annotated[str, extensible(SurveyKind)]
    customer_id: CustomerId
    interaction_id: InteractionId | None
    ticket_id: TicketId | None
    touchpoint: str = Field(examples=["service_call"])
    state: Annotated[str, extensible(InvitationState)]
    token: str = Field(examples=["064gkndciprknf6emc10j6k0as.3q2-7w"])
    invited_at: Instant
    expires_at: Instant
    answered_at: Instant | None
    score: int | None
    comment: str | None = Field(examples=["Quick and friendly."])
    follow_up_id: TicketId | None
    version: int

    @classmethod
    def of(cls, found: Asked) -> Self:
        fields: dict[str, Any] = {name: getattr(found.invitation, name) for name in cls.model_fields if name != "token"}
        return cls(**fields, token=found.token)


class InvitationPage(Page):
    items: list[InvitationRead]


class InvitationFilter(PageQuery):
    customer_id: CustomerId | None = None
    survey_id: SurveyId | None = None
    interaction_id: InteractionId | None = None
    ticket_id: TicketId | None = None
    state: InvitationState | None = None


class PublicSurveyRead(Read):
    """What the customer sees."""

    question: str = Field(examples=["How satisfied were you with our help?"])
    kind: Annotated[str, extensible(SurveyKind)]
    scale_min: int
    scale_max: int = Field(examples=[5])
    answered: bool

    @classmethod
    def of(cls, found: Asked) -> Self:
        low, high = SCALES[found.survey.kind]
        return cls(
            question=found.survey.question,
            kind=found.survey.kind,
            scale_min=low,
            scale_max=high,
            answered=found.invitation.state is InvitationState.ANSWERED,
        )
