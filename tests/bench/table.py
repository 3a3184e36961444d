"""Sheets as a person reads them: a table in the terminal, and the page that `docs/figures.md` keeps."""

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from .figures import Sheet


def show(console: Console, sheet: Sheet) -> None:
    """One sheet as a table, missed bars in red."""
    table = Table(title=f"{sheet.bench} — {sheet.machine}", show_edge=False, pad_edge=False, title_justify="left")
    table.add_column("figure", style="bold")
    table.add_column("value", justify="right", no_wrap=True)
    table.add_column("unit", style="dim")
    table.add_column("bar", justify="right", no_wrap=True)
    table.add_column("")
    for figure in sheet.figures:
        held = "" if figure.bar is None else "[green]held[/green]" if figure.held else "[red]missed[/red]"
        table.add_row(figure.name, spoken(figure.value), figure.unit, str(figure.bar or ""), held)
    console.print(table)


def page(sheets: Sequence[dict[str, Any]]) -> str:
    """The markdown table of several sheets, as read back from their JSON, with the command beside each figure."""
    lines = ["| figure | value | bar | held | command |", "| --- | --- | --- | --- | --- |"]
    for sheet in sheets:
        for figure in sheet["figures"]:
            held = "" if figure["bar"] is None else "yes" if figure["held"] else "**no**"
            value = f"{spoken(figure['value'])} {figure['unit']}".strip()
            lines.append(
                f"| {figure['name']} | {value} | {figure['bar'] or ''} | {held} | `crm bench {sheet['bench']}` |"
            )
    return "\n".join(lines) + "\n"


def spoken(value: float) -> str:
    """Three digits that matter; thousands apart."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:,.3g}"
