"""Asking customers how it was: who is asked, how answers count, and what a bad one leads to."""

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from crm_shared.errors import Conflict, Invalid, NotFound

VALID_FOR = timedelta(days=14)
_MAC_BYTES = 16


class SurveyKind(StrEnum):
    """What is measured."""

    CSAT = "csat"
    """Satisfaction, 1 to 5."""
    NPS = "nps"
    """Would recommend, 0 to 10."""
    CES = "ces"
    """Was easy, 1 to 7."""


SCALES: dict[SurveyKind, tuple[int, int]] = {SurveyKind.CSAT: (1, 5), SurveyKind.NPS: (0, 10), SurveyKind.CES: (1, 7)}


class SurveyTrigger(StrEnum):
    """After what customers are asked by themselves."""

    INTERACTION = "interaction"
    TICKET = "ticket"
    MANUAL = "manual"


@dataclass(frozen=True, slots=True)
class Survey:
    """A question and when to put it."""

    id: UUID
    name: str
    kind: SurveyKind
    question: str
    trigger: SurveyTrigger
    channels: tuple[str, ...]
    """Only after contacts on these; empty means all."""
    sampling_percent: int
    rest_days: int
    """A customer who was asked anything within these days isn't asked again."""
    low_at: int | None
    """A score of this or less opens a follow-up ticket."""
    active: bool
    version: int
    created_at: datetime


class InvitationState(StrEnum):
    """Where an asking stands."""

    INVITED = "invited"
    ANSWERED = "answered"


@dataclass(frozen=True, slots=True)
class Invitation:
    """One customer asked about one contact, and the answer."""

    id: UUID
    survey_id: UUID
    kind: SurveyKind
    customer_id: UUID
    interaction_id: UUID | None
    ticket_id: UUID | None
    touchpoint: str
    channel: str | None
    state: InvitationState
    invited_at: datetime
    expires_at: datetime
    answered_at: datetime | None
    answered_by: str | None
    score: int | None
    comment: str | None
    follow_up_id: UUID | None
    version: int


@dataclass(frozen=True, slots=True)
class Results:
    """What the answers to a survey come to, as numerators and denominators."""

    invited: int
    answered: int
    total_score: int
    promoters: int
    detractors: int
    low: int

    @property
    def mean(self) -> float | None:
        """The mean score."""
        return self.total_score / self.answered if self.answered else None

    @property
    def nps(self) -> float | None:
        """Promoters (9, 10) less detractors (0…6), as a percentage of all who answered."""
        return 100 * (self.promoters - self.detractors) / self.answered if self.answered else None


def check_score(kind: SurveyKind, score: int, pointer: str = "/score") -> None:
    """Refuses a score off the scale.

    Raises:
        Invalid: naming the scale.
    """
    low, high = SCALES[kind]
    if not low <= score <= high:
        raise Invalid.field(pointer, f"A {kind} score is {low} to {high}.", code="score_out_of_range")


def check_answerable(invitation: Invitation, now: datetime) -> None:
    """Refuses a second answer and one that comes too late.

    Raises:
        Conflict: it is answered or has run out.
    """
    if invitation.state is InvitationState.ANSWERED:
        raise Conflict("This has been answered; thank you.", code="survey_answered")
    if invitation.expires_at <= now:
        raise Conflict("The time for answering is over.", code="survey_expired")


def is_sampled(survey: Survey, touchpoint_id: UUID) -> bool:
    """Whether this contact falls into the sample; the same answer whenever it is asked."""
    digest = hashlib.sha256(survey.id.bytes + touchpoint_id.bytes).digest()
    return int.from_bytes(digest[:4]) % 100 < survey.sampling_percent


def is_rested(asked_at: Collection[datetime], survey: Survey, now: datetime) -> bool:
    """Whether the customer has been left in peace for long enough."""
    return all(at <= now - timedelta(days=survey.rest_days) for at in asked_at)


def sign(key: bytes, tenant: UUID, invitation_id: UUID) -> str:
    """The token that lets its bearer answer one invitation."""
    raw = tenant.bytes + invitation_id.bytes
    return urlsafe_b64encode(raw + _mac(key, raw)).decode().rstrip("=")


def tenant_in(token: str) -> UUID:
    """The tenant that a token claims to be of; worth nothing before `invitation_in` has checked it.

    Raises:
        NotFound: this is no token.
    """
    return UUID(bytes=_unpack(token)[0])


def invitation_in(key: bytes, token: str) -> UUID:
    """The invitation that a token is for.

    Raises:
        NotFound: we didn't make it.
    """
    tenant, invitation, mac = _unpack(token)
    if not hmac.compare_digest(mac, _mac(key, tenant + invitation)):
        raise NotFound("There is no such survey.", code="survey_not_found")
    return UUID(bytes=invitation)


def _unpack(token: str) -> tuple[bytes, bytes, bytes]:
    try:
        raw = urlsafe_b64decode(token.encode("ascii") + b"=" * (-len(token) % 4))
    except (ValueError, Base64Error):
        raw = b""
    if len(raw) != 32 + _MAC_BYTES:
        raise NotFound("There is no such survey.", code="survey_not_found")
    return raw[:16], raw[16:32], raw[32:]


def _mac(key: bytes, raw: bytes) -> bytes:
    return hmac.new(key, b"survey-answer" + raw, hashlib.sha256).digest()[:_MAC_BYTES]
