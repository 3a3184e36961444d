"""What a person sees at the end of the demo: the funnel, money, service, and one customer's whole story."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from crm_suite.demo.acts.serving import SERVICE_LEVEL_S
from crm_suite.demo.figures import Figures
from crm_suite.demo.plots import Bar, bars, funnel, gauge
from crm_suite.demo.purchases import CURRENCY
from crm_suite.demo.stage import Stage

_SERVICE_TARGET = 0.8
_SHOWN_ENTRIES = 32
_TOUCHPOINTS = {"sales": "green", "marketing": "magenta", "service": "cyan", "record": "dim"}


def show(stage: Stage, console: Console) -> None:
    console.print()
    console.print(Panel(funnel_of(stage.figures), title="From segment to money", title_align="left"))
    console.print(Columns([Panel(money(stage.figures)), Panel(lifecycles(stage.figures))], equal=False))
    console.print(Panel(service(stage), title="Service", title_align="left"))
    console.print(Panel(story(stage), title=f"One customer, seen whole: {_name(stage)}", title_align="left"))


def funnel_of(figures: Figures) -> Table:
    return funnel(
        f"{figures.customers:,} customers with {figures.purchases:,} purchases",
        [
            ("in the segment", figures.segment),
            ("may be written to", figures.targeted),
            ("mail delivered", figures.accepted),
            ("clicked or answered", figures.clicks + figures.replies),
            ("talked to a seller", figures.contacted),
            ("deals and quotes", figures.quotes),
            ("orders, paid", figures.paid),
        ],
    )


def money(figures: Figures) -> Table:
    rows = [
        Bar("revenue", float(figures.revenue), _amount(figures.revenue), "green"),
        Bar("cost", float(figures.campaign_cost), _amount(figures.campaign_cost), "red"),
    ]
    table = bars("Campaign “Spring records”", rows, width=28)
    if figures.campaign_cost:
        table.add_row("return", "", f"{figures.revenue / figures.campaign_cost:,.1f} ×")
    return table


def lifecycles(figures: Figures) -> Table:
    return bars(
        "Lifecycle, after the campaign",
        [
            Bar(state.replace("_", " "), count, _moved(count, figures.states_before.get(state, 0)), "blue")
            for state, count in figures.states_after.items()
            if count or figures.states_before.get(state, 0)
        ],
        width=28,
    )


def service(stage: Stage) -> RenderableType:
    figures, total = stage.figures, stage.service["total"]
    levels = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    answered_in_time = total["service_level_of_offered"]
    if answered_in_time is not None:
        levels.add_row(f"answered within {SERVICE_LEVEL_S} s", gauge(answered_in_time, _SERVICE_TARGET))
    if total["sla_kept"] is not None:
        levels.add_row("tickets solved in time", gauge(total["sla_kept"], _SERVICE_TARGET))
    if figures.answers:
        levels.add_row("satisfied (4 or 5 of 5)", gauge(figures.satisfied / figures.answers, _SERVICE_TARGET))
    counts = f"{figures.interactions} calls and chats, {figures.abandoned} given up; {figures.tickets} tickets"
    scores = [
        Bar("★" * score, count, str(count), "yellow") for score, count in sorted(figures.scores.items(), reverse=True)
    ]
    return Group(Text(counts, style="dim"), levels, bars("Answers", scores, width=28))


def story(stage: Stage) -> RenderableType:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    shown = sorted(stage.timeline, key=lambda entry: entry["at"])
    left_out = len(shown) - _SHOWN_ENTRIES
    for entry in shown[-_SHOWN_ENTRIES:]:
        style = _TOUCHPOINTS.get(entry["touchpoint"], "")
        when = datetime.fromisoformat(entry["at"]).strftime("%Y-%m-%d %H:%M:%S")
        table.add_row(Text(when, style="dim"), Text("●", style=style), Text(entry["kind"], style=style), entry["title"])
    earlier = Text(f"… and {left_out} earlier entries" if left_out > 0 else "", style="dim")
    return Group(_parts(stage.overview), earlier, table)


def _parts(overview: dict[str, Any]) -> Text:
    """Which services answered for the 360 view."""
    text = Text("360 view: ")
    for name, part in overview["parts"].items():
        fine = part["status"] == "ok"
        text.append(f"{name} {'✓' if fine else part['status']}  ", style="green" if fine else "red")
    return text


def _name(stage: Stage) -> str:
    return stage.people[stage.star].display_name


def _moved(count: int, before: int) -> str:
    return f"{count:,}" + (f" ({count - before:+,})" if count != before else "")


def _amount(amount: Decimal) -> str:
    return f"{CURRENCY} {amount:,.2f}"
