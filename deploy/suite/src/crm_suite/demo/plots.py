"""Small plots for a terminal, made of block characters. Everything returns rich renderables; nothing prints."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.table import Table
from rich.text import Text

_EIGHTHS = " ▏▎▍▌▋▊▉█"
_LEVELS = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True, slots=True)
class Bar:
    """One row of a plot; `shown` is the value as a person reads it."""

    label: str
    value: float
    shown: str
    style: str = "cyan"


def bar(value: float, top: float, width: int) -> str:
    """A bar of up to `width` characters, exact to an eighth of one; more than nothing is never drawn as nothing."""
    if top <= 0 or value <= 0:
        return ""
    eighths = max(1, round(min(value / top, 1) * width * 8))
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()


def bars(title: str, rows: Sequence[Bar], *, width: int = 36) -> Table:
    """Rows against the longest of them."""
    top = max((row.value for row in rows), default=0)
    table = _bare(title)
    for row in rows:
        table.add_row(row.label, Text(bar(row.value, top, width), style=row.style), row.shown)
    return table


def funnel(title: str, steps: Sequence[tuple[str, int]], *, width: int = 44) -> Table:
    """Steps of a funnel, centred, each with its share of the step before."""
    top = max((count for _, count in steps), default=0)
    table = _bare(title)
    table.columns[1].justify = "center"
    before: int | None = None
    for label, count in steps:
        share = f"{count / before:6.1%}" if before else ""
        # Whole characters only: a partial block can't be centred.
        drawn = "█" * max(1, round(count / top * width)) if count and top else ""
        table.add_row(label, Text(drawn, style="magenta"), f"{count:>7,}  {share}")
        before = count
    return table


def gauge(share: float, target: float, *, width: int = 30) -> Text:
    """A share of 1 with a mark at its target: green when reached."""
    filled = round(min(max(share, 0), 1) * width)
    mark = min(round(target * width), width - 1)
    style = "green" if share >= target else "red"
    text = Text()
    for place in range(width):
        text.append("┃" if place == mark else "█" if place < filled else "░", style="bold" if place == mark else style)
    return text.append(f" {share:.1%} (target {target:.0%})", style=style)


def sparkline(values: Sequence[float]) -> str:
    """One character per value, from the lowest to the highest."""
    if not values:
        return ""
    low, high = min(values), max(values)
    if high == low:
        return _LEVELS[0] * len(values)
    return "".join(_LEVELS[round((value - low) / (high - low) * (len(_LEVELS) - 1))] for value in values)


def _bare(title: str) -> Table:
    table = Table(
        title=title, title_justify="left", title_style="bold", box=None, show_header=False, padding=(0, 2, 0, 0)
    )
    table.add_column(style="bold", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    return table
