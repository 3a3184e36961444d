"""Reading mails that come back: bounces (RFC 3464), complaints (RFC 5965), automatic answers and replies."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage, Message
from email.policy import default
from email.utils import getaddresses
from enum import StrEnum
from typing import Any
from uuid import UUID

from crm_communication_dispatch.links import LinkKind, Links
from crm_shared.errors import Invalid

MAX_TEXT = 20_000
_REF = re.compile(r"<m\.([0-9a-f]{32})@[^<>\s]+>")
_STATUS = re.compile(r"\b([245]\.\d{1,3}\.\d{1,3})\b")
_QUOTED = re.compile(r"^(>|On .{0,200} wrote:\s*$|Am .{0,200} schrieb.{0,200}:\s*$|-{2,} ?Original)", re.MULTILINE)
_ADDRESSED = ("To", "Delivered-To", "X-Original-To", "Envelope-To", "Cc")
_AUTOMATIC = ("X-Autoreply", "X-Autorespond", "X-Auto-Response-Suppress")


class MailKind(StrEnum):
    """What a mail that came to us is."""

    BOUNCE = "bounce"
    DELAY = "delay"
    DELIVERY = "delivery"
    COMPLAINT = "complaint"
    AUTO_REPLY = "auto_reply"
    REPLY = "reply"


@dataclass(frozen=True, slots=True)
class Understood:
    """A mail, and the message of ours it is about: `tenant` is known when a signed address named it."""

    kind: MailKind
    tenant: UUID | None
    message_id: UUID | None
    sender: str | None
    subject: str | None
    text: str | None
    status: str | None = None
    detail: dict[str, Any] = field(default_factory=dict[str, Any])


def clean(value: str | None, limit: int = 1_000) -> str | None:
    """`value` as the database can keep it: no NUL, no lone surrogates, not endless."""
    if value is None:
        return None
    return value.encode("utf-8", "replace").decode("utf-8").replace("\x00", "")[:limit]


def understand(raw: bytes, links: Links) -> Understood:
    """What a mail is and which message it is about.

    Raises:
        Invalid: these bytes are no mail.
    """
    try:
        mail = message_from_bytes(raw, policy=default)
        if not mail.keys():
            raise Invalid("This is no mail: it has no headers.", code="mail_unreadable")
        return _understand(mail, links)
    except Invalid:
        raise
    except Exception as error:  # the parser's own bugs on hostile input must not become ours
        raise Invalid("This mail can't be read.", code="mail_unreadable") from error


def _understand(mail: Message, links: Links) -> Understood:
    tenant, message_id = _about(mail, links)
    sender = next((address for _, address in getaddresses([str(mail.get("From", ""))]) if address), None)
    base = Understood(
        kind=MailKind.REPLY,
        tenant=tenant,
        message_id=message_id,
        sender=clean(sender, 254),
        subject=clean(str(mail.get("Subject", ""))) or None,
        text=None,
    )
    kind = (mail.get_param("report-type") or "") if mail.get_content_type() == "multipart/report" else ""
    if str(kind).lower() == "delivery-status":
        return _bounce(mail, base)
    if str(kind).lower() == "feedback-report":
        return _complaint(mail, base)
    text = _text(mail)
    if _is_daemon(mail, sender):
        found = _STATUS.search(text)
        return _replaced(base, MailKind.BOUNCE, text=text, status=found[1] if found else None)
    return _replaced(base, MailKind.AUTO_REPLY if _is_automatic(mail) else MailKind.REPLY, text=_unquoted(text))


def _replaced(
    base: Understood, kind: MailKind, *, text: str | None, status: str | None = None, **detail: Any
) -> Understood:
    return Understood(
        kind, base.tenant, base.message_id, base.sender, base.subject, clean(text, MAX_TEXT), status, detail
    )


def _about(mail: Message, links: Links) -> tuple[UUID | None, UUID | None]:
    """Tenant and message: a signed return address first, then our Message-ID wherever mailers keep it."""
    for part in mail.walk():
        for header in (*_ADDRESSED, "Reply-To", "Return-Path"):
            for _, address in getaddresses([str(value) for value in part.get_all(header, [])]):
                token = links.read_mailbox(address) if address else None
                if token is not None and token.kind in (LinkKind.BOUNCE, LinkKind.REPLY):
                    return token.tenant, token.message_id
    for part in mail.walk():
        headers = ("In-Reply-To", "References") if part is mail else ("Message-ID", "In-Reply-To", "References")
        for header in headers:
            found = _REF.search(str(part.get(header, "")))
            if found:
                return None, UUID(hex=found[1])
    for part in mail.walk():  # the original's headers often come as plain text
        if part.get_content_type() in ("text/rfc822-headers", "text/plain") and part is not mail:
            found = _REF.search(_payload(part))
            if found:
                return None, UUID(hex=found[1])
    return None, None


def _fields(mail: Message, content_type: str) -> Iterator[Message]:
    """The groups of fields in a report's machine-readable part."""
    for part in mail.walk():
        if part.get_content_type() == content_type:
            payload: Any = part.get_payload()
            if isinstance(payload, list):
                yield from payload
            else:
                yield message_from_bytes(_payload(part).encode("utf-8", "replace"), policy=default)


