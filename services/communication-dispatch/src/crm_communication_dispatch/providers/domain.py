"""What a channel's answer to one message means, and how fast we may go."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from uuid import UUID


class Channel(StrEnum):
    """How a message travels."""

    EMAIL = "email"
    SMS = "sms"


class Outcome(StrEnum):
    """What became of one attempt."""

    ACCEPTED = "accepted"
    DEFERRED = "deferred"
    REFUSED = "refused"
    UNKNOWN = "unknown"


class Fault(StrEnum):
    """Whose fault a refusal or delay is; it decides whether the address is ever used again."""

    NONE = "none"
    ADDRESS = "address"
    MAILBOX = "mailbox"
    US = "us"
    CONTENT = "content"
    BUSY = "busy"
    CONNECTION = "connection"
    UNCLEAR = "unclear"


class Stage(StrEnum):
    """How far an SMTP transaction had come; only after the last octet of the message may it have been taken."""

    CONNECT = "connect"
    SENDER = "sender"
    RECIPIENT = "recipient"
    DATA = "data"
    MESSAGE = "message"


@dataclass(frozen=True, slots=True)
class Reply:
    """A provider's reply: SMTP code (RFC 5321), enhanced status (RFC 3463) if it gave one, and its words."""

    code: int
    enhanced: str | None
    text: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What one attempt at one message came to."""

    message_id: UUID
    outcome: Outcome
    fault: Fault
    reply: Reply | None = None


# RFC 3463 §3, narrowed where one class mixes faults: 5.1.7 and 5.1.8 are about *our* address, 5.2.3 about our size.
_PERMANENT_EXACT: Mapping[str, Fault] = {
    "5.1.7": Fault.US,
    "5.1.8": Fault.US,
    "5.2.1": Fault.ADDRESS,
    "5.2.2": Fault.MAILBOX,
    "5.2.3": Fault.CONTENT,
    "5.3.4": Fault.CONTENT,
    "5.4.4": Fault.ADDRESS,
}
_PERMANENT_SUBJECT: Mapping[str, Fault] = {
    "1": Fault.ADDRESS,
    "2": Fault.UNCLEAR,
    "3": Fault.UNCLEAR,
    "4": Fault.UNCLEAR,
    "5": Fault.US,
    "6": Fault.CONTENT,
    "7": Fault.US,
}


def classify_status(enhanced: str) -> tuple[Outcome, Fault]:
    """What an enhanced status code says; only 5.1.x condemns the address."""
    kind, subject, _ = enhanced.split(".", 2)
    if kind == "2":
        return Outcome.ACCEPTED, Fault.NONE
    if kind == "4":
        return Outcome.DEFERRED, Fault.MAILBOX if enhanced == "4.2.2" else Fault.BUSY
    return Outcome.REFUSED, _PERMANENT_EXACT.get(enhanced) or _PERMANENT_SUBJECT.get(subject, Fault.UNCLEAR)


def classify(reply: Reply, stage: Stage) -> tuple[Outcome, Fault]:
    """What a reply means at a stage.

    Without an enhanced code a 550 at RCPT is as often a reputation block as a dead address, so it stays unclear
    and suppresses nobody.
    """
    if reply.code // 100 == 2:
        return Outcome.ACCEPTED, Fault.NONE
    if reply.code // 100 == 5 and stage in (Stage.CONNECT, Stage.SENDER):
        return Outcome.REFUSED, Fault.US  # even a 5.1.x here speaks of our address, not the customer's
    if reply.enhanced is not None and reply.enhanced[0] == str(reply.code // 100):
        return classify_status(reply.enhanced)
    if reply.code // 100 == 4:
        return Outcome.DEFERRED, Fault.BUSY
    at_recipient = {551: Fault.ADDRESS, 552: Fault.MAILBOX, 553: Fault.ADDRESS}
    later = {552: Fault.CONTENT}
    return Outcome.REFUSED, (at_recipient if stage is Stage.RECIPIENT else later).get(reply.code, Fault.UNCLEAR)


_FIRST_WAIT = timedelta(seconds=30)
_LONGEST_WAIT = timedelta(hours=4)
MAX_ATTEMPTS = 12


def back_off(attempts: int) -> timedelta | None:
    """How long to wait after the n-th deferred attempt (30 s, doubling, at most 4 h); None means give up."""
    if attempts >= MAX_ATTEMPTS:
        return None
    return min(_LONGEST_WAIT, _FIRST_WAIT * 2 ** (attempts - 1))


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a provider can do: whether a repeated key is recognised, and whether receipts come later."""

    channel: Channel
    idempotent: bool
    receipts: bool
    wave: int


@dataclass(frozen=True, slots=True)
class WireMail:
    """One e-mail ready for the wire: envelope addresses and the complete message in CRLF form."""

    message_id: UUID
    sender: str
    recipient: str
    data: bytes


class Security(StrEnum):
    """How the connection to a relay is protected."""

    NONE = "none"
    STARTTLS = "starttls"
    TLS = "tls"


@dataclass(frozen=True, slots=True)
class Relay:
    """A mail relay and how to use it; `rate_per_s` zero means as fast as it answers."""

    host: str
    port: int
    security: Security = Security.NONE
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    connections: int = 20
    rate_per_s: int = 0
    timeout_s: float = 20.0
    verify_certificate: bool = True


@dataclass(slots=True)
class TokenBucket:
    """One number, mails per second, kept exactly over any stretch of time; `at_s` is a monotonic clock."""

    rate_per_s: float
    tokens: float = 0.0
    at_s: float | None = None

    def take(self, wanted: int, *, now_s: float) -> int:
        """How many of `wanted` may go now; a burst is at most one second's worth."""
        if self.rate_per_s <= 0:
            return wanted
        gained = 1.0 if self.at_s is None else (now_s - self.at_s) * self.rate_per_s
        self.tokens = min(max(self.rate_per_s, 1.0), self.tokens + gained)
        self.at_s = now_s
        granted = min(wanted, int(self.tokens))
        self.tokens -= granted
        return granted

    def wait_s(self) -> float:
        """Seconds until the next token."""
        return 0.0 if self.rate_per_s <= 0 or self.tokens >= 1 else (1 - self.tokens) / self.rate_per_s
