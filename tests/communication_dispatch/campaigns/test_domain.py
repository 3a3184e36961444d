"""Who gets what, and the proof of completeness."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_communication_dispatch.campaigns.domain import Variant, held_out, proven_complete, variant_for
from crm_communication_dispatch.messages.domain import Status

PEOPLE = [UUID(int=n) for n in range(10_000)]
A, B = Variant("A", UUID(int=1), 1, 1), Variant("B", UUID(int=2), 1, 3)


def test_shares_follow_the_weights():
    assert sum(variant_for("s", p, [A, B]) is B for p in PEOPLE) == pytest.approx(7_500, abs=200)
    assert sum(held_out("s", p, 10) for p in PEOPLE) == pytest.approx(1_000, abs=150)
    assert not any(held_out("s", p, 0) for p in PEOPLE)


def test_hold_out_and_variant_are_drawn_apart():
    held = [p for p in PEOPLE if held_out("s", p, 50)]
    assert sum(variant_for("s", p, [A, B]) is B for p in held) / len(held) == pytest.approx(0.75, abs=0.03)


@given(st.text(max_size=80), st.uuids(), st.integers(0, 90))
def test_a_draw_is_the_same_on_every_run(seed, person, percent):
    assert held_out(seed, person, percent) == held_out(seed, person, percent)
    assert variant_for(seed, person, [A, B]) == variant_for(seed, person, [A, B])
    assert not held_out(seed, person, percent) or held_out(seed, person, 90)


@given(st.dictionaries(st.sampled_from(list(Status)), st.integers(0, 9)))
def test_completeness_is_the_sum_of_end_states(states):
    total = sum(states.values())
    waiting = sum(states.get(s, 0) for s in (Status.PLANNED, Status.HELD, Status.QUEUED, Status.ATTEMPTING))
    assert proven_complete(total, states) == (waiting == 0)
    assert not proven_complete(total + 1, states)
