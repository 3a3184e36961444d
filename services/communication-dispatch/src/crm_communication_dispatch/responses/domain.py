"""What comes back, and whether a person sent it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID


class ResponseKind(StrEnum):
    """How a customer answered."""

    CLICK = "click"
    REPLY = "reply"
    COUPON = "coupon"
    CALL = "call"


class BuyingWindow(StrEnum):
    """How soon the customer means to buy."""

    NOW = "now"
    WITHIN_3_MONTHS = "within_3_months"
    WITHIN_6_MONTHS = "within_6_months"
    WITHIN_12_MONTHS = "within_12_months"
    UNKNOWN = "unknown"


class Verdict(StrEnum):
    """Whether a person or a program followed a link."""

    HUMAN = "human"
    MACHINE = "machine"


@dataclass(frozen=True, slots=True)
class Hit:
    """One request for a tracked link; without a verdict while it is watched."""

    id: UUID
    message_id: UUID
    link: int
    url: str
    method: str
    user_agent: str | None
    at: datetime
    verdict: Verdict | None
    signals: Sequence[str]


@dataclass(frozen=True, slots=True)
class Response:
    """One answer of a customer, and what the campaign's rule made of it."""

    id: UUID
    customer_id: UUID
    campaign_id: UUID | None
    message_id: UUID | None
    kind: ResponseKind
    buying_window: BuyingWindow | None
    text: str | None
    wants: str
    source_key: str
    captured_at: datetime


@dataclass(frozen=True, slots=True)
class InboundMail:
    """A mail that came to us, as it was understood."""

    id: UUID
    digest: bytes
    kind: str
    message_id: UUID | None
    customer_id: UUID | None
    sender: str | None
    subject: str | None
    text: str | None
    detail: Mapping[str, Any]
    received_at: datetime


# Programs that say what they are; those that don't are caught by what they do.
_PROGRAM = re.compile(
    r"bot\b|crawl|spider|slurp|scan|preview|prefetch|proofpoint|mimecast|barracuda|safelinks|fireeye|headless"
    r"|^(curl|wget|python|java|go-http|okhttp|libwww|ruby|php|node|axios|httpx?)\b",
    re.IGNORECASE,
)
_BURST = timedelta(seconds=2)
_INSTANT = timedelta(milliseconds=300)


def judge_hits(hits: Sequence[Hit], links: int, sent_at: datetime | None) -> dict[UUID, tuple[Verdict, list[str]]]:
    """A verdict for each hit on one message, with the signals that led to it.

    A gateway that opens every link of a mail at once gives itself away by that, whatever it calls itself; so hits are
    judged together, a moment after they came. `links` is how many the mail holds.
    """
    verdicts: dict[UUID, tuple[Verdict, list[str]]] = {}
    for hit in hits:
        signals: list[str] = []
        if not hit.user_agent:
            signals.append("no_user_agent")
        elif _PROGRAM.search(hit.user_agent):
            signals.append("program")
        together = {other.link for other in hits if abs(other.at - hit.at) <= _BURST}
        if len(together) > 2 or (len(together) == links == 2):
            signals.append("burst")
        if sent_at is not None and hit.at - sent_at < _INSTANT:
            signals.append("instant")
        verdicts[hit.id] = (Verdict.MACHINE if signals else Verdict.HUMAN, signals)
    return verdicts


def window_in_url(url: str) -> BuyingWindow | None:
    """The buying window that a link states in its own address: `…?window=now`."""
    for value in parse_qs(urlsplit(url).query).get("window", ()):
        if value in BuyingWindow.__members__.values():
            return BuyingWindow(value)
    return None


_STATED = re.compile(r"buying[ _]window\s*[:=]\s*([a-z0-9_ ]+)", re.IGNORECASE)
_WORDS: Sequence[tuple[BuyingWindow, re.Pattern[str]]] = (
    (BuyingWindow.WITHIN_12_MONTHS, re.compile(r"\b(next year|12 months|nächstes jahr)\b", re.IGNORECASE)),
    (BuyingWindow.WITHIN_6_MONTHS, re.compile(r"\b(6 months|half a year|halbes jahr)\b", re.IGNORECASE)),
    (
        BuyingWindow.WITHIN_3_MONTHS,
        re.compile(r"\b(3 months|three months|next month|this quarter|nächsten monat)\b", re.IGNORECASE),
    ),
    (
        BuyingWindow.NOW,
        re.compile(r"\b(right now|right away|immediately|today|this week|asap|sofort)\b", re.IGNORECASE),
    ),
)


def window_in_text(text: str) -> BuyingWindow | None:
    """The buying window in a reply: a stated field first, plain words else."""
    stated = _STATED.search(text)
    if stated:
        name = stated[1].strip().lower().replace(" ", "_")
        if name in BuyingWindow.__members__.values():
            return BuyingWindow(name)
    return next((window for window, words in _WORDS if words.search(text)), None)
