"""One policy, and why."""

# ruff: noqa: DTZ001 # local times, without a zone, are what this is about

from datetime import UTC, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_communication_dispatch.governance.domain import (
    Cap,
    Consent,
    Facts,
    Policy,
    QuietHours,
    Request,
    Ruling,
    Sent,
    Suppression,
    SuppressionReason,
    Window,
    check_policy,
    decide,
    quiet_until,
    window_bounds,
    zone_of,
)

NOW = datetime(2026, 6, 3, 12, 0, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
NIGHT = QuietHours(time(21), time(8))
GRANTED = Consent(UUID(int=7), "marketing", "email", "granted", NOW - timedelta(days=9), None)
FACTS = Facts(known=True, erased=False, address="a@example.org", time_zone="Europe/Berlin", consents=(GRANTED,))
ASK = Request("email", "marketing")
POLICY = Policy(caps=(), quiet_hours={})


def suppression(reason=SuppressionReason.MANUAL, purpose=None, expires_at=None, released_at=None) -> Suppression:
    return Suppression(
        UUID(int=9),
        "email",
        UUID(int=1),
        None,
        purpose,
        reason,
        None,
        None,
        "usr_1",
        NOW,
        expires_at,
        released_at,
        None,
        None,
        1,
    )


def facts(**changes) -> Facts:
    return Facts(**{**{name: getattr(FACTS, name) for name in Facts.__slots__}, **changes})


def test_a_granted_consent_sends_and_names_its_row():
    verdict = decide(ASK, FACTS, POLICY, NOW)
    assert verdict.ruling is Ruling.SEND
    assert verdict.consent_id == UUID(int=7)
    assert {c.rule for c in verdict.checks} == {"suppression", "consent"}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"known": False}, "customer_unknown"),
        ({"erased": True}, "customer_erased"),
        ({"address": None}, "no_address"),
        ({"consents": ()}, "no_consent"),
        ({"consents": (Consent(UUID(int=7), "marketing", "email", "revoked", NOW, None),)}, "consent_revoked"),
        ({"consents": (Consent(UUID(int=7), "marketing", "email", "granted", NOW, NOW),)}, "consent_expired"),
        ({"consents": (Consent(UUID(int=7), "marketing", "sms", "granted", NOW, None),)}, "no_consent"),
        ({"consents": (Consent(UUID(int=7), "newsletter", "email", "granted", NOW, None),)}, "no_consent"),
        ({"suppressions": (suppression(),)}, "suppressed_manual"),
        ({"suppressions": (suppression(purpose="marketing"),)}, "suppressed_manual"),
    ],
)
def test_a_refusal_says_why(changes, reason):
    verdict = decide(ASK, facts(**changes), POLICY, NOW)
    assert (verdict.ruling, verdict.reason) == (Ruling.REFUSE, reason)
    assert not verdict.checks[-1].passed


@pytest.mark.parametrize(
    "gone",
    [suppression(expires_at=NOW), suppression(released_at=NOW), suppression(purpose="newsletter")],
)
def test_a_suppression_that_ended_or_is_about_something_else_stops_nothing(gone):
    assert decide(ASK, facts(suppressions=(gone,)), POLICY, NOW).ruling is Ruling.SEND


def test_the_exact_channel_outranks_any_channel():
    anywhere = Consent(UUID(int=8), "marketing", "any", "granted", NOW, None)
    revoked = Consent(UUID(int=7), "marketing", "email", "revoked", NOW, None)
    assert decide(ASK, facts(consents=(anywhere,)), POLICY, NOW).ruling is Ruling.SEND
    assert decide(ASK, facts(consents=(anywhere, revoked)), POLICY, NOW).ruling is Ruling.REFUSE


def test_urgent_mail_passes_consent_caps_and_wishes_but_not_dead_addresses():
    urgent = Request("email", "transactional")
    policy = Policy(caps=(Cap(0, Window.DAY),), quiet_hours={"email": QuietHours(time(0), time(23, 59))})
    wished = suppression(SuppressionReason.UNSUBSCRIBED)
    assert decide(urgent, facts(consents=(), suppressions=(wished,)), policy, NOW).ruling is Ruling.SEND
    dead = suppression(SuppressionReason.BOUNCED)
    assert decide(urgent, facts(suppressions=(dead,)), policy, NOW).reason == "suppressed_bounced"


def test_a_cap_counts_days_where_the_customer_lives():
    policy = Policy(caps=(Cap(1, Window.DAY),), quiet_hours={})
    auckland = facts(
        time_zone="Pacific/Auckland", sent=(Sent(datetime(2026, 6, 3, 11, 0, tzinfo=UTC), "email", "marketing"),)
    )
    # 11:00 UTC is 23:00 in Auckland, 12:00 UTC the next day there: in UTC both are the same day.
    assert decide(ASK, auckland, policy, NOW).ruling is Ruling.SEND
    here = facts(sent=auckland.sent)
    verdict = decide(ASK, here, policy, NOW)
    assert (verdict.ruling, verdict.reason) == (Ruling.HOLD, "cap_day")
    assert verdict.until == datetime(2026, 6, 3, 22, 0, tzinfo=UTC)  # midnight in Berlin


