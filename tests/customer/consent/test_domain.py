from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import assume, given
from hypothesis import strategies as st

from crm_customer.consent.domain import (
    Answer,
    ConsentStatus,
    Entry,
    LegalBasis,
    Member,
    OptIn,
    Reason,
    answer,
    in_force,
)

START = datetime(2026, 1, 1, tzinfo=UTC)
NOW = START + timedelta(days=100)
FIRST, SECOND = UUID(int=1), UUID(int=2)


def day(n: int) -> datetime:
    return START + timedelta(days=n)


def entry(
    n: int,
    status: ConsentStatus,
    effective: int,
    *,
    recorded: int | None = None,
    ends: int | None = None,
    **more: object,
) -> Entry:
    return Entry(
        id=UUID(int=n),
        customer_id=FIRST,
        purpose="news",
        channel="email",
        status=status,
        legal_basis=LegalBasis.CONSENT,
        effective_at=day(effective),
        recorded_at=day(effective if recorded is None else recorded),
        expires_at=None if ends is None else day(ends),
        **more,  # pyright: ignore[reportArgumentType]
    )


def alone(*entries: Entry, at: datetime = NOW, known_at: datetime = NOW) -> Answer:
    return answer([Member(FIRST, entries)], at, known_at=known_at)


GRANTED, REVOKED = ConsentStatus.GRANTED, ConsentStatus.REVOKED


def test_nobody_asked_means_no() -> None:
    assert alone() == Answer(False, Reason.NEVER_ASKED, None)


def test_a_grant_that_arrives_late_does_not_undo_a_later_revocation() -> None:
    revoked = entry(1, REVOKED, 20)
    late = entry(2, GRANTED, 10, recorded=30)
    assert alone(revoked, late) == Answer(False, Reason.REVOKED, revoked)


def test_a_revocation_leaves_the_grant_that_proves_the_past() -> None:
    granted, revoked = entry(1, GRANTED, 10), entry(2, REVOKED, 20)
    assert alone(granted, revoked, at=day(15)) == Answer(True, Reason.GRANTED, granted)
    assert alone(granted, revoked, at=day(25)) == Answer(False, Reason.REVOKED, revoked)


def test_what_was_known_then_is_answered_apart_from_what_is_known_now() -> None:
    granted, revoked = entry(1, GRANTED, 10), entry(2, REVOKED, 20, recorded=30)
    assert alone(granted, revoked, at=day(25), known_at=day(26)).allowed
    assert not alone(granted, revoked, at=day(25)).allowed


def test_of_two_that_took_effect_together_the_stricter_decides() -> None:
    assert not alone(entry(1, REVOKED, 10), entry(2, GRANTED, 10)).allowed


def test_a_grant_ends_by_itself_at_its_time() -> None:
    granted = entry(1, GRANTED, 10, ends=20)
    assert alone(granted, at=day(20) - timedelta(microseconds=1)).allowed
    assert alone(granted, at=day(20)) == Answer(False, Reason.EXPIRED, granted)


def test_a_pending_grant_allows_nothing_and_takes_nothing_away() -> None:
    pending = entry(2, GRANTED, 20, opt_in=OptIn.PENDING)
    assert alone(pending) == Answer(False, Reason.AWAITING_CONFIRMATION, None)
    assert alone(entry(1, GRANTED, 10), pending).allowed


ENTRIES = st.lists(
    st.builds(
        lambda n, status, effective, delay, ends: entry(
            n, status, effective, recorded=effective + delay, ends=effective + ends if ends else None
        ),
        st.integers(1, 10_000),
        st.sampled_from([GRANTED, REVOKED]),
        st.integers(0, 40),
        st.integers(0, 10),
        st.integers(0, 30),
    ),
    max_size=5,
    unique_by=lambda each: each.id,
)


@given(ENTRIES, st.permutations(range(5)))
def test_the_order_of_arrival_does_not_matter(entries: list[Entry], order: list[int]) -> None:
    turned = [entries[index] for index in order if index < len(entries)]
    assert alone(*turned) == alone(*entries)


@given(ENTRIES, ENTRIES, st.integers(0, 60), st.integers(60, 120))
def test_a_merge_allows_nothing_that_one_of_the_records_forbids(
    first: list[Entry], second: list[Entry], merged: int, at: int
) -> None:
    merged_at, when = day(merged), day(at)
    assume(all(each.effective_at <= merged_at for each in [*first, *second]))
    found = answer([Member(FIRST, first), Member(SECOND, second, merged_at)], when, known_at=when)
    if found.allowed:
        for entries in (first, second):
            own = in_force([each for each in entries if each.recorded_at <= when], when)
            assert own is None or own.status_at(when) is GRANTED


@given(ENTRIES, ENTRIES, st.integers(0, 60))
def test_a_merge_changes_no_answer_about_the_time_before_it(first: list[Entry], second: list[Entry], at: int) -> None:
    when, merged_at = day(at), day(at + 1)
    apart = answer([Member(FIRST, first)], when, known_at=when)
    assert answer([Member(FIRST, first), Member(SECOND, second, merged_at)], when, known_at=when) == apart
