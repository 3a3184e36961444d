"""What a mail that came back does: a bounce settles a message, a complaint silences us, a reply is an answer."""

from datetime import datetime
from uuid import UUID

from crm_communication_dispatch.customers import store as customers
from crm_communication_dispatch.links import links_of
from crm_communication_dispatch.messages.commands import Said, record_receipt
from crm_communication_dispatch.messages.domain import Message, ReceiptKind
from crm_communication_dispatch.messages.store import ledger
from crm_communication_dispatch.providers.domain import Fault, Outcome, classify_status
from crm_communication_dispatch.responses import store
from crm_communication_dispatch.responses.commands import Answer, capture, complain, digest_of
from crm_communication_dispatch.responses.domain import InboundMail, ResponseKind, window_in_text
from crm_communication_dispatch.responses.events import MessageReplied
from crm_communication_dispatch.responses.mail import MailKind, Understood, understand
from crm_communication_dispatch.settings import mail_settings
from crm_shared.db.pool import Tx
from crm_shared.errors import Invalid, TooLarge
from crm_shared.ids import new_id
from crm_shared.tenancy import Viewer

MAX_MAIL = 2 * 1024 * 1024


async def take_in_mail(tx: Tx, viewer: Viewer, raw: bytes, *, now: datetime) -> InboundMail:
    """Understand a mail and act on it; the same mail twice acts once.

    Raises:
        Invalid: these bytes are no mail.
        TooLarge: it is over 2 MB.
    """
    if len(raw) > MAX_MAIL:
        raise TooLarge("A mail may have at most 2 MB here.", code="mail_too_large")
    digest = digest_of(raw)
    known = await store.mail_by_digest(tx, digest)
    if known is not None:
        return known
    understood = understand(raw, links_of(mail_settings()))
    if understood.tenant not in (None, viewer.tenant):
        raise Invalid("This mail answers a message of somebody else.", code="mail_misdirected")
    message = await ledger.get(tx, understood.message_id) if understood.message_id else None
    customer_id = message.customer_id if message else await _sender_of(tx, understood)
    made = InboundMail(
        id=new_id(),
        digest=digest,
        kind=understood.kind.value,
        message_id=message.id if message else None,
        customer_id=customer_id,
        sender=understood.sender,
        subject=understood.subject,
        text=understood.text,
        detail={**understood.detail, "status": understood.status},
        received_at=now,
    )
    await store.add_mail(tx, made)
    if understood.kind is MailKind.REPLY:
        await _reply(tx, viewer, made, message, now=now)
    elif message is not None:
        await _about_message(tx, viewer, understood, message, now=now)
    return made


async def _sender_of(tx: Tx, understood: Understood) -> UUID | None:
    if understood.kind is not MailKind.REPLY or not understood.sender:
        return None
    return await customers.find_by_email(tx, understood.sender)


async def _reply(tx: Tx, viewer: Viewer, mail: InboundMail, message: Message | None, *, now: datetime) -> None:
    if mail.customer_id is None:
        return
    if message is not None:
        tx.emit(MessageReplied.about(message, reason=None, at=now), aggregate_id=message.id)
    answer = Answer(
        customer_id=mail.customer_id,
        kind=ResponseKind.REPLY,
        source_key=f"mail:{mail.id}",
        campaign_id=message.campaign_id if message else None,
        message_id=message.id if message else None,
        window=window_in_text(mail.text or ""),
        text=mail.text,
    )
    await capture(tx, viewer, answer, now=now)


async def _about_message(tx: Tx, viewer: Viewer, of: Understood, message: Message, *, now: datetime) -> None:
    if of.kind is MailKind.COMPLAINT:
        await complain(tx, viewer, message, feedback=of.detail.get("feedback"), now=now)
    elif of.kind is MailKind.DELIVERY:
        await record_receipt(tx, viewer, message.id, Said(ReceiptKind.DELIVERED, of.status, of.text), now=now)
    elif of.kind is MailKind.BOUNCE:
        await record_receipt(tx, viewer, message.id, _said(of), now=now)


def _said(of: Understood) -> Said:
    """A block of our reputation is our failure, not a dead address."""
    outcome, fault = classify_status(of.status) if of.status else (Outcome.REFUSED, Fault.UNCLEAR)
    theirs = fault in (Fault.ADDRESS, Fault.MAILBOX) or of.status is None
    kind = ReceiptKind.BOUNCED if theirs or outcome is Outcome.DEFERRED else ReceiptKind.FAILED
    return Said(kind, of.status, of.text, dead_address=outcome is Outcome.REFUSED and fault is Fault.ADDRESS)
