"""Progress a person can follow: one line per step, with the seconds it took."""

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn


@dataclass
class Note:
    """What a step found out, shown behind its name; `advance` moves the bar of a counted step."""

    text: str = ""
    advance: Callable[[float], None] = lambda _: None


@dataclass
class Steps:
    """Steps on a console. On a terminal the running one turns; elsewhere each is a line when it is done."""

    console: Console
    taken_s: dict[str, float] = field(default_factory=dict[str, float])

    @contextmanager
    def step(self, name: str, *, total: int | None = None) -> Generator[Note]:
        """One step; with a total it shows a bar."""
        started = time.monotonic()
        note = Note()
        try:
            with self._shown(name, total, note):
                yield note
        except BaseException:
            self.console.print(f"[red]✗[/red] {name}", highlight=False)
            raise
        seconds = self.taken_s[name] = time.monotonic() - started
        remark = f" [cyan]{note.text}[/cyan]" if note.text else ""
        self.console.print(f"[green]✓[/green] {name}{remark} [dim]{seconds:.1f} s[/dim]", highlight=False)

    @contextmanager
    def _shown(self, name: str, total: int | None, note: Note) -> Generator[None]:
        if not self.console.is_terminal:
            yield
            return
        if total is None:
            with self.console.status(name):
                yield
            return
        columns = (SpinnerColumn(), TextColumn(name), BarColumn(), MofNCompleteColumn())
        with Progress(*columns, console=self.console, transient=True) as progress:
            task = progress.add_task(name, total=total)
            note.advance = lambda count: progress.advance(task, count)
            yield
