"""Asking for messages, taking them back, and hearing what became of them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from crm_communication_dispatch.governance import commands as governance
from crm_communication_dispatch.governance.commands import Silence
from crm_communication_dispatch.governance.domain import SuppressionReason
from crm_communication_dispatch.messages.domain import (
    TEST,
    Message,
    Receipt,
    ReceiptKind,
    Status,
    after_receipt,
    require_cancellable,
)
from crm_communication_dispatch.messages.events import tell
from crm_communication_dispatch.messages.judging import Judge, explanation, status_of
from crm_communication_dispatch.messages.scheduling import wake_for
from crm_communication_dispatch.messages.store import ledger
from crm_communication_dispatch.providers import store as providers
from crm_communication_dispatch.providers.configuration import route_of
from crm_communication_dispatch.providers.domain import Channel
from crm_communication_dispatch.providers.mime import BadAddress, require_address
from crm_communication_dispatch.settings import mail_settings
from crm_communication_dispatch.templates import store as templates
from crm_communication_dispatch.templates.commands import usable_version
from crm_communication_dispatch.templates.domain import TemplateVersion, typed_values
from crm_shared.db.pool import Tx
from crm_shared.errors import Conflict, Invalid, NotFound
from crm_shared.ids import new_id, public_id
from crm_shared.tenancy import Viewer


@dataclass(frozen=True, slots=True)
class Order:
    """One message that somebody wants sent; without a purpose it has its template's."""

    customer_id: UUID
    template_id: UUID
    template_number: int | None
    channel: str
    purpose: str | None
    language: str | None
    variables: Mapping[str, Any]
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class TestOrder:
    """A version to be shown in somebody's own mailbox."""

    address: str
    language: str | None
    variables: Mapping[str, Any]


async def send_message(tx: Tx, viewer: Viewer, order: Order, *, now: datetime) -> Message:
    """Ask for one message; the policy is asked at once, and again when it goes.

    Raises:
        NotFound: there is no such template.
        Conflict: it has no approved version, or doesn't speak the channel.
        Invalid: a variable is missing or of the wrong type, or the message has expired before it began.
    """
    version = await usable_version(tx, order.template_id, order.template_number)
    _require_channel(version, order.channel)
    if order.expires_at is not None and order.expires_at <= now:
        raise Invalid.field("/expires_at", "It must end in the future.", code="expiry_in_past")
    typed_values(version.variables, order.variables)
    purpose = order.purpose or await _purpose_of(tx, order.template_id)
    if purpose == TEST:
        raise Invalid.field("/purpose", "Use the template's test send for tests.", code="purpose_reserved")
    made = await _new(tx, viewer, version, now=now)
    made = replace(
        made,
        customer_id=order.customer_id,
        channel=order.channel,
        purpose=purpose,
        language=order.language,
        variables=order.variables,
        expires_at=order.expires_at,
    )
    judge = await Judge.of(tx, order.channel, [order.customer_id], now=now)
    verdict = judge.judge(made, now).verdict
    status = status_of(verdict)
    made = replace(
        made,
        status=status,
        reason=verdict.reason,
        due_at=now if status is Status.QUEUED else verdict.until,
        ended_at=None if status in (Status.QUEUED, Status.HELD) else now,
        consent_id=verdict.consent_id,
        explanation=explanation(verdict, now),
    )
    await ledger.add(tx, made)
    tell(tx, made, status, reason=verdict.reason, at=now)
    await wake_for(tx, made)
    return made


