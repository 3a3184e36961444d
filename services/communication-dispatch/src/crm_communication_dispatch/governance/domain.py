"""May this message go to this customer now? One pure decision for every department, and the reasons for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from crm_communication_dispatch.customers.domain import Consent
from crm_shared.errors import Conflict, FieldError

LOOK_BACK = timedelta(days=32)
"""How far caps look back: the longest calendar month and a day for time zones."""


_PATIENCE = timedelta(minutes=10)
_LOOK_AGAIN = timedelta(seconds=2)
# A customer registered a moment ago may be known everywhere but here: its event is on its way.


class Window(StrEnum):
    """A stretch of the customer's own calendar; weeks begin on Monday (ISO 8601)."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


class Ruling(StrEnum):
    """What the policy says of one message."""

    SEND = "send"
    HOLD = "hold"
    REFUSE = "refuse"


class SuppressionReason(StrEnum):
    """Why nobody writes to an address."""

    UNSUBSCRIBED = "unsubscribed"
    COMPLAINED = "complained"
    BOUNCED = "bounced"
    MANUAL = "manual"


@dataclass(frozen=True, slots=True)
class Cap:
    """At most `limit` messages per window; without channel or purposes it counts all that caps count."""

    limit: int
    window: Window
    channel: str | None = None
    purposes: frozenset[str] = frozenset()

    def counts(self, channel: str, purpose: str) -> bool:
        """Whether a message falls under this cap."""
        return self.channel in (None, channel) and (not self.purposes or purpose in self.purposes)


@dataclass(frozen=True, slots=True)
class QuietHours:
    """A local time from which, and until which, a channel is silent; it may pass midnight."""

    start: time
    end: time


def _nights() -> dict[str, QuietHours]:
    return {"sms": QuietHours(time(21), time(8))}


@dataclass(frozen=True, slots=True)
class Policy:
    """A tenant's rules: `consent_free` purposes need no granted consent, `urgent` ones pass caps and quiet hours."""

    caps: tuple[Cap, ...] = (Cap(limit=2, window=Window.DAY), Cap(limit=5, window=Window.WEEK))
    quiet_hours: Mapping[str, QuietHours] = field(default_factory=_nights)
    consent_free: frozenset[str] = frozenset({"transactional", "service"})
    urgent: frozenset[str] = frozenset({"transactional"})
    time_zone: str = "UTC"
    retry_unknown: frozenset[str] = frozenset({"transactional"})
    version: int = 0


@dataclass(frozen=True, slots=True)
class Suppression:
    """Nobody writes to an address or customer on a channel, for a purpose or for all, until it ends or is released."""

    id: UUID
    channel: str
    customer_id: UUID | None
    address: str | None
    purpose: str | None
    reason: SuppressionReason
    note: str | None
    message_id: UUID | None
    created_by: str
    created_at: datetime
    expires_at: datetime | None
    released_at: datetime | None
    released_by: str | None
    release_reason: str | None
    version: int

    def holds(self, purpose: str, now: datetime) -> bool:
        """Whether it stops a message of this purpose now."""
        if self.released_at is not None or (self.expires_at is not None and self.expires_at <= now):
            return False
        return self.purpose in (None, purpose)


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that caps count."""

    at: datetime
    channel: str
    purpose: str


@dataclass(frozen=True, slots=True)
class Request:
    """A message that wants to go."""

    channel: str
    purpose: str
    expires_at: datetime | None = None
    asked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of the customer; `known` is false for one we have no record of, `erased` for one forgotten."""

    known: bool
    erased: bool
    address: str | None
    time_zone: str | None
    consents: Sequence[Consent] = ()
    suppressions: Sequence[Suppression] = ()
    sent: Sequence[Sent] = ()


@dataclass(frozen=True, slots=True)
class Check:
    """One rule that was asked, what it said, and what it saw."""

    rule: str
    passed: bool
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The ruling, the reason where it isn't `send`, until when it is held, and every rule that was asked."""

    ruling: Ruling
    reason: str | None
    until: datetime | None
    checks: tuple[Check, ...]
    consent_id: UUID | None = None


