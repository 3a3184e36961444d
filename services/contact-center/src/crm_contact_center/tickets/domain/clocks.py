"""Service-level clocks, computed from a ticket's history whenever somebody looks; nothing is ever counted up or stored.

A clock is a list of stretches in which it ran, each under the calendar and target of the policy that was in force then.
So a pause is never lost when the policy changes, and a changed calendar never moves what has already passed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from crm_contact_center.calendars.domain import Calendar, add_business_time, business_time_between
from crm_contact_center.tickets.domain.cases import Happening, HistoryEntry, TicketKind, TicketState
from crm_contact_center.tickets.domain.policies import Clock, Policy

_ZERO = timedelta()


@dataclass(frozen=True, slots=True)
class Terms:
    """What was promised from some moment on: the policy, its calendar, and the ticket's kind then."""

    policy: Policy
    calendar: Calendar
    kind: TicketKind


TermsOf = Callable[[HistoryEntry], Terms]
"""Gives the terms that an `opened` or `changed` entry names."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """One time in which the clock ran; `until` is None while it runs."""

    since: datetime
    until: datetime | None
    terms: Terms


@dataclass(frozen=True, slots=True)
class Reading:
    """One clock as it stands at a moment.

    `due_at` is when it reaches its target if nothing stops it: None while paused or once stopped in time. A breach is
    the instant at which the target was passed.
    """

    clock: Clock
    target: timedelta
    elapsed: timedelta
    running: bool
    stopped_at: datetime | None
    warn_at: datetime | None
    due_at: datetime | None
    breached_at: datetime | None

    @property
    def kept(self) -> bool | None:
        """Whether the promise was kept; None while that is open."""
        if self.breached_at is not None:
            return False
        return True if self.stopped_at is not None else None


def readings(history: Sequence[HistoryEntry], terms_of: TermsOf, now: datetime) -> list[Reading]:
    """All clocks that the ticket's present policy has a target for."""
    current = _terms_now(history, terms_of)
    return [_read(clock, history, terms_of, now) for clock in Clock if clock in current.policy.targets]


def next_due(clocks: Sequence[Reading], seen: set[tuple[Clock, str]]) -> datetime | None:
    """When a warning or a breach that isn't in `seen` falls due next."""
    moments: list[datetime] = []
    for clock in clocks:
        breach = clock.breached_at or clock.due_at
        if breach is not None and (clock.clock, "breached") not in seen:
            moments.append(breach)
            if clock.warn_at is not None and (clock.clock, "warned") not in seen:
                moments.append(clock.warn_at)
    return min(moments, default=None)


def _terms_now(history: Sequence[HistoryEntry], terms_of: TermsOf) -> Terms:
    return terms_of(next(entry for entry in reversed(history) if _names_terms(entry)))


def _names_terms(entry: HistoryEntry) -> bool:
    return entry.happening is Happening.OPENED or (entry.happening is Happening.CHANGED and "policy_id" in entry.body)


def _read(clock: Clock, history: Sequence[HistoryEntry], terms_of: TermsOf, now: datetime) -> Reading:
    stretches, stopped_at = _stretches(clock, history, terms_of)
    terms = _terms_now(history, terms_of)
    target = terms.policy.targets[clock].within(terms.calendar)
    breached_at = _passed(stretches, target, now)
    running = bool(stretches) and stretches[-1].until is None
    elapsed = sum((_open_time(stretch, now) for stretch in stretches), _ZERO)
    return Reading(
        clock=clock,
        target=target,
        elapsed=elapsed,
        running=running,
        stopped_at=stopped_at,
        warn_at=_reaches(stretches, target * terms.policy.warn_at),
        due_at=_reaches(stretches, target),
        breached_at=breached_at,
    )


def _stretches(
    clock: Clock, history: Sequence[HistoryEntry], terms_of: TermsOf
) -> tuple[list[Stretch], datetime | None]:
    """When the clock ran, and when it stopped for good (so far)."""
    stretches: list[Stretch] = []
    state, terms, stopped_at = TicketState.OPEN, None, None
    for entry in history:
        if stretches and stretches[-1].until is None:
            stretches[-1] = replace(stretches[-1], until=entry.at)
        state = _state_after(entry, state)
        if _names_terms(entry):
            terms = terms_of(entry)
        if _stops(clock, entry):
            stopped_at = stopped_at or entry.at
        elif entry.happening is Happening.REOPENED and clock is Clock.RESOLUTION:
            stopped_at = None
        assert terms is not None, "a ticket's history begins with its opening"
        if stopped_at is None and state not in terms.policy.pausing_states(terms.kind):
            stretches.append(Stretch(entry.at, None, terms))
    return stretches, stopped_at


def _state_after(entry: HistoryEntry, state: TicketState) -> TicketState:
    after = entry.body.get("state")
    return TicketState(after) if after is not None else state


def _stops(clock: Clock, entry: HistoryEntry) -> bool:
    if entry.happening in (Happening.SOLVED, Happening.CLOSED):
        return True
    return clock is Clock.FIRST_RESPONSE and entry.happening is Happening.REPLIED


def _open_time(stretch: Stretch, now: datetime) -> timedelta:
    return business_time_between(stretch.terms.calendar, stretch.since, stretch.until or now)


def _reaches(stretches: Sequence[Stretch], target: timedelta) -> datetime | None:
    """The instant at which the running total gets to `target`; None if it never does as things stand."""
    left = target
    for stretch in stretches:
        if stretch.until is None:
            return add_business_time(stretch.terms.calendar, stretch.since, left)
        passed = business_time_between(stretch.terms.calendar, stretch.since, stretch.until)
        if passed > left:
            return add_business_time(stretch.terms.calendar, stretch.since, left)
        left -= passed
    return None


def _passed(stretches: Sequence[Stretch], target: timedelta, now: datetime) -> datetime | None:
    """The instant at which the target was passed, if that is behind us."""
    reached = _reaches(stretches, target)
    return reached if reached is not None and reached <= now else None