def _bounce(mail: Message, base: Understood) -> Understood:
    for group in _fields(mail, "message/delivery-status"):
        action = str(group.get("Action", "")).strip().lower()
        if not action:
            continue
        status = _STATUS.search(str(group.get("Status", "")))
        said = clean(str(group.get("Diagnostic-Code", "")))
        kinds = {"failed": MailKind.BOUNCE, "delayed": MailKind.DELAY, "delivered": MailKind.DELIVERY}
        kind = kinds.get(action, MailKind.DELAY)
        return _replaced(base, kind, text=said, status=status[1] if status else None, action=action)
    return _replaced(base, MailKind.BOUNCE, text=_text(mail))


def _complaint(mail: Message, base: Understood) -> Understood:
    for group in _fields(mail, "message/feedback-report"):
        feedback = str(group.get("Feedback-Type", "")).strip().lower()
        recipient = str(group.get("Original-Rcpt-To", "")).strip(" <>")
        # RFC 5965 §7.3 and its registry: not-spam takes a complaint back; the others say something about us.
        kind = MailKind.AUTO_REPLY if feedback == "not-spam" else MailKind.COMPLAINT
        return _replaced(base, kind, text=None, feedback=clean(feedback, 64), recipient=clean(recipient, 254))
    return _replaced(base, MailKind.COMPLAINT, text=None)


def _is_daemon(mail: Message, sender: str | None) -> bool:
    empty_path = str(mail.get("Return-Path", "")).strip() == "<>"
    daemon = bool(re.match(r"(mailer-daemon|postmaster)@", sender or "", re.IGNORECASE))
    return daemon or (empty_path and not _is_automatic(mail))


def _is_automatic(mail: Message) -> bool:
    """RFC 3834, and the headers of those who don't follow it."""
    submitted = str(mail.get("Auto-Submitted", "no")).strip().lower()
    precedence = str(mail.get("Precedence", "")).strip().lower()
    marked = any(mail.get(header) is not None for header in _AUTOMATIC[:2])
    return submitted.split(";")[0] != "no" or precedence in ("auto_reply", "junk") or marked


def _text(mail: Message) -> str:
    if isinstance(mail, EmailMessage):
        body = mail.get_body(preferencelist=("plain", "html"))
        if body is not None:
            text = _payload(body)
            return re.sub(r"<[^<>]{0,2000}>", " ", text) if body.get_content_subtype() == "html" else text
    return _payload(mail) if not mail.is_multipart() else ""


def _payload(part: Message) -> str:
    raw: Any = part.get_payload(decode=True)
    if not isinstance(raw, bytes):
        return ""
    try:
        return raw.decode(part.get_content_charset() or "utf-8", "replace")
    except LookupError:
        return raw.decode("utf-8", "replace")


def _unquoted(text: str) -> str:
    """What the person wrote, without what they answer to."""
    lines: list[str] = []
    for line in text.splitlines():
        if _QUOTED.match(line):
            if not line.startswith(">"):
                break
            continue
        lines.append(line)
    return "\n".join(lines).strip()
