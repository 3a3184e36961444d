from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_contact_center.calendars.domain import (
    ALWAYS_OPEN,
    OFFICE_HOURS,
    Calendar,
    Window,
    add_business_time,
    business_time_between,
    is_open,
    next_opening,
    validate,
    working_day,
)
from crm_shared.errors import Invalid

ZAGREB = Calendar(
    "Europe/Zagreb",
    {weekday: (Window(9 * 60, 12 * 60), Window(13 * 60, 17 * 60 + 30)) for weekday in range(5)},
    {date(2026, 12, 25): (), date(2026, 12, 24): (Window(9 * 60, 12 * 60),)},
)
NIGHT_SHIFT = Calendar(
    "Europe/Zagreb", {weekday: (Window(0, 6 * 60), Window(22 * 60, 24 * 60)) for weekday in range(7)}
)
LORD_HOWE = Calendar(
    "Australia/Lord_Howe", {weekday: (Window(60, 5 * 60),) for weekday in range(7)}
)  # shifts by 30 minutes


def local(*parts: int, zone: str = "Europe/Zagreb") -> datetime:
    return datetime(*parts, tzinfo=ZoneInfo(zone)).astimezone(UTC)  # pyright: ignore[reportArgumentType]


calendars = st.sampled_from([ZAGREB, NIGHT_SHIFT, LORD_HOWE, OFFICE_HOURS, ALWAYS_OPEN])
instants = st.datetimes(datetime(2025, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
amounts = st.timedeltas(timedelta(microseconds=1), timedelta(days=20))


class TestBusinessTime:
    def test_a_lunch_break_does_not_count(self) -> None:
        assert business_time_between(ZAGREB, local(2026, 11, 23, 11, 30), local(2026, 11, 23, 13, 30)) == timedelta(
            hours=1
        )

    def test_a_target_that_runs_into_lunch_ends_after_it(self) -> None:
        assert add_business_time(ZAGREB, local(2026, 11, 23, 11, 45), timedelta(minutes=30)) == local(
            2026, 11, 23, 13, 15
        )

    def test_a_weekend_does_not_count(self) -> None:
        assert add_business_time(ZAGREB, local(2026, 11, 20, 17, 0), timedelta(hours=1)) == local(2026, 11, 23, 9, 30)

    def test_holidays_and_short_days_override_the_week(self) -> None:
        assert add_business_time(ZAGREB, local(2026, 12, 24, 11, 0), timedelta(hours=2)) == local(2026, 12, 28, 10, 0)

    def test_an_hour_that_spring_skips_is_never_open(self) -> None:
        assert business_time_between(NIGHT_SHIFT, local(2026, 3, 29, 0, 0), local(2026, 3, 29, 6, 0)) == timedelta(
            hours=5
        )

    def test_an_hour_that_autumn_repeats_is_open_twice(self) -> None:
        assert business_time_between(NIGHT_SHIFT, local(2026, 10, 25, 0, 0), local(2026, 10, 25, 6, 0)) == timedelta(
            hours=7
        )

    def test_a_window_inside_the_repeated_hour_opens_twice(self) -> None:
        odd = Calendar("Europe/Zagreb", {6: (Window(2 * 60, 2 * 60 + 20),)})
        day = local(2026, 10, 25, 0, 0), local(2026, 10, 26, 0, 0)
        assert business_time_between(odd, *day) == timedelta(minutes=40)

    def test_a_window_inside_the_skipped_hour_stays_shut(self) -> None:
        odd = Calendar("Europe/Zagreb", {6: (Window(2 * 60, 3 * 60),)})
        assert business_time_between(odd, local(2026, 3, 29, 0, 0), local(2026, 3, 30, 0, 0)) == timedelta()

    def test_a_half_hour_shift_counts_as_half_an_hour(self) -> None:
        day = local(2026, 10, 4, 0, 0, zone="Australia/Lord_Howe"), local(2026, 10, 5, 0, 0, zone="Australia/Lord_Howe")
        assert business_time_between(LORD_HOWE, *day) == timedelta(hours=3, minutes=30)

    def test_backwards_is_nothing(self) -> None:
        assert business_time_between(ZAGREB, local(2026, 11, 23, 12, 0), local(2026, 11, 23, 9, 0)) == timedelta()

    def test_a_calendar_that_never_opens_is_refused(self) -> None:
        with pytest.raises(Invalid) as caught:
            add_business_time(Calendar("UTC", {}), local(2026, 11, 23, 9, 0), timedelta(minutes=1))
        assert caught.value.code == "calendar_shut"

    @given(calendars, instants, amounts)
    def test_adding_is_the_inverse_of_measuring(self, calendar: Calendar, start: datetime, amount: timedelta) -> None:
        assert business_time_between(calendar, start, add_business_time(calendar, start, amount)) == amount

    @given(calendars, instants, amounts)
    def test_it_ends_at_the_first_such_instant(self, calendar: Calendar, start: datetime, amount: timedelta) -> None:
        end = add_business_time(calendar, start, amount)
        assert business_time_between(calendar, start, end - timedelta(microseconds=1)) < amount

    @given(calendars, instants, amounts, amounts)
    def test_two_stretches_add_up(self, calendar: Calendar, start: datetime, one: timedelta, two: timedelta) -> None:
        middle, end = start + one, start + one + two
        parts = business_time_between(calendar, start, middle) + business_time_between(calendar, middle, end)
        assert parts == business_time_between(calendar, start, end)

    @given(instants, amounts)
    def test_always_open_is_plain_time(self, start: datetime, amount: timedelta) -> None:
        assert add_business_time(ALWAYS_OPEN, start, amount) == start + amount

    @given(calendars, instants)
    def test_open_is_where_time_passes(self, calendar: Calendar, at: datetime) -> None:
        at = at.replace(second=0, microsecond=0)
        passes = business_time_between(calendar, at, at + timedelta(seconds=1)) > timedelta()
        assert is_open(calendar, at) == passes


class TestNextOpening:
    def test_is_now_when_open(self) -> None:
        assert next_opening(ZAGREB, local(2026, 11, 23, 9, 30)) == local(2026, 11, 23, 9, 30)

    def test_skips_lunch(self) -> None:
        assert next_opening(ZAGREB, local(2026, 11, 23, 12, 0)) == local(2026, 11, 23, 13, 0)

    def test_is_none_for_a_shut_calendar(self) -> None:
        assert next_opening(Calendar("UTC", {}), local(2026, 11, 23, 12, 0)) is None


class TestWorkingDay:
    def test_leaves_out_lunch_and_weekends(self) -> None:
        assert working_day(ZAGREB) == timedelta(hours=7, minutes=30)


class TestValidate:
    @pytest.mark.parametrize(
        ("calendar", "code"),
        [
            (Calendar("Mars/Olympus", {}), "zone_unknown"),
            (Calendar("UTC", {0: (Window(600, 600),)}), "window_empty"),
            (Calendar("UTC", {0: (Window(600, 1441),)}), "window_empty"),
            (Calendar("UTC", {0: (Window(600, 700), Window(690, 800))}), "windows_overlap"),
            (Calendar("UTC", {}, {date(2026, 1, 1): (Window(5, 4),)}), "window_empty"),
        ],
    )
    def test_refuses(self, calendar: Calendar, code: str) -> None:
        with pytest.raises(Invalid) as caught:
            validate(calendar)
        assert caught.value.code == code
        assert caught.value.errors[0].pointer
