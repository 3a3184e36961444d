"""Addresses that belong to one message: signed, opaque, naming tenant and message, valid without a session.

A token is `kind | tenant | message | extra` and the first bytes of its HMAC-SHA256. In e-mail addresses it is base32 in
lower case, because local parts get folded on their way; in URLs base64url. It holds no secret, but nobody else
can make one.
"""

import hmac
from base64 import b32decode, b32encode, urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from uuid import UUID

from crm_communication_dispatch.settings import MailSettings

_URL_MAC = 15
_MAIL_MAC = 6
_BODY = 33


_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
_PAIRS = [one + other for one in _ALPHABET for other in _ALPHABET]
_MAIL_BYTES = 32 + _MAIL_MAC
_MAIL_PAIRS = -(-_MAIL_BYTES * 8 // 10)


def _mail_base32(raw: bytes) -> str:
    """Base32 in lower case without padding, the same text as `b32encode` makes, sooner."""
    bits = int.from_bytes(raw) << (_MAIL_PAIRS * 10 - _MAIL_BYTES * 8)
    text = "".join([_PAIRS[bits >> at & 1023] for at in range(_MAIL_PAIRS * 10 - 10, -1, -10)])
    return text[: -(-_MAIL_BYTES * 8 // 5)]


class LinkKind(Enum):
    """What a token opens; each kind is signed apart, so none can be turned into another."""

    CLICK = b"c"
    UNSUBSCRIBE = b"u"
    VIEW = b"v"
    BOUNCE = b"b"
    REPLY = b"r"


@dataclass(frozen=True, slots=True)
class Token:
    """What a valid token names."""

    kind: LinkKind
    tenant: UUID
    message_id: UUID
    index: int


class Links:
    """Makes and reads the addresses of messages."""

    def __init__(self, *, secret: str, public_url: str, domain: str) -> None:
        self._key = secret.encode()
        self._base = public_url.rstrip("/") + "/v1/responses/public"
        self.domain = domain

    def _sign(self, body: bytes, size: int) -> bytes:
        return hmac.digest(self._key, body, "sha256")[:size]

    def url_token(self, kind: LinkKind, tenant: UUID, message_id: UUID, index: int = 0) -> str:
        """A token for a URL."""
        body = kind.value + tenant.bytes + message_id.bytes + index.to_bytes(2)
        return urlsafe_b64encode(body + self._sign(body, _URL_MAC)).decode("ascii").rstrip("=")

    def read_url_token(self, text: str, kind: LinkKind) -> Token | None:
        """What a URL's token names; None when we didn't make it for this."""
        try:
            raw = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
        except (ValueError, Base64Error):
            return None
        if urlsafe_b64encode(raw).decode("ascii").rstrip("=") != text:
            return None  # its last character says more than it should: one link has one address
        body, mac = raw[: _BODY + 2], raw[_BODY + 2 :]
        if len(raw) != _BODY + 2 + _URL_MAC or body[:1] != kind.value:
            return None
        if not hmac.compare_digest(mac, self._sign(body, _URL_MAC)):
            return None
        return Token(kind, UUID(bytes=body[1:17]), UUID(bytes=body[17:33]), int.from_bytes(body[33:35]))

    def mailbox(self, kind: LinkKind, tenant: UUID, message_id: UUID) -> str:
        """A return address of one message (VERP): 63 characters before the at sign; 64 is the limit."""
        return f"{kind.value.decode()}-{self._mail_token(tenant, message_id)}@{self.domain}"

    def mailboxes(self, tenant: UUID, message_id: UUID) -> tuple[str, str]:
        """Where bounces of a message, and where replies to it, come back to."""
        token = self._mail_token(tenant, message_id)
        return f"b-{token}@{self.domain}", f"r-{token}@{self.domain}"

    def _mail_token(self, tenant: UUID, message_id: UUID) -> str:
        named = tenant.bytes + message_id.bytes
        return _mail_base32(named + self._sign(b"mail" + named, _MAIL_MAC))

    def read_mailbox(self, address: str) -> Token | None:
        """What a return address names; None when we didn't make it."""
        local = address.strip("<> ").rpartition("@")[0].lower()
        kind = {"b-": LinkKind.BOUNCE, "r-": LinkKind.REPLY}.get(local[:2])
        if kind is None:
            return None
        text = local[2:].upper()
        try:
            raw = b32decode(text + "=" * (-len(text) % 8))
        except (ValueError, Base64Error):
            return None
        named, mac = raw[:32], raw[32:]
        if len(mac) != _MAIL_MAC or not hmac.compare_digest(mac, self._sign(b"mail" + named, _MAIL_MAC)):
            return None
        return Token(kind, UUID(bytes=named[:16]), UUID(bytes=named[16:]), 0)

    def coupon(self, tenant: UUID, message_id: UUID) -> str:
        """A message's coupon code: ten characters without look-alikes that nobody can guess."""
        digest = hmac.digest(self._key, b"coupon" + tenant.bytes + message_id.bytes, "sha256")
        text = b32encode(digest).decode("ascii")
        # Base32 has no 0, 1, 8 or 9; without I and O nothing is left to mistake.
        return text.replace("I", "8").replace("O", "9")[:10]

    def message_ref(self, message_id: UUID) -> str:
        """A message's Message-ID, the same for every attempt."""
        return f"<m.{message_id.hex}@{self.domain}>"

    def of(self, tenant: UUID, message_id: UUID) -> "MessageLinks":
        """The addresses of one message."""
        return MessageLinks(self, tenant, message_id)

    def url(self, what: str, token: str) -> str:
        """A public URL."""
        return f"{self._base}/{what}/{token}"


def links_of(settings: MailSettings) -> Links:
    """The signed links of this installation."""
    return Links(secret=settings.link_secret, public_url=settings.public_url, domain=settings.mail_domain)


@dataclass(frozen=True)
class MessageLinks:
    """The addresses of one message, made when asked for."""

    links: Links
    tenant: UUID
    message_id: UUID

    @cached_property
    def _unsubscribe(self) -> str:
        token = self.links.url_token(LinkKind.UNSUBSCRIBE, self.tenant, self.message_id)
        return self.links.url("unsubscribe", token)

    def click(self, index: int) -> str:
        """Where link number `index` points."""
        token = self.links.url_token(LinkKind.CLICK, self.tenant, self.message_id, index)
        return self.links.url("click", token)

    def unsubscribe(self) -> str:
        """Where one POST ends it (RFC 8058); text, HTML and header ask alike."""
        return self._unsubscribe

    def web_view(self) -> str:
        """Where it can be read in a browser."""
        return self.links.url("view", self.links.url_token(LinkKind.VIEW, self.tenant, self.message_id))
