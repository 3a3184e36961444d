"""Leads over HTTP."""

from typing import Annotated, Any

from pydantic import Field

from crm_sales_pipeline.fields import Email, Key, Moment, Name, Note, Phone, Slug
from crm_sales_pipeline.identifiers import CampaignId, CustomerId, DealId, LeadId, ResponseId, StepId, UserId
from crm_sales_pipeline.leads.commands.capture import CaptureLead
from crm_sales_pipeline.leads.commands.follow_up import Recycle
from crm_sales_pipeline.leads.domain.leads import Contact, Lead, LeadState, Origin
from crm_sales_pipeline.leads.domain.scoring import Reason
from crm_sales_pipeline.leads.domain.windows import BuyingWindow
from crm_sales_pipeline.leads.store import LeadFilter, Step
from crm_shared.fields import Instant, Read, Strict, extensible
from crm_shared.http.pagination import Page, PageQuery

WindowRead = Annotated[str, extensible(BuyingWindow)]
StateRead = Annotated[str, extensible(LeadState)]


class ContactFields(Strict):
    """How to reach the person behind a lead."""

    name: Name | None = None
    email: Email | None = None
    phone: Phone | None = None
    company: Name | None = None


class LeadCreate(Strict):
    """Interest that showed. The same `source` and `source_key` again give the same lead."""

    source: Slug = Field(examples=["web-shop"])
    source_key: Key | None = Field(default=None, examples=["W-1042"])
    customer_id: CustomerId | None = None
    contact: ContactFields = Field(
        default=ContactFields(), examples=[{"name": "Ada Lovelace", "email": "ada@example.org"}]
    )
    buying_window: BuyingWindow = Field(default=BuyingWindow.UNKNOWN, examples=["within_3_months"])
    interest: Note | None = Field(default=None, examples=["Fifty water pumps for a new plant"])
    campaign_id: CampaignId | None = None
    channel: Slug | None = None
    partner: Slug | None = None
    referrer: Name | None = None
    captured_at: Moment | None = None

    def to_domain(self) -> CaptureLead:
        """What the command takes."""
        return CaptureLead(
            origin=Origin(
                source=self.source,
                source_key=self.source_key,
                campaign_id=self.campaign_id,
                channel=self.channel,
                partner=self.partner,
                referrer=self.referrer,
            ),
            contact=Contact(**self.contact.model_dump()),
            customer_id=self.customer_id,
            window=self.buying_window,
            interest=self.interest,
            captured_at=self.captured_at,
        )


class LeadUpdate(Strict):
    """What may change; a nearer `buying_window` pulls the lead forward."""

    buying_window: BuyingWindow = Field(default=BuyingWindow.UNKNOWN, examples=["now"])
    interest: Note | None = Field(default=None, examples=["Sixty water pumps"])
    name: Name | None = None
    email: Email | None = None
    phone: Phone | None = None
    company: Name | None = None

    def changes(self) -> dict[str, Any]:
        """The fields that were sent."""
        return self.model_dump(exclude_unset=True)


class LeadAssign(Strict):
    """To whom; left out, the rules choose."""

    owner_id: UserId | None = Field(default=None, examples=["usr_064gkndciprknf6emc10j6k0as"])


class LeadContact(Strict):
    """When it happened; left out, now."""

    at: Moment | None = Field(default=None, examples=["2026-03-02T09:30:00Z"])


class LeadRecycle(Strict):
    """Why not now, and when again; left out, as the window's policy says."""

    reason: Note = Field(examples=["Budget comes next year"])
    resurface_at: Moment | None = Field(default=None, examples=["2027-01-10T08:00:00Z"])
    resurface_as: BuyingWindow | None = None

    def to_domain(self) -> Recycle:
        """What the command takes."""
        return Recycle(reason=self.reason, resurface_at=self.resurface_at, resurface_as=self.resurface_as)


class LeadClose(Strict):
    """Why nothing will come of it."""

    reason: Note = Field(examples=["Only wanted the catalogue"])


