"""Taking in what customers answer."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from crm_communication_dispatch.campaigns import store as campaigns
from crm_communication_dispatch.campaigns.domain import Wants
from crm_communication_dispatch.customers import store as customers
from crm_communication_dispatch.governance import commands as governance
from crm_communication_dispatch.governance.commands import Silence
from crm_communication_dispatch.governance.domain import SuppressionReason
from crm_communication_dispatch.links import links_of
from crm_communication_dispatch.messages.domain import TEST, Message
from crm_communication_dispatch.messages.store import ledger
from crm_communication_dispatch.responses import store
from crm_communication_dispatch.responses.domain import BuyingWindow, Hit, Response, ResponseKind
from crm_communication_dispatch.responses.events import (
    MessageComplained,
    MessageUnsubscribed,
    ResponseCaptured,
)
from crm_communication_dispatch.settings import mail_settings
from crm_communication_dispatch.templates import store as templates
from crm_communication_dispatch.templates.commands import SampleReader
from crm_communication_dispatch.templates.rendering import CompiledVersion, RenderedEmail, compiled
from crm_communication_dispatch.templates.sandbox import TemplateRefused
from crm_shared.db.due import schedule
from crm_shared.db.pool import Tx
from crm_shared.errors import CrmError, Gone, Invalid, NotFound
from crm_shared.ids import new_id, public_id
from crm_shared.tenancy import Viewer

JUDGE = "response.judge"
# Without a campaign there is no rule: a reply to a single message is for service, all else is only kept.
_WITHOUT_RULE = {ResponseKind.REPLY: Wants.TASK}


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of a customer; the same `source_key` twice is the same answer."""

    customer_id: UUID
    kind: ResponseKind
    source_key: str
    campaign_id: UUID | None = None
    message_id: UUID | None = None
    window: BuyingWindow | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who asks for a link, as far as the request tells."""

    method: str
    user_agent: str | None


async def capture(tx: Tx, viewer: Viewer, answer: Answer, *, now: datetime) -> Response | None:
    """Keep an answer and tell sales or service, as the campaign's rule says; None when it is known already."""
    del viewer
    campaign = await campaigns.get(tx, answer.campaign_id) if answer.campaign_id else None
    rule = campaign.plan.response_rule.wants(answer.kind.value) if campaign else None
    wants = rule or _WITHOUT_RULE.get(answer.kind, Wants.NOTHING)
    made = Response(
        id=new_id(),
        customer_id=answer.customer_id,
        campaign_id=answer.campaign_id,
        message_id=answer.message_id,
        kind=answer.kind,
        buying_window=answer.window,
        text=answer.text,
        wants=wants.value,
        source_key=answer.source_key,
        captured_at=now,
    )
    if not await store.add(tx, made):
        return None
    tx.emit(ResponseCaptured.of(made), aggregate_id=made.id)
    return made


@dataclass(frozen=True, slots=True)
class Told:
    """An answer that somebody entered: a coupon code that was shown, or a call."""

    kind: ResponseKind
    code: str | None
    customer_id: UUID | None
    campaign_id: UUID | None
    window: BuyingWindow | None
    text: str | None


async def record_told(tx: Tx, viewer: Viewer, told: Told, *, now: datetime) -> Response:
    """Keep an answer that came by coupon or call.

    Raises:
        NotFound: no message brought this coupon code, or there is no such campaign.
        Invalid: neither a code nor a customer is named.
    """
    answer = await _answer_of(tx, told)
    made = await capture(tx, viewer, answer, now=now)
    if made is not None:
        return made
    found = await store.list_responses(tx, {"source_key": answer.source_key}, limit=1, after=None)
    return found[0]


async def _answer_of(tx: Tx, told: Told) -> Answer:
    if told.kind is ResponseKind.COUPON:
        if told.code is None:
            raise Invalid.field("/code", "Name the coupon's code.", code="code_missing")
        message = await ledger.by_coupon(tx, told.code.strip().upper())
        if message is None or message.customer_id is None:
            raise NotFound("No message brought this coupon code.", code="coupon_not_found")
        return Answer(
            customer_id=message.customer_id,
            kind=told.kind,
            source_key=f"coupon:{message.id}",
            campaign_id=message.campaign_id,
            message_id=message.id,
            window=told.window,
            text=told.text,
        )
    if told.customer_id is None:
        raise Invalid.field("/customer_id", "Name the customer who called.", code="customer_missing")
    if told.campaign_id is not None and await campaigns.get(tx, told.campaign_id) is None:
        raise NotFound.of("campaign", public_id("cmp", told.campaign_id))
    return Answer(
        customer_id=told.customer_id,
        kind=told.kind,
        source_key=f"call:{new_id()}",
        campaign_id=told.campaign_id,
        window=told.window,
        text=told.text,
    )


