"""Clocks from histories: pauses, reopening, changed policies and calendars, and the failures seen elsewhere."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from crm_contact_center.calendars.domain import ALWAYS_OPEN, OFFICE_HOURS
from crm_contact_center.tickets.domain.cases import PENDING, Happening, HistoryEntry, TicketKind, TicketState
from crm_contact_center.tickets.domain.clocks import Reading, Terms, next_due, readings
from crm_contact_center.tickets.domain.policies import BUILT_IN, Clock, Policy, Target

MONDAY = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
BOTH = Policy(
    UUID(int=7), 1, "both", targets={Clock.FIRST_RESPONSE: Target(seconds=3600), Clock.RESOLUTION: Target(seconds=7200)}
)
PROMPT = replace(
    BOTH, version=2, targets={Clock.FIRST_RESPONSE: Target(seconds=1800), Clock.RESOLUTION: Target(seconds=3600)}
)


def minutes(amount: float) -> datetime:
    return MONDAY + timedelta(minutes=amount)


def history(*entries: tuple[Happening, float, TicketState | None]) -> list[HistoryEntry]:
    return [
        HistoryEntry(number, happening, minutes(at), "agent", {} if state is None else {"state": state.value})
        for number, (happening, at, state) in enumerate(entries, start=1)
    ]


OPENED = (Happening.OPENED, 0.0, TicketState.OPEN)


def read(
    entries: list[HistoryEntry],
    now: datetime,
    *,
    policy: Policy = BOTH,
    kind: TicketKind = TicketKind.FAULT,
    office: bool = False,
) -> dict[Clock, Reading]:
    terms = Terms(policy, OFFICE_HOURS if office else ALWAYS_OPEN, kind)
    return {reading.clock: reading for reading in readings(entries, lambda _: terms, now)}


class TestRunning:
    def test_both_clocks_run_from_the_opening(self) -> None:
        clocks = read(history(OPENED), minutes(30))
        assert clocks[Clock.FIRST_RESPONSE].due_at == minutes(60)
        assert clocks[Clock.RESOLUTION].due_at == minutes(120)
        assert clocks[Clock.RESOLUTION].elapsed == timedelta(minutes=30)
        assert clocks[Clock.RESOLUTION].warn_at == minutes(96)

    def test_a_reply_stops_the_first_response_only(self) -> None:
        clocks = read(history(OPENED, (Happening.REPLIED, 20, None)), minutes(90))
        assert clocks[Clock.FIRST_RESPONSE].stopped_at == minutes(20)
        assert clocks[Clock.FIRST_RESPONSE].kept is True
        assert clocks[Clock.RESOLUTION].running

    def test_a_note_for_colleagues_is_no_response(self) -> None:
        assert read(history(OPENED, (Happening.NOTED, 5, None)), minutes(10))[Clock.FIRST_RESPONSE].running

    def test_a_late_reply_stays_a_breach(self) -> None:
        reading = read(history(OPENED, (Happening.REPLIED, 80, None)), minutes(90))[Clock.FIRST_RESPONSE]
        assert (reading.breached_at, reading.kept) == (minutes(60), False)

    def test_solving_at_the_very_instant_is_in_time(self) -> None:
        entries = history(OPENED, (Happening.REPLIED, 60, None), (Happening.SOLVED, 120, TicketState.SOLVED))
        assert all(reading.kept for reading in read(entries, minutes(500)).values())

    def test_solving_without_a_reply_is_the_response(self) -> None:
        clocks = read(history(OPENED, (Happening.SOLVED, 30, TicketState.SOLVED)), minutes(500))
        assert clocks[Clock.FIRST_RESPONSE].stopped_at == minutes(30)

    def test_a_solved_ticket_never_breaches_later(self) -> None:
        clocks = read(history(OPENED, (Happening.SOLVED, 30, TicketState.SOLVED)), minutes(50_000))
        assert all(reading.breached_at is None and not reading.running for reading in clocks.values())


class TestPauses:
    def test_waiting_for_the_customer_stops_both_clocks(self) -> None:
        entries = history(
            OPENED, (Happening.PENDING, 30, TicketState.PENDING_CUSTOMER), (Happening.RESUMED, 90, TicketState.OPEN)
        )
        clocks = read(entries, minutes(100))
        assert clocks[Clock.FIRST_RESPONSE].due_at == minutes(120)
        assert clocks[Clock.RESOLUTION].due_at == minutes(180)

    def test_a_paused_clock_is_never_due(self) -> None:
        reading = read(history(OPENED, (Happening.PENDING, 30, TicketState.PENDING_SUPPLIER)), minutes(9_000))[
            Clock.RESOLUTION
        ]
        assert (reading.due_at, reading.running, reading.breached_at) == (None, False, None)

    def test_a_complaint_runs_on_while_pending(self) -> None:
        entries = history(OPENED, (Happening.HANDED_OFF, 30, TicketState.PENDING_DEPARTMENT))
        assert read(entries, minutes(40), kind=TicketKind.COMPLAINT)[Clock.RESOLUTION].due_at == minutes(120)

    def test_a_policy_may_let_a_complaint_pause(self) -> None:
        lenient = replace(BOTH, pauses=PENDING)
        entries = history(OPENED, (Happening.PENDING, 30, TicketState.PENDING_CUSTOMER))
        assert not read(entries, minutes(40), policy=lenient, kind=TicketKind.COMPLAINT)[Clock.RESOLUTION].running

    def test_from_one_pending_state_to_another_stays_paused(self) -> None:
        entries = history(
            OPENED,
            (Happening.PENDING, 30, TicketState.PENDING_CUSTOMER),
            (Happening.HANDED_OFF, 50, TicketState.PENDING_DEPARTMENT),
        )
        assert read(entries, minutes(500))[Clock.RESOLUTION].elapsed == timedelta(minutes=30)

    def test_a_reply_while_pending_does_not_restart_the_clock(self) -> None:
        entries = history(OPENED, (Happening.PENDING, 30, TicketState.PENDING_CUSTOMER), (Happening.REPLIED, 50, None))
        assert read(entries, minutes(500))[Clock.RESOLUTION].elapsed == timedelta(minutes=30)


class TestReopening:
    ENTRIES = history(
        OPENED,
        (Happening.REPLIED, 10, None),
        (Happening.SOLVED, 60, TicketState.SOLVED),
        (Happening.REOPENED, 600, TicketState.REOPENED),
    )

    def test_resolution_goes_on_where_it_stood(self) -> None:
        assert read(self.ENTRIES, minutes(610))[Clock.RESOLUTION].due_at == minutes(660)

    def test_the_first_response_stays_given(self) -> None:
        assert read(self.ENTRIES, minutes(9_000))[Clock.FIRST_RESPONSE].stopped_at == minutes(10)


class TestChangedTerms:
    ENTRIES = (
        *history(
            OPENED, (Happening.PENDING, 20, TicketState.PENDING_CUSTOMER), (Happening.RESUMED, 50, TicketState.OPEN)
        ),
        HistoryEntry(4, Happening.CHANGED, minutes(60), "agent", {"policy_id": "another"}),
    )

    def test_a_pause_survives_a_change_of_policy(self) -> None:
        old, new = Terms(BOTH, ALWAYS_OPEN, TicketKind.FAULT), Terms(PROMPT, ALWAYS_OPEN, TicketKind.FAULT)
        found = readings(self.ENTRIES, lambda entry: new if entry.body.get("policy_id") else old, minutes(65))
        assert {reading.clock: reading.elapsed for reading in found}[Clock.RESOLUTION] == timedelta(minutes=35)
        assert {reading.clock: reading.due_at for reading in found}[Clock.RESOLUTION] == minutes(90)

    def test_time_passed_under_the_old_calendar_stays_as_it_was(self) -> None:
        closed = Terms(BOTH, OFFICE_HOURS, TicketKind.FAULT)
        always = Terms(BOTH, ALWAYS_OPEN, TicketKind.FAULT)
        entries = [
            *history((Happening.OPENED, -60, TicketState.OPEN)),
            HistoryEntry(2, Happening.CHANGED, minutes(60), "agent", {"policy_id": "another"}),
        ]
        found = readings(entries, lambda entry: always if entry.body.get("policy_id") else closed, minutes(60))
        assert found[1].elapsed == timedelta(minutes=60)


class TestBuiltIn:
    def test_a_query_is_answered_in_ten_minutes(self) -> None:
        query = next(policy for policy in BUILT_IN if policy.kind is TicketKind.QUERY)
        assert read(history(OPENED), minutes(1), policy=query)[Clock.FIRST_RESPONSE].due_at == minutes(10)

    def test_a_complaint_is_handled_in_half_a_working_day(self) -> None:
        policy = next(policy for policy in BUILT_IN if policy.kind is TicketKind.COMPLAINT)
        clocks = read(history(OPENED), minutes(1), policy=policy, kind=TicketKind.COMPLAINT, office=True)
        assert clocks[Clock.RESOLUTION].due_at == minutes(240)

    def test_an_afternoon_complaint_is_due_next_morning_after_lunch_is_left_out(self) -> None:
        policy = next(policy for policy in BUILT_IN if policy.kind is TicketKind.COMPLAINT)
        entries = history((Happening.OPENED, 7 * 60, TicketState.OPEN))
        due_at = read(entries, minutes(430), policy=policy, kind=TicketKind.COMPLAINT, office=True)[
            Clock.RESOLUTION
        ].due_at
        assert due_at == datetime(2026, 11, 24, 10, 0, tzinfo=UTC)


class TestNextDue:
    def test_is_the_earliest_of_warnings_and_breaches(self) -> None:
        clocks = list(read(history(OPENED), minutes(1)).values())
        assert next_due(clocks, set()) == minutes(48)
        assert next_due(clocks, {(Clock.FIRST_RESPONSE, "warned")}) == minutes(60)

    def test_is_nothing_when_all_has_been_said(self) -> None:
        clocks = list(read(history(OPENED), minutes(500)).values())
        assert next_due(clocks, {(clock, said) for clock in Clock for said in ("warned", "breached")}) is None


moves = st.lists(
    st.tuples(
        st.sampled_from(
            [
                (Happening.PENDING, TicketState.PENDING_CUSTOMER),
                (Happening.RESUMED, TicketState.OPEN),
                (Happening.NOTED, None),
                (Happening.HANDED_OFF, TicketState.PENDING_DEPARTMENT),
            ]
        ),
        st.integers(0, 200),
    ),
    max_size=8,
)


class TestProperties:
    @given(moves, st.integers(0, 3000))
    def test_elapsed_equals_the_time_spent_in_running_states(
        self, steps: list[tuple[tuple[Happening, TicketState | None], int]], after: int
    ) -> None:
        entries, at, running, expected = [OPENED], 0.0, True, 0.0
        for (happening, state), gap in steps:
            expected += gap if running else 0
            at += gap
            running = running if state is None else state is TicketState.OPEN
            entries.append((happening, at, state))
        expected += after if running else 0
        reading = read(history(*entries), minutes(at + after))[Clock.RESOLUTION]
        assert reading.elapsed == timedelta(minutes=expected)
        assert (reading.breached_at is not None) == (expected > 120 or (expected == 120 and running))

    @given(moves)
    def test_reading_later_never_moves_a_breach(
        self, steps: list[tuple[tuple[Happening, TicketState | None], int]]
    ) -> None:
        entries, at = [OPENED], 0.0
        for (happening, state), gap in steps:
            at += gap
            entries.append((happening, at, state))
        first = read(history(*entries), minutes(at + 500))[Clock.RESOLUTION]
        later = read(history(*entries), minutes(at + 50_000))[Clock.RESOLUTION]
        assert first.breached_at in (None, later.breached_at)
