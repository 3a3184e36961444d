"""Messages as clients send and get them."""

from typing import Annotated, Any

from pydantic import Field

from crm_communication_dispatch.fields import CampaignId, ConsentId, CustomerId, MessageId, SuppressionId, TemplateId
from crm_communication_dispatch.governance.domain import SuppressionReason, Window
from crm_communication_dispatch.messages.commands import Order, Said, TestOrder
from crm_communication_dispatch.messages.domain import Attempt, Message, Receipt, ReceiptKind, Status
from crm_communication_dispatch.messages.queries import Explanation, Pressure
from crm_communication_dispatch.providers.domain import Channel, Fault, Outcome
from crm_shared.fields import Instant, MoneyField, Read, Strict, extensible
from crm_shared.http import Page, PageQuery
from crm_shared.money import Money

Purpose = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$", examples=["marketing", "transactional"])]
Language = Annotated[str, Field(max_length=35, examples=["en", "pt-BR"])]
Enhanced = Annotated[str, Field(pattern=r"^[245]\.[0-9]{1,3}\.[0-9]{1,3}$", examples=["5.1.1"])]


class MessageSend(Strict):
    """One message to one customer; the newest approved version of the template, unless one is named."""

    customer_id: CustomerId
    template_id: TemplateId
    template_version: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    channel: Channel = Channel.EMAIL
    purpose: Purpose | None = None
    language: Language | None = None
    variables: dict[str, Any] = Field(default_factory=dict[str, Any], examples=[{}])
    expires_at: Instant | None = None

    def order(self) -> Order:
        """As the command takes it."""
        return Order(
            customer_id=self.customer_id,
            template_id=self.template_id,
            template_number=self.template_version,
            channel=self.channel.value,
            purpose=self.purpose,
            language=self.language,
            variables=self.variables,
            expires_at=self.expires_at,
        )


class TestSend(Strict):
    """Where to show a version to its author."""

    address: Annotated[str, Field(min_length=3, max_length=254)] = Field(examples=["grace@example.org"])
    language: Language | None = Field(default=None, examples=["en"])
    variables: dict[str, Any] = Field(default_factory=dict[str, Any])

    def order(self) -> TestOrder:
        """As the command takes it."""
        return TestOrder(self.address, self.language, self.variables)


class ReceiptWrite(Strict):
    """What a provider says about a message that left us."""

    kind: ReceiptKind
    enhanced: Enhanced | None = None
    detail: Annotated[str, Field(max_length=1_000)] | None = None

    def said(self) -> Said:
        """As the command takes it."""
        dead = self.kind is ReceiptKind.BOUNCED and (self.enhanced or "").startswith("5.1.")
        return Said(self.kind, self.enhanced, self.detail, dead_address=dead)


class MessageRead(Read):
    """One row of the ledger; `reason` says why it waits, failed or wasn't sent."""

    id: MessageId
    customer_id: CustomerId | None
    channel: Annotated[str, extensible(Channel)]
    purpose: str = Field(examples=["marketing"])
    campaign_id: CampaignId | None
    step: str = Field(examples=[""])
    variant: str | None = Field(examples=["a"])
    template_id: TemplateId
    template_version: int
    language: str | None = Field(examples=["en"])
    address: str | None = Field(examples=["ada@example.org"])
    subject: str | None = Field(examples=["Our offer for you, Ada"])
    status: Annotated[str, extensible(Status)]
    reason: str | None = Field(examples=[None])
    due_at: Instant | None
    expires_at: Instant | None
    attempts: int
    coupon: str | None = Field(examples=["SPRING-7Q2K"])
    cost: MoneyField
    created_by: str = Field(examples=["usr_064gkndciprknf6emc10j6k0as"])
    planned_at: Instant
    sent_at: Instant | None
    ended_at: Instant | None
    version: int

    @classmethod
    def of(cls, found: Message) -> "MessageRead":
        """The client's view."""
        skipped = {"template_number", "variables", "consent_id", "explanation", "cost", "currency", "status"}
        fields = {name: getattr(found, name) for name in Message.__dataclass_fields__ if name not in skipped}
        return cls(
            **fields,
            status=found.status.value,
            template_version=found.template_number,
            cost=Money(found.cost, found.currency),
        )


class MessagePage(Page):
    """Some messages."""

    items: list[MessageRead]


class MessageFilter(PageQuery):
    """Which messages."""

    customer_id: CustomerId | None = None
    campaign_id: CampaignId | None = None
    status: Status | None = None
    purpose: Purpose | None = None


