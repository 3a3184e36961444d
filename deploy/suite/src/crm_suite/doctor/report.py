"""What was found, for a person or a program."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from crm_suite.doctor.finding import Finding, Severity
from crm_suite.output import show_json

_MARKS = {
    Severity.FINE: "[green]✓[/green]",
    Severity.NOTE: "[dim]–[/dim]",
    Severity.WARNING: "[yellow]![/yellow]",
    Severity.ERROR: "[red]✗[/red]",
}


def show(findings: Sequence[Finding], *, as_json: bool) -> None:
    """All findings: one object, or a table whose rows say what to do."""
    counts = Counter(finding.severity for finding in findings)
    if as_json:
        told = {each.value: counts[each] for each in Severity}
        show_json({"findings": [asdict(finding) for finding in findings], "counts": told})
        return
    table = Table(show_edge=False, pad_edge=False)
    table.add_column("")
    table.add_column("check", style="bold", no_wrap=True)
    table.add_column("of", no_wrap=True)
    table.add_column("found", overflow="fold")
    for finding in findings:
        table.add_row(_MARKS[finding.severity], finding.check, escape(finding.subject), _told(finding))
    console = Console(highlight=False)
    console.print(table)
    console.print(f"\n{counts[Severity.ERROR]} errors, {counts[Severity.WARNING]} warnings.")


def _told(finding: Finding) -> str:
    seen = escape(finding.seen)
    if finding.severity is Severity.FINE:
        return seen
    return f"{seen}\n[dim]{escape(finding.why)}[/dim]\n→ {escape(finding.remedy)}"