def zone_of(name: str | None, default: str) -> ZoneInfo:
    """The customer's IANA zone, or the tenant's when it is missing or unknown."""
    for candidate in (name, default):
        if candidate:
            try:
                return ZoneInfo(candidate)
            except (ZoneInfoNotFoundError, ValueError, OSError):
                continue
    return ZoneInfo("UTC")


@lru_cache(maxsize=4_096)  # one moment is asked for again and again, once for each customer of a zone
def quiet_until(hours: QuietHours, zone: ZoneInfo, now: datetime) -> datetime | None:
    """When the quiet hours that hold now end; None when it isn't quiet.

    Each night is one stretch between two instants: its start is the first of an ambiguous local time, its end the last,
    so a clock set back never wakes anybody in between, and one set forward never ends a night early.
    """
    if hours.start == hours.end:
        return None
    today = now.astimezone(zone).date()
    for day in (today - timedelta(days=1), today):
        last = day if hours.start < hours.end else day + timedelta(days=1)
        start = datetime.combine(day, hours.start, tzinfo=zone).astimezone(UTC)
        end = datetime.combine(last, hours.end, tzinfo=zone).replace(fold=1).astimezone(UTC)
        gap = datetime.combine(last, hours.end, tzinfo=zone).astimezone(UTC)
        end = max(end, gap)  # inside a gap, fold=1 reads the later offset and lands before the jump
        if start <= now < end:
            return end
    return None


@lru_cache(maxsize=4_096)
def window_bounds(window: Window, zone: ZoneInfo, now: datetime) -> tuple[datetime, datetime]:
    """The calendar window that holds `now` where the customer lives: its first instant and the next one's."""
    today = now.astimezone(zone).date()
    if window is Window.DAY:
        first, following = today, today + timedelta(days=1)
    elif window is Window.WEEK:
        first = today - timedelta(days=today.weekday())
        following = first + timedelta(days=7)
    else:
        first = today.replace(day=1)
        following = (first + timedelta(days=32)).replace(day=1)
    return _midnight(first, zone), _midnight(following, zone)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(0), tzinfo=zone).astimezone(UTC)


def decide(request: Request, facts: Facts, policy: Policy, now: datetime) -> Verdict:
    """Whether, and if not yet when, a message may go.

    A refusal ends it; a hold is looked at again at `until`. Holds that reach beyond the message's own expiry are
    refusals, so that nothing arrives weeks late.
    """
    checks: list[Check] = []
    if not facts.known and not facts.erased and request.asked_at and now - request.asked_at < _PATIENCE:
        checks.append(Check("customer", passed=False, detail={"reason": "customer_unknown"}))
        return Verdict(Ruling.HOLD, "customer_unknown", now + _LOOK_AGAIN, tuple(checks))
    refused, consent_id = _refusal(request, facts, policy, now, checks)
    if refused is not None:
        return Verdict(Ruling.REFUSE, refused, None, tuple(checks), consent_id)
    reason, until = _hold(request, facts, policy, now, checks)
    if until is None:
        return Verdict(Ruling.SEND, None, None, tuple(checks), consent_id)
    if request.expires_at is not None and until >= request.expires_at:
        checks.append(Check("expiry", passed=False, detail={"until": until, "expires_at": request.expires_at}))
        return Verdict(Ruling.REFUSE, f"{reason}_beyond_expiry", None, tuple(checks), consent_id)
    return Verdict(Ruling.HOLD, reason, until, tuple(checks), consent_id)


def _refusal(
    request: Request, facts: Facts, policy: Policy, now: datetime, checks: list[Check]
) -> tuple[str | None, UUID | None]:
    if facts.erased or not facts.known:
        reason = "customer_erased" if facts.erased else "customer_unknown"
        checks.append(Check("customer", passed=False, detail={"reason": reason}))
        return reason, None
    if not facts.address:
        checks.append(Check("address", passed=False, detail={"channel": request.channel}))
        return "no_address", None
    if request.expires_at is not None and request.expires_at <= now:
        checks.append(Check("expiry", passed=False, detail={"expires_at": request.expires_at}))
        return "expired", None
    for suppression in facts.suppressions:
        # A bounce is about the address and stops every purpose; a wish not to be written to spares urgent mail.
        about_address = suppression.reason is SuppressionReason.BOUNCED
        if suppression.holds(request.purpose, now) and (about_address or request.purpose not in policy.urgent):
            detail = {"suppression_id": suppression.id, "reason": suppression.reason.value}
            checks.append(Check("suppression", passed=False, detail=detail))
            return f"suppressed_{suppression.reason.value}", None
    checks.append(Check("suppression", passed=True, detail={"asked": len(facts.suppressions)}))
    return _consent_refusal(request, facts, policy, now, checks)


