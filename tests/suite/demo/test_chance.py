from statistics import mean

from crm_suite.demo.chance import Chance


def test_the_same_question_has_the_same_answer() -> None:
    assert Chance(7).share("clicks", 12) == Chance(7).share("clicks", 12)
    assert Chance(7).share("clicks", 12) != Chance(8).share("clicks", 12)
    assert Chance(7).share("clicks", 12) != Chance(7).share("clicks", 13)


def test_questions_are_not_run_together() -> None:
    assert Chance(1).share("a", "bc") != Chance(1).share("ab", "c")


def test_shares_are_spread_evenly() -> None:
    drawn = [Chance(1).share("x", number) for number in range(10_000)]
    assert 0 <= min(drawn) < 0.001
    assert 0.999 < max(drawn) < 1
    assert abs(mean(drawn) - 0.5) < 0.01


def test_numbers_reach_both_ends() -> None:
    assert {Chance(1).number(1, 3, place) for place in range(100)} == {1, 2, 3}
