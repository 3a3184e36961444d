"""Choosing sellers: fair, within capacity, and the same again."""

from collections import Counter
from dataclasses import replace
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from crm_sales_pipeline.assignment.domain import RULE_STRATEGIES, Candidate, Draw, Rule, Strategy, choose, rule_for


def candidate(number: int, load: int = 0, weight: int = 1, capacity: int | None = None) -> Candidate:
    return Candidate(UUID(int=number), load, weight, capacity)


def draw(strategy: Strategy, *candidates: Candidate, turn: int = 0, last: UUID | None = None, seed: int = 7) -> Draw:
    return Draw(strategy, seed, turn, last, candidates)


candidates = st.lists(
    st.builds(
        Candidate,
        seller=st.uuids(version=4),
        load=st.integers(0, 20),
        weight=st.integers(0, 5),
        capacity=st.one_of(st.none(), st.integers(0, 20)),
        active=st.booleans(),
    ),
    max_size=6,
    unique_by=lambda one: one.seller,
).map(tuple)
draws = st.builds(
    Draw,
    strategy=st.sampled_from(RULE_STRATEGIES),
    seed=st.integers(0, 2**63 - 1),
    turn=st.integers(0, 10**6),
    last_seller=st.one_of(st.none(), st.uuids(version=4)),
    candidates=candidates,
)


@given(draw=draws, shuffle=st.randoms(use_true_random=False))
def test_the_same_draw_gives_the_same_seller_in_whatever_order_candidates_are_listed(draw: Draw, shuffle) -> None:
    listed = list(draw.candidates)
    shuffle.shuffle(listed)
    assert choose(draw) == choose(replace(draw, candidates=tuple(listed)))


@given(draw=draws)
def test_nobody_is_chosen_who_could_not_take_it_and_somebody_is_if_anyone_can(draw: Draw) -> None:
    able = {one.seller for one in draw.candidates if one.refusal is None}
    chosen = choose(draw)
    assert chosen in able if able else chosen is None


def test_round_robin_gives_each_the_same_number() -> None:
    sellers = [candidate(number) for number in (1, 2, 3)]
    last: UUID | None = None
    given_to: Counter[UUID] = Counter()
    for _ in range(12):
        last = choose(draw(Strategy.ROUND_ROBIN, *sellers, last=last))
        assert last is not None
        given_to[last] += 1
    assert set(given_to.values()) == {4}


def test_round_robin_goes_on_when_the_last_seller_has_left() -> None:
    assert choose(draw(Strategy.ROUND_ROBIN, candidate(1), candidate(3), last=UUID(int=2))) == UUID(int=3)


def test_least_loaded_is_least_loaded() -> None:
    assert choose(draw(Strategy.LEAST_LOADED, candidate(1, load=2), candidate(2, load=1))) == UUID(int=2)


def test_weights_are_kept_to_over_many_turns() -> None:
    sellers = (candidate(1, weight=1), candidate(2, weight=3), candidate(3, weight=0))
    given_to = Counter(choose(draw(Strategy.WEIGHTED, *sellers, turn=turn)) for turn in range(4_000))
    assert UUID(int=3) not in given_to
    assert 0.70 < given_to[UUID(int=2)] / 4_000 < 0.80


def test_the_first_fitting_rule_by_priority_applies_and_partners_stay_with_theirs() -> None:
    general = Rule(
        id=UUID(int=1),
        name="all",
        priority=100,
        strategy=Strategy.ROUND_ROBIN,
        seed=1,
        sources=(),
        windows=(),
        partner=None,
        sellers=(),
        enabled=True,
        turn=0,
        last_seller=None,
        version=1,
    )
    urgent = replace(general, id=UUID(int=2), priority=1, windows=("now",))
    theirs = replace(general, id=UUID(int=3), partner="acme")
    off = replace(general, id=UUID(int=4), priority=0, enabled=False)
    rules = [general, urgent, theirs, off]
    assert rule_for(rules, source="web", window="now", partner=None) == urgent
    assert rule_for(rules, source="web", window="unknown", partner=None) == general
    assert rule_for(rules, source="web", window="now", partner="acme") == theirs
    assert rule_for(rules, source="web", window="now", partner="other") is None
