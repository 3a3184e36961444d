"""MIME skeletons: the stdlib builds the message once per template version and language, each mail only fills it.

Building an `EmailMessage` for every recipient is the first wall of a sender (750 a second against 15,000 fills), so the
skeleton is cut at sentinel texts into byte fragments. Header values are encoded by the stdlib too; values that would
start a new header are refused.
"""

import re
from binascii import b2a_qp
from collections.abc import Mapping
from dataclasses import dataclass
from email.charset import SHORTEST, Charset
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formataddr, quote
from functools import lru_cache

from crm_shared.errors import Invalid

_LINE = 78
_LONGEST_LINE = 998
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_PHRASE = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?: [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*\Z")
# A dot-atom before the at sign and a host name after it (RFC 5321 §4.1.2 without quoted strings and literals).
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_ADDRESS = re.compile(rf"{_ATOM}(?:\.{_ATOM})*@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\Z")
_UTF8 = Charset("utf-8")
_UTF8.header_encoding = SHORTEST
_HEADERS = ("to", "subject", "date", "message-id", "reply-to", "list-unsubscribe")
_SLOTS = (*_HEADERS, "text-encoding", "text", "html-encoding", "html")


class UnsafeHeader(Invalid):
    """A header value holds a line break or another control character."""

    default_code = "header_unsafe"


class BadAddress(Invalid):
    """An address can't stand in an SMTP envelope."""

    default_code = "address_malformed"


def require_safe(name: str, value: str) -> str:
    """`value`, if it can't break out of its header.

    Raises:
        UnsafeHeader: it holds a control character.
    """
    if _UNSAFE.search(value):
        raise UnsafeHeader(f"The {name} holds a line break or another control character.")
    return value


def require_address(address: str) -> str:
    """`address` with its domain in ASCII, if it can stand in an envelope.

    Raises:
        BadAddress: it isn't a plain address; quoted local parts and address literals are refused too.
    """
    if not address.isascii():
        local, _, domain = address.rpartition("@")
        try:
            address = f"{local}@{domain.encode('idna').decode('ascii')}"
        except UnicodeError:
            raise BadAddress("The address's domain is no host name.") from None
    local, _, domain = address.rpartition("@")
    if not _ADDRESS.match(address) or len(local) > 64 or len(domain) > 255:
        raise BadAddress("The address is not of the form name@example.org.")
    return address


@lru_cache(maxsize=4_096)
def header_value(name: str, value: str) -> bytes:
    """A free-text header's value, encoded and folded (RFC 2047, RFC 5322 §2.2.3)."""
    require_safe(name, value)
    if value.isascii() and len(name) + 2 + len(value) <= _LINE and "=?" not in value and value == value.strip():
        return value.encode("ascii")
    return _folded(name, value)


def address_value(name: str, display_name: str | None, address: str) -> bytes:
    """An address header's value: display name and address."""
    if not display_name:
        return address.encode("ascii")
    require_safe(name, display_name)
    if display_name.isascii():
        plain = _PHRASE.match(display_name) and "=?" not in display_name
        phrase = display_name if plain else f'"{quote(display_name)}"'
        if len(phrase) + len(address) + len(name) + 5 <= _LINE:
            return f"{phrase} <{address}>".encode("ascii")
    else:
        word = formataddr((display_name, address), charset=_UTF8)
        if len(word) + len(name) + 2 <= _LINE:
            return word.encode("ascii")
    return _folded(name, f'"{quote(display_name)}" <{address}>')


def _folded(name: str, value: str) -> bytes:
    folded: str = SMTP.header_factory(name, value).fold(policy=SMTP)
    return folded[len(name) + 1 :].strip().encode("ascii")


def body_value(text: str) -> tuple[bytes, bytes]:
    """A text part's transfer encoding and its lines in it: as it is where it may be, else quoted-printable."""
    raw = text.encode("utf-8", errors="replace")
    if b"\r" in raw:
        raw = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if not raw.endswith(b"\n"):
        raw += b"\n"
    # RFC 2045 §2.7: 7bit is ASCII without NUL in lines of at most 998 octets.
    plain = raw.isascii() and b"\x00" not in raw and max(map(len, raw.split(b"\n"))) <= _LONGEST_LINE
    raw = raw.replace(b"\n", b"\r\n")
    return (b"7bit", raw) if plain else (b"quoted-printable", b2a_qp(raw, istext=True))


@dataclass(frozen=True, slots=True)
class Frame:
    """What all mails of one template version and language share."""

    from_name: str | None
    from_address: str
    language: str
    with_html: bool
    with_unsubscribe: bool
    with_reply_to: bool


@dataclass(frozen=True, slots=True)
class Letter:
    """What differs from mail to mail; the unsubscribe URL and the reply address only where the frame has them."""

    to_name: str | None
    to_address: str
    subject: str
    text: str
    html: str | None
    message_ref: str
    date: str
    unsubscribe_url: str | None = None
    reply_to: str | None = None


def _sentinel(slot: str) -> str:
    return f"XXslot{slot.replace('-', '')}XX"


def _blank(frame: Frame) -> EmailMessage:
    message = EmailMessage(policy=SMTP)
    message["From"] = address_value("From", frame.from_name, require_address(frame.from_address)).decode("ascii")
    for header in ("To", "Subject", "Date", "Message-ID"):
        # Structured headers would refuse a sentinel, so they go in as free text under a name of their own.
        message[f"X-{header}"] = _sentinel(header.lower())
    if frame.with_reply_to:
        message["X-Reply-To"] = _sentinel("reply-to")
    if frame.with_unsubscribe:
        message["X-List-Unsubscribe"] = _sentinel("list-unsubscribe")
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message.set_content(_sentinel("text"), subtype="plain", charset="utf-8", cte="quoted-printable")
    if frame.with_html:
        message.add_alternative(_sentinel("html"), subtype="html", charset="utf-8", cte="quoted-printable")
    message["Content-Language"] = require_safe(
        "Content-Language", frame.language
    )  # last: parts take such headers along
    return message


class Skeleton:
    """A message with holes; `fill` is the only work per mail."""

    def __init__(self, frame: Frame) -> None:
        self.frame = frame
        raw = _blank(frame).as_bytes(policy=SMTP)
        for slot in _HEADERS:
            raw = re.sub(rb"(?i)^X-(%s: )" % slot.encode(), rb"\1", raw, flags=re.MULTILINE)
        holes = "|".join(_sentinel(slot) for slot in _SLOTS)
        for part in ("text", "html"):
            # The part's encoding stands in the header block that its sentinel follows.
            sentinel, encoding = _sentinel(part).encode(), _sentinel(f"{part}-encoding").encode()
            head, found, tail = raw.partition(sentinel)
            head = encoding.join(head.rsplit(b"quoted-printable", 1)) if found else head
            raw = head + found + tail
        # A body's value ends its own last line.
        raw = re.sub(rb"(XXslot(?:text|html)XX)\r\n", rb"\1", raw)
        pieces = re.split(f"({holes})".encode(), raw)
        self._static = tuple(pieces[0::2])
        by_sentinel = {_sentinel(slot).encode(): slot for slot in _SLOTS}
        self._order = tuple(by_sentinel[piece] for piece in pieces[1::2])

    def fill(self, letter: Letter) -> bytes:
        """The complete message.

        Raises:
            UnsafeHeader: a header value would break out of its line.
        """
        values = self._values(letter)
        parts = [self._static[0]]
        for slot, static in zip(self._order, self._static[1:], strict=True):
            parts.append(values[slot])
            parts.append(static)
        return b"".join(parts)

    def _values(self, letter: Letter) -> Mapping[str, bytes]:
        values = {
            "to": address_value("To", letter.to_name, letter.to_address),
            "subject": header_value("Subject", letter.subject),
            "date": letter.date.encode("ascii"),
            "message-id": require_safe("Message-ID", letter.message_ref).encode("ascii"),
        }
        values["text-encoding"], values["text"] = body_value(letter.text)
        if self.frame.with_html:
            values["html-encoding"], values["html"] = body_value(letter.html or "")
        if self.frame.with_reply_to:
            values["reply-to"] = require_address(letter.reply_to or "").encode("ascii")
        if self.frame.with_unsubscribe:
            url = require_safe("List-Unsubscribe", letter.unsubscribe_url or "")
            values["list-unsubscribe"] = f"<{url}>".encode("ascii")
        return values


def dot_stuffed(data: bytes) -> bytes:
    """The message as it goes after DATA, with leading dots doubled and the closing dot (RFC 5321 §4.5.2)."""
    return data.replace(b"\r\n.", b"\r\n..") + b".\r\n"