class AttemptRead(Read):
    """One try, and the provider's own words."""

    number: int
    started_at: Instant
    outcome: Annotated[str, extensible(Outcome)]
    fault: Annotated[str, extensible(Fault)]
    code: int | None
    enhanced: str | None = Field(examples=["2.0.0"])
    text: str | None = Field(examples=["250 2.0.0 accepted"])

    @classmethod
    def of(cls, found: Attempt) -> "AttemptRead":
        """The client's view."""
        names = (name for name in Attempt.__dataclass_fields__ if name != "message_id")
        return cls(**{name: getattr(found, name) for name in names})


class ReceiptRead(Read):
    """One thing said about the message, and whether it changed anything."""

    kind: Annotated[str, extensible(ReceiptKind)]
    applied: bool
    enhanced: str | None = Field(examples=[None])
    detail: str | None = Field(examples=[None])
    received_at: Instant

    @classmethod
    def of(cls, found: Receipt) -> "ReceiptRead":
        """The client's view."""
        names = (name for name in Receipt.__dataclass_fields__ if name not in ("id", "message_id"))
        return cls(**{name: getattr(found, name) for name in names})


class CheckRead(Read):
    """One rule that was asked, whether it let the message pass, and what it saw."""

    rule: str = Field(examples=["latest_effective"])
    passed: bool
    detail: dict[str, Any]


class ExplanationRead(Read):
    """Why a message was sent, waits, or wasn't sent."""

    message: MessageRead
    ruling: str | None = Field(examples=["send"])
    reason: str | None = Field(examples=["allowed"])
    decided_at: Instant | None
    consent_id: ConsentId | None
    checks: list[CheckRead]
    attempts: list[AttemptRead]
    receipts: list[ReceiptRead]

    @classmethod
    def of(cls, found: Explanation) -> "ExplanationRead":
        """The client's view."""
        why = found.message.explanation
        return cls(
            message=MessageRead.of(found.message),
            ruling=why.get("ruling"),
            reason=found.message.reason,
            decided_at=why.get("decided_at"),
            consent_id=found.message.consent_id,
            checks=[CheckRead(**check) for check in why.get("checks", [])],
            attempts=[AttemptRead.of(attempt) for attempt in found.attempts],
            receipts=[ReceiptRead.of(receipt) for receipt in found.receipts],
        )


class CapUse(Read):
    """A frequency cap and how much of it is used."""

    limit: int
    window: Annotated[str, extensible(Window)]
    channel: str | None = Field(examples=["email"])
    purposes: list[str] = Field(examples=[["marketing"]])
    used: int


class QuietRead(Read):
    """Quiet hours of a channel where the customer lives; `until` while they last."""

    channel: str = Field(examples=["email"])
    start: str = Field(examples=["21:00"])
    end: str = Field(examples=["08:00"])
    until: Instant | None


class SilenceRead(Read):
    """A suppression that holds."""

    id: SuppressionId
    channel: str = Field(examples=["email"])
    purpose: str | None = Field(examples=["marketing"])
    reason: Annotated[str, extensible(SuppressionReason)]


class PressureRead(Read):
    """How much a customer got today, this week and this month where the customer lives."""

    customer_id: CustomerId
    time_zone: str = Field(examples=["Europe/Berlin"])
    day: int
    week: int
    month: int
    caps: list[CapUse]
    quiet_hours: list[QuietRead]
    suppressions: list[SilenceRead]

    @classmethod
    def of(cls, found: Pressure) -> "PressureRead":
        """The client's view."""
        return cls(
            customer_id=found.customer_id,
            time_zone=found.time_zone,
            day=found.windows[Window.DAY],
            week=found.windows[Window.WEEK],
            month=found.windows[Window.MONTH],
            caps=[
                CapUse(limit=c.limit, window=c.window.value, channel=c.channel, purposes=sorted(c.purposes), used=used)
                for c, used in found.caps
            ],
            quiet_hours=[
                QuietRead(
                    channel=channel,
                    start=hours.start.isoformat("minutes"),
                    end=hours.end.isoformat("minutes"),
                    until=until,
                )
                for channel, (hours, until) in found.quiet.items()
            ],
            suppressions=[
                SilenceRead(id=s.id, channel=s.channel, purpose=s.purpose, reason=s.reason.value)
                for s in found.suppressions
            ],
        )