def test_the_longest_full_cap_decides_and_urgent_mail_is_not_counted():
    policy = Policy(caps=(Cap(1, Window.DAY), Cap(1, Window.WEEK), Cap(9, Window.MONTH)), quiet_hours={})
    verdict = decide(ASK, facts(sent=(Sent(NOW, "email", "marketing"),)), policy, NOW)
    assert verdict.reason == "cap_week"
    assert verdict.until.astimezone(BERLIN) == datetime(2026, 6, 8, 0, 0, tzinfo=BERLIN)
    assert decide(ASK, facts(sent=(Sent(NOW, "email", "transactional"),)), policy, NOW).ruling is Ruling.SEND


def test_a_held_message_also_waits_for_the_morning():
    policy = Policy(caps=(Cap(1, Window.DAY),), quiet_hours={"email": NIGHT})
    verdict = decide(ASK, facts(sent=(Sent(NOW, "email", "marketing"),)), policy, NOW)
    assert verdict.until.astimezone(BERLIN) == datetime(2026, 6, 4, 8, 0, tzinfo=BERLIN)


def test_a_hold_beyond_the_messages_own_end_is_a_refusal_not_a_delay_by_weeks():
    policy = Policy(caps=(Cap(1, Window.MONTH),), quiet_hours={})
    ask = Request("email", "marketing", expires_at=NOW + timedelta(days=3))
    verdict = decide(ask, facts(sent=(Sent(NOW, "email", "marketing"),)), policy, NOW)
    assert (verdict.ruling, verdict.reason) == (Ruling.REFUSE, "cap_month_beyond_expiry")


@pytest.mark.parametrize(
    ("local", "until"),
    [
        (datetime(2026, 6, 3, 20, 59), None),
        (datetime(2026, 6, 3, 21, 0), datetime(2026, 6, 4, 8, 0)),
        (datetime(2026, 6, 4, 7, 59), datetime(2026, 6, 4, 8, 0)),
        (datetime(2026, 6, 4, 8, 0), None),
        # The nights on which clocks go forward (29 March 2026, 02:00) and back (25 October, 03:00).
        (datetime(2026, 3, 28, 23, 0), datetime(2026, 3, 29, 8, 0)),
        (datetime(2026, 10, 24, 23, 0), datetime(2026, 10, 25, 8, 0)),
    ],
)
def test_quiet_hours_are_local_time(local, until):
    got = quiet_until(NIGHT, BERLIN, local.replace(tzinfo=BERLIN).astimezone(UTC))
    assert (got and got.astimezone(BERLIN).replace(tzinfo=None)) == until


def test_an_end_that_the_clock_skips_is_the_next_time_that_exists():
    hours = QuietHours(time(22), time(2, 30))
    now = datetime(2026, 3, 29, 1, 30, tzinfo=BERLIN).astimezone(UTC)
    assert quiet_until(hours, BERLIN, now).astimezone(BERLIN) == datetime(2026, 3, 29, 3, 30, tzinfo=BERLIN)


def test_an_end_that_comes_twice_is_the_second_one():
    hours = QuietHours(time(22), time(2, 30))
    between = datetime(2026, 10, 25, 0, 45, tzinfo=UTC)  # 02:45 summer time: after the first 02:30, before the second
    assert quiet_until(hours, BERLIN, between) == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)


@given(
    st.datetimes(datetime(2024, 1, 1), datetime(2030, 1, 1)),
    st.times(),
    st.times(),
    st.sampled_from(
        ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia", "UTC"]
    ),
)
def test_once_a_night_has_ended_it_is_not_quiet_at_once_again(moment, start, end, zone):
    now, zone = moment.replace(tzinfo=UTC), ZoneInfo(zone)
    hours = QuietHours(start, end)
    until = quiet_until(hours, zone, now)
    if until is not None:
        assert now < until <= now + timedelta(hours=26)
        assert (
            quiet_until(hours, zone, until) is None
            or start == end
            or abs(
                (
                    until.astimezone(zone).replace(tzinfo=None) - datetime.combine(until.astimezone(zone).date(), start)
                ).total_seconds()
            )
            <= 7200
        )


@given(
    st.datetimes(datetime(2024, 1, 1), datetime(2030, 1, 1)),
    st.sampled_from(list(Window)),
    st.sampled_from(["Europe/Berlin", "America/Sao_Paulo", "Pacific/Apia"]),
)
def test_a_window_holds_its_moment(moment, window, zone):
    now = moment.replace(tzinfo=UTC)
    start, following = window_bounds(window, ZoneInfo(zone), now)
    assert start <= now < following
    assert following - start <= timedelta(days=31, hours=2)


def test_an_unknown_zone_falls_back_to_the_tenants():
    assert zone_of("Mars/Olympus", "Europe/Berlin").key == "Europe/Berlin"
    assert zone_of(None, "nonsense").key == "UTC"
    assert zone_of("../etc/passwd", "UTC").key == "UTC"


def test_a_policy_that_contradicts_itself_is_refused():
    errors = check_policy(Policy(time_zone="Mars/Olympus", urgent=frozenset({"marketing"})))
    assert {e.code for e in errors} == {"time_zone_unknown", "urgent_needs_consent"}
