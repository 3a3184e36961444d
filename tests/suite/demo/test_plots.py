from rich.console import Console, RenderableType

from crm_suite.demo.plots import Bar, bar, bars, funnel, gauge, sparkline


def drawn(renderable: RenderableType) -> list[str]:
    console = Console(width=100, record=True, file=None, color_system=None)
    with console.capture() as caught:
        console.print(renderable)
    return [line.rstrip() for line in caught.get().splitlines()]


def test_a_bar_is_exact_to_an_eighth() -> None:
    assert bar(10, 10, 4) == "████"
    assert bar(5, 10, 4) == "██"
    assert bar(1, 32, 4) == "▏"
    assert bar(3, 8, 1) == "▍"


def test_a_bar_never_hides_what_is_there_nor_shows_what_is_not() -> None:
    assert bar(1, 1_000_000, 10) == "▏"
    assert bar(0, 10, 10) == ""
    assert bar(-3, 10, 10) == ""
    assert bar(3, 0, 10) == ""
    assert bar(20, 10, 3) == "███"


def test_bars_show_label_value_and_length() -> None:
    lines = drawn(bars("Revenue", [Bar("mail", 10, "$10"), Bar("letter", 5, "$5")], width=10))
    assert lines[0] == "Revenue"
    assert "mail" in lines[1]
    assert "█" * 10 in lines[1]
    assert lines[1].endswith("$10")
    assert "█" * 5 in lines[2]
    assert "█" * 6 not in lines[2]


def test_a_funnel_shows_each_step_against_the_one_before() -> None:
    lines = drawn(funnel("Funnel", [("sent", 1_000), ("clicked", 100), ("bought", 25)]))
    assert lines[1].endswith("1,000")
    assert lines[2].endswith("10.0%")
    assert lines[3].endswith("25.0%")


def test_an_empty_funnel_is_still_a_funnel() -> None:
    assert drawn(funnel("Funnel", [("sent", 0), ("clicked", 0)]))[1].endswith("0")
    assert drawn(bars("Nothing", [])) == ["Nothing"]


def test_a_gauge_marks_its_target() -> None:
    assert gauge(0.8, 0.5, width=10).plain == "█████┃██░░ 80.0% (target 50%)"
    assert gauge(0, 1, width=4).plain == "░░░┃ 0.0% (target 100%)"


def test_a_sparkline_runs_from_the_lowest_to_the_highest() -> None:
    assert sparkline([0, 7]) == "▁█"
    assert sparkline([3, 3, 3]) == "▁▁▁"
    assert sparkline([]) == ""