class LeadQuery(PageQuery):
    """Which leads to list."""

    state: LeadState | None = None
    owner_id: UserId | None = None
    campaign_id: CampaignId | None = None
    customer_id: CustomerId | None = None
    buying_window: BuyingWindow | None = None
    breached: bool | None = None

    def to_filter(self) -> LeadFilter:
        """What the store takes."""
        return LeadFilter(
            state=self.state,
            owner_id=self.owner_id,
            campaign_id=self.campaign_id,
            customer_id=self.customer_id,
            window=self.buying_window,
            breached=self.breached,
        )


class ContactRead(Read):
    """How to reach the person behind a lead."""

    name: str | None = Field(examples=["Ada Lovelace"])
    email: str | None = Field(examples=["ada@example.org"])
    phone: str | None = Field(examples=["+49 30 1234567"])
    company: str | None = Field(examples=["Analytical Engines Ltd"])


class LeadRead(Read):
    """One lead."""

    id: LeadId
    customer_id: CustomerId | None
    contact: ContactRead
    source: str = Field(examples=["web-shop"])
    source_key: str | None = Field(examples=["W-1042"])
    campaign_id: CampaignId | None
    response_id: ResponseId | None
    channel: str | None = Field(examples=["web"])
    partner: str | None = Field(examples=[None])
    referrer: str | None = Field(examples=[None])
    interest: str | None = Field(examples=["Fifty water pumps for a new plant"])
    buying_window: WindowRead
    captured_window: WindowRead
    state: StateRead
    owner_id: UserId | None
    score: int
    captured_at: Instant
    first_contact_due_at: Instant | None
    sla_breached_at: Instant | None
    contacted_at: Instant | None
    seconds_to_contact: int | None
    resurface_at: Instant | None
    resurfaced: int
    ended_at: Instant | None
    reason: str | None = Field(examples=[None])
    deal_id: DealId | None
    version: int

    @classmethod
    def of(cls, lead: Lead) -> "LeadRead":
        """The lead as clients see it."""
        contact, origin = lead.contact, lead.origin
        return cls(
            id=lead.id,
            customer_id=lead.customer_id,
            contact=ContactRead(name=contact.name, email=contact.email, phone=contact.phone, company=contact.company),
            source=origin.source,
            source_key=origin.source_key,
            campaign_id=origin.campaign_id,
            response_id=origin.response_id,
            channel=origin.channel,
            partner=origin.partner,
            referrer=origin.referrer,
            interest=lead.interest,
            buying_window=lead.buying_window,
            captured_window=lead.captured_window,
            state=lead.state,
            owner_id=lead.owner_id,
            score=lead.score,
            captured_at=lead.captured_at,
            first_contact_due_at=lead.first_contact_due_at,
            sla_breached_at=lead.sla_breached_at,
            contacted_at=lead.contacted_at,
            seconds_to_contact=lead.seconds_to_contact,
            resurface_at=lead.resurface_at,
            resurfaced=lead.resurfaced,
            ended_at=lead.ended_at,
            reason=lead.reason,
            deal_id=lead.deal_id,
            version=lead.version,
        )


class LeadPage(Page):
    """One page of leads."""

    items: list[LeadRead]


class StepRead(Read):
    """One step of a lead."""

    id: StepId
    from_state: StateRead | None
    to_state: StateRead
    actor: str = Field(examples=["usr_064gkndciprknf6emc10j6k0as"])
    reason: str | None = Field(examples=[None])
    at: Instant


class LeadHistory(Read):
    """All steps of a lead, oldest first."""

    items: list[StepRead]

    @classmethod
    def of(cls, steps: list[Step]) -> "LeadHistory":
        """The steps as clients see them."""
        return cls(
            items=[
                StepRead(
                    id=step.id,
                    from_state=step.from_state,
                    to_state=step.to_state,
                    actor=step.actor,
                    reason=step.reason,
                    at=step.at,
                )
                for step in steps
            ]
        )


class ReasonRead(Read):
    """One part of a score."""

    factor: str = Field(examples=["buying_window"])
    value: str = Field(examples=["now"])
    points: int


class ScoreRead(Read):
    """A lead's score and the reasons that sum to it."""

    score: int
    reasons: list[ReasonRead]

    @classmethod
    def of(cls, reasons: tuple[Reason, ...]) -> "ScoreRead":
        """The explanation as clients see it."""
        return cls(
            score=sum(reason.points for reason in reasons),
            reasons=[ReasonRead(factor=reason.factor, value=reason.value, points=reason.points) for reason in reasons],
        )
