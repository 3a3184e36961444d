"""The lead's state machine and who is the same person."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_sales_pipeline.leads.domain.leads import (
    OPEN_STATES,
    Contact,
    LeadState,
    check_reachable,
    fold_phone,
    identity_of,
    may_move,
    seconds_between,
)
from crm_shared.errors import Invalid


@given(states=st.lists(st.sampled_from(LeadState), min_size=2, max_size=12))
def test_no_path_leads_out_of_an_end_or_to_conversion_without_work(states: list[LeadState]) -> None:
    path = [LeadState.NEW]
    for wanted in states:
        if may_move(path[-1], wanted):
            path.append(wanted)
    ends = (LeadState.CONVERTED, LeadState.DEAD)
    assert all(state not in ends for state in path[:-1])
    if LeadState.CONVERTED in path:
        assert LeadState.WORKING in path


def test_every_open_state_can_end_and_nothing_stays_where_it_is() -> None:
    for state in OPEN_STATES:
        assert may_move(state, LeadState.DEAD)
        assert not may_move(state, state)


def test_two_spellings_of_an_address_are_one_person() -> None:
    one = identity_of(customer_id=None, contact=Contact(email=" Kim@Example.ORG"))
    assert one == identity_of(customer_id=None, contact=Contact(email="kim@example.org", phone="1"))
    assert fold_phone("+43 (1) 234-56") == fold_phone("0043 1 23456") == "43123456"
    assert identity_of(customer_id=UUID(int=1), contact=Contact(email="kim@example.org")) != one


def test_nobody_without_a_way_to_reach_them_is_a_lead() -> None:
    with pytest.raises(Invalid):
        check_reachable(customer_id=None, contact=Contact(name="Kim"))
    check_reachable(customer_id=UUID(int=1), contact=Contact())


def test_a_contact_recorded_with_an_earlier_time_took_no_negative_time() -> None:
    later = datetime(2026, 1, 2, tzinfo=UTC)
    assert seconds_between(later, datetime(2026, 1, 1, tzinfo=UTC)) == 0