def _consent_refusal(
    request: Request, facts: Facts, policy: Policy, now: datetime, checks: list[Check]
) -> tuple[str | None, UUID | None]:
    row = consent_row(facts.consents, request.purpose, request.channel)
    if request.purpose in policy.consent_free:
        checks.append(Check("consent", passed=True, detail={"needed": False, "purpose": request.purpose}))
        return None, row.consent_id if row else None
    if row is None:
        checks.append(Check("consent", passed=False, detail={"purpose": request.purpose, "channel": request.channel}))
        return "no_consent", None
    granted = row.status == "granted" and (row.expires_at is None or row.expires_at > now)
    status = row.status if granted or row.status != "granted" else "expired"
    detail = {"consent_id": row.consent_id, "status": status, "effective_at": row.effective_at}
    checks.append(Check("consent", passed=granted, detail=detail))
    return (None if granted else f"consent_{status}"), row.consent_id


def consent_row(consents: Sequence[Consent], purpose: str, channel: str) -> Consent | None:
    """The row that answers for a purpose and channel: the exact one, else the one for any channel."""
    by_channel = {consent.channel: consent for consent in consents if consent.purpose == purpose}
    return by_channel.get(channel) or by_channel.get("any")


def _hold(
    request: Request, facts: Facts, policy: Policy, now: datetime, checks: list[Check]
) -> tuple[str | None, datetime | None]:
    if request.purpose in policy.urgent:
        checks.append(Check("override", passed=True, detail={"purpose": request.purpose}))
        return None, None
    zone = zone_of(facts.time_zone, policy.time_zone)
    reason, until = _cap_hold(request, facts, policy, now, checks)
    hours = policy.quiet_hours.get(request.channel)
    if hours is not None:
        quiet = quiet_until(hours, zone, until or now)
        detail: dict[str, Any] = {"zone": zone.key, "start": hours.start.isoformat(), "end": hours.end.isoformat()}
        checks.append(Check("quiet_hours", passed=quiet is None, detail=detail | ({"until": quiet} if quiet else {})))
        if quiet is not None:
            reason, until = reason or "quiet_hours", quiet
    return reason, until


def _cap_hold(
    request: Request, facts: Facts, policy: Policy, now: datetime, checks: list[Check]
) -> tuple[str | None, datetime | None]:
    zone = zone_of(facts.time_zone, policy.time_zone)
    reason: str | None = None
    until: datetime | None = None
    for cap in policy.caps:
        if not cap.counts(request.channel, request.purpose):
            continue
        start, following = window_bounds(cap.window, zone, now)
        used = sum(
            1
            for sent in facts.sent
            if start <= sent.at < following
            and sent.purpose not in policy.urgent
            and cap.counts(sent.channel, sent.purpose)
        )
        detail = {"window": cap.window.value, "limit": cap.limit, "used": used, "zone": zone.key, "until": following}
        checks.append(Check("cap", passed=used < cap.limit, detail=detail))
        if used >= cap.limit and (until is None or following > until):
            reason, until = f"cap_{cap.window.value}", following
    return reason, until


def check_policy(policy: Policy) -> list[FieldError]:
    """What is wrong with a policy somebody wants to set."""
    errors: list[FieldError] = []
    try:
        ZoneInfo(policy.time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        message = "Use a zone of the IANA database, such as Europe/Berlin."
        errors.append(FieldError("/time_zone", "time_zone_unknown", message))
    if not policy.urgent <= policy.consent_free:
        message = "An urgent purpose must also be free of consent: it is sent whatever the customer agreed to."
        errors.append(FieldError("/urgent", "urgent_needs_consent", message))
    return errors


def require_unreleased(suppression: Suppression) -> None:
    """Refuse to release twice.

    Raises:
        Conflict: it has been released already.
    """
    if suppression.released_at is not None:
        raise Conflict("This suppression has been released already.", code="suppression_released")
