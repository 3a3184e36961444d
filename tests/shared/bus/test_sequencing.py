"""The rules of sequence, epoch, snapshot and erasure, without a database."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_shared.bus.port import Delivered
from crm_shared.bus.sequencing import Incoming, Plan, Verdict, judge, mentioned_ids, plan
from crm_shared.db.inbox import KeyState, Position
from crm_shared.db.parking import GAP, WAITS_FOR_SNAPSHOT
from crm_shared.events import Envelope
from crm_shared.ids import new_id

NEWS, SNAPSHOT, ERASED = "crm.item.counted.v1", "crm.item.snapshot.v1", "crm.item.erased.v1"
TENANT = new_id()
ITEM = new_id()
KEY = f"item:{ITEM}"


def incoming(seq: int, *, item: UUID = ITEM, type: str = NEWS, epoch: int = 0) -> Incoming:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    envelope = Envelope(new_id(), type, "test", "item_x", now, TENANT, item, epoch, seq, None, "{}")
    return Incoming(Delivered("crm.item", "k", b"", {}, 0, seq, now), envelope)


def applied(result: Plan) -> list[int]:
    return [step.envelope.sequence for steps in result.rounds for step in steps]


@pytest.mark.parametrize(
    ("at", "position", "kind", "verdict"),
    [
        ((0, 0), (0, 1), NEWS, Verdict.NEXT),
        ((0, 4), (0, 5), NEWS, Verdict.NEXT),
        ((0, 4), (0, 6), NEWS, Verdict.TOO_EARLY),
        ((0, 0), (0, 2), NEWS, Verdict.TOO_EARLY),
        ((0, 4), (0, 4), NEWS, Verdict.STALE),
        ((0, 4), (0, 1), NEWS, Verdict.STALE),
        # The epoch comes before the sequence.
        ((0, 9), (1, 1), NEWS, Verdict.NEXT),
        ((0, 9), (1, 10), NEWS, Verdict.TOO_EARLY),
        ((1, 1), (0, 9), NEWS, Verdict.STALE),
        ((0, 9), (1, 3), SNAPSHOT, Verdict.REPLACES),
        ((1, 3), (0, 9), SNAPSHOT, Verdict.STALE),
        ((0, 4), (0, 9), SNAPSHOT, Verdict.REPLACES),
        ((0, 4), (0, 4), SNAPSHOT, Verdict.REPLACES),  # so a projection is rebuilt while everything runs
        ((0, 4), (0, 3), SNAPSHOT, Verdict.STALE),
        ((0, 0), (0, 0), SNAPSHOT, Verdict.REPLACES),
        ((0, 4), (0, 9), ERASED, Verdict.REPLACES),
        ((0, 4), (0, 2), ERASED, Verdict.REPLACES),
    ],
)
def test_judge(at: tuple[int, int], position: tuple[int, int], kind: str, verdict: Verdict) -> None:
    assert judge(Position(*at), Position(*position), kind) is verdict


def test_an_event_out_of_sequence_waits_for_nothing_but_a_key_that_waits() -> None:
    late = [replace(incoming(seq), in_sequence=False) for seq in (7, 9, 9)]
    free = plan(late, {})
    assert applied(free) == [7, 9, 9]
    assert (free.positions, free.newly_parked, free.stale) == ({}, {}, [])
    held = plan(late, {KEY: KeyState(Position(0, 6), parked=True)})
    assert applied(held) == []
    assert len(held.waiting) == 3


def test_rounds_hold_one_event_of_each_key() -> None:
    items = [new_id() for _ in range(3)]
    batch = [incoming(seq, item=item) for seq in (1, 2, 3) for item in items]
    result = plan(batch, {})
    assert [len(steps) for steps in result.rounds] == [3, 3, 3]
    assert all(len({step.envelope.aggregate_id for step in steps}) == 3 for steps in result.rounds)
    assert result.positions == {f"item:{item}": Position(0, 3) for item in items}


def test_a_gap_parks_the_key_and_all_that_follows_but_no_other_key() -> None:
    other = new_id()
    batch = [incoming(5), incoming(7), incoming(1, item=other), incoming(8), incoming(2, item=other)]
    result = plan(batch, {KEY: KeyState(Position(0, 4))})
    assert applied(result) == [5, 1, 2]
    assert [item.envelope.sequence for item in result.waiting] == [7, 8]
    assert result.newly_parked == {KEY: GAP}


def test_first_sight_in_the_middle_waits_for_a_snapshot() -> None:
    assert plan([incoming(3)], {}).newly_parked == {KEY: WAITS_FOR_SNAPSHOT}
    later_epoch = plan([incoming(3, epoch=1)], {KEY: KeyState(Position(0, 9))})
    assert later_epoch.newly_parked == {KEY: WAITS_FOR_SNAPSHOT}


def test_what_arrives_for_a_parked_key_waits_and_may_heal_it() -> None:
    parked = {KEY: KeyState(Position(0, 4), parked=True)}
    assert plan([incoming(7)], parked).healing == set()
    assert plan([incoming(5)], parked).healing == {KEY}
    assert plan([incoming(9, type=SNAPSHOT)], parked).healing == {KEY}
    assert applied(plan([incoming(5), incoming(6)], parked)) == []


def test_an_unseen_event_of_the_past_is_an_alarm_and_changes_nothing() -> None:
    late = incoming(2)
    result = plan([late], {KEY: KeyState(Position(0, 4))})
    assert result.stale == [late]
    assert (result.rounds, result.positions) == ([], {})


def test_a_snapshot_is_news_to_projections_only() -> None:
    ((step,),) = plan([incoming(9, type=SNAPSHOT)], {}).rounds
    assert (step.projections, step.reactions) == (True, False)


@given(st.permutations(range(1, 9)), st.integers(1, 8))
def test_whatever_the_order_of_arrival_only_the_unbroken_beginning_is_applied(order: list[int], cut: int) -> None:
    result = plan([incoming(seq) for seq in order[:cut]], {})
    done = applied(result)
    assert done == list(range(1, len(done) + 1))
    assert len(done) + len(result.waiting) + len(result.stale) == cut


def test_mentioned_ids_are_the_fields_that_say_so() -> None:
    data = {"customer_id": "cus_1", "deal_id": None, "id": "x", "name": "n", "lines": [{"customer_id": "cus_2"}]}
    assert mentioned_ids(data) == ["cus_1"]
    assert mentioned_ids([1]) == ()