async def send_test(
    tx: Tx, viewer: Viewer, template_id: UUID, number: int, order: TestOrder, *, now: datetime
) -> Message:
    """Send any version, draft or not, to an address the author names; it counts for nobody.

    Raises:
        NotFound: there is no such version.
        Invalid: the address or a variable is wrong.
    """
    version = await templates.get_version(tx, template_id, number)
    if version is None:
        raise NotFound(f"There is no version {number} of this template.", code="template_version_not_found")
    _require_channel(version, Channel.EMAIL.value)
    typed_values(version.variables, order.variables)
    try:
        address = require_address(order.address)
    except BadAddress as error:
        raise Invalid.field("/address", error.detail, code=error.code) from error
    made = await _new(tx, viewer, version, now=now)
    made = replace(made, language=order.language, variables=order.variables, address=address)
    await ledger.add(tx, made)
    await wake_for(tx, made)
    return made


async def _new(tx: Tx, viewer: Viewer, version: TemplateVersion, *, now: datetime) -> Message:
    route = route_of(await providers.active(tx, Channel.EMAIL.value), mail_settings())
    return Message(
        id=new_id(),
        customer_id=None,
        channel=Channel.EMAIL.value,
        purpose=TEST,
        campaign_id=None,
        step="",
        variant=None,
        template_id=version.template_id,
        template_number=version.number,
        variables={},
        language=None,
        address=None,
        subject=None,
        status=Status.QUEUED,
        reason=None,
        due_at=now,
        expires_at=None,
        attempts=0,
        coupon=None,
        consent_id=None,
        explanation={},
        cost=route.cost,
        currency=route.currency,
        created_by=viewer.subject,
        planned_at=now,
        sent_at=None,
        ended_at=None,
        version=1,
    )


async def _purpose_of(tx: Tx, template_id: UUID) -> str:
    found = await templates.get(tx, template_id)
    assert found is not None
    return found.purpose


def _require_channel(version: TemplateVersion, channel: str) -> None:
    if channel not in version.content.channels():
        raise Conflict(f"The template says nothing by {channel}.", code="channel_missing")
    if channel != Channel.EMAIL.value:
        raise Conflict(f"There is no provider for {channel} yet.", code="provider_missing")


async def cancel_message(tx: Tx, viewer: Viewer, message_id: UUID, *, now: datetime) -> Message:
    """Take back a message that hasn't gone.

    Raises:
        NotFound: there is no such message.
        Conflict: it is being sent, or has ended.
    """
    del viewer
    message = await _locked(tx, message_id)
    require_cancellable(message)
    return await ledger.change(
        tx, message_id, status=Status.EXPIRED.value, reason="cancelled", due_at=None, ended_at=now
    )


@dataclass(frozen=True, slots=True)
class Said:
    """What somebody says about a message that left us."""

    kind: ReceiptKind
    enhanced: str | None = None
    detail: str | None = None
    dead_address: bool = False


async def record_receipt(tx: Tx, viewer: Viewer, message_id: UUID, said: Said, *, now: datetime) -> Message:
    """Keep a receipt; a late or repeated one changes nothing else.

    Raises:
        NotFound: there is no such message.
    """
    message = await _locked(tx, message_id)
    following = after_receipt(message.status, said.kind)
    receipt = Receipt(
        id=new_id(),
        message_id=message_id,
        kind=said.kind.value,
        applied=following is not None,
        enhanced=said.enhanced,
        detail=said.detail,
        received_at=now,
    )
    await ledger.add_receipt(tx, receipt)
    if said.dead_address and message.address:
        silence = Silence(
            channel=message.channel,
            customer_id=None,
            address=message.address,
            purpose=None,
            reason=SuppressionReason.BOUNCED,
            note=said.detail,
            message_id=message_id,
        )
        await governance.suppress(tx, viewer, silence, now=now)
    if following is None:
        return message
    reason = f"receipt_{said.enhanced}" if said.enhanced else "receipt"
    changed = await ledger.change(tx, message_id, status=following.value, reason=reason, ended_at=now, due_at=None)
    tell(tx, changed, following, reason=reason, at=now)
    return changed


async def _locked(tx: Tx, message_id: UUID) -> Message:
    message = await ledger.lock(tx, message_id)
    if message is None:
        raise NotFound.of("message", public_id("msg", message_id))
    return message