async def record_click(tx: Tx, viewer: Viewer, message_id: UUID, index: int, visitor: Visitor, *, now: datetime) -> str:
    """Keep a request for a tracked link, and say where it leads; whether a person asked is judged a moment later.

    Raises:
        Gone: the message or its link no longer exists.
    """
    del viewer
    message = await ledger.get(tx, message_id)
    made = await _version_of(tx, message) if message else None
    if message is None or made is None:
        raise Gone("This link no longer leads anywhere.", code="link_gone")
    url = await destination(tx, message, made, index)
    if url is None:
        raise Gone("This link no longer leads anywhere.", code="link_gone")
    agent = visitor.user_agent[:500] if visitor.user_agent else None
    await store.add_hit(tx, Hit(new_id(), message_id, index, url, visitor.method, agent, now, None, ()))
    if message.purpose != TEST:
        wait = timedelta(seconds=mail_settings().click_verdict_delay_s)
        await schedule(tx, JUDGE, key=str(message_id), due_at=now + wait)
    return url


async def _version_of(tx: Tx, message: Message) -> CompiledVersion | None:
    version = await templates.get_version(tx, message.template_id, message.template_number)
    return compiled(version) if version else None


async def destination(tx: Tx, message: Message, made: CompiledVersion, index: int) -> str | None:
    """Where a message's link leads."""
    customer = await customers.get_customer(tx, message.customer_id) if message.customer_id else None
    try:
        values = made.values_for(customer or SampleReader(), message.variables, coupon=message.coupon)
        language = message.language or made.version.languages[0]
        return made.email(made.language_for("email", language)).destination(index, values)
    except (CrmError, TemplateRefused):  # an erased customer's variables are gone, and with them such links
        return None


async def unsubscribe(tx: Tx, viewer: Viewer, message_id: UUID, *, now: datetime) -> Message:
    """Write no more of this purpose to this customer on this channel; twice is once.

    Raises:
        Gone: there is no such message.
    """
    message = await ledger.get(tx, message_id)
    if message is None or message.customer_id is None:
        raise Gone("This link no longer leads anywhere.", code="link_gone")
    silence = Silence(
        channel=message.channel,
        customer_id=message.customer_id,
        address=None,
        purpose=message.purpose,
        reason=SuppressionReason.UNSUBSCRIBED,
        message_id=message_id,
    )
    _, news = await governance.suppress_once(tx, viewer, silence, now=now)
    if news:
        tx.emit(MessageUnsubscribed.about(message, reason="one_click", at=now), aggregate_id=message_id)
    return message


async def complain(tx: Tx, viewer: Viewer, message: Message, *, feedback: str | None, now: datetime) -> None:
    """Write nothing that isn't urgent to a customer who reported us."""
    if message.customer_id is None:
        return
    silence = Silence(
        channel=message.channel,
        customer_id=message.customer_id,
        address=None,
        purpose=None,
        reason=SuppressionReason.COMPLAINED,
        note=feedback,
        message_id=message.id,
    )
    _, news = await governance.suppress_once(tx, viewer, silence, now=now)
    if news:
        tx.emit(MessageComplained.about(message, reason=feedback, at=now), aggregate_id=message.id)


async def web_view(tx: Tx, message_id: UUID) -> RenderedEmail:
    """A message as its customer reads it in a browser.

    Raises:
        Gone: it or its customer's data no longer exists.
    """
    message = await ledger.get(tx, message_id)
    made = await _version_of(tx, message) if message else None
    if message is None or made is None:
        raise Gone("This message can no longer be shown.", code="message_gone")
    customer = await customers.get_customer(tx, message.customer_id) if message.customer_id else None
    if message.customer_id is not None and (customer is None or customer.erased_at is not None):
        raise Gone("This message can no longer be shown.", code="message_gone")
    reader = customer or SampleReader()
    values = made.values_for(reader, message.variables, coupon=message.coupon)
    language = made.language_for("email", message.language or reader.language)
    links = links_of(mail_settings()).of(tx.tenant, message_id)
    return made.email(language).render(values, links)


def digest_of(raw: bytes) -> bytes:
    """What tells whether a mail came before."""
    return hashlib.sha256(raw).digest()
