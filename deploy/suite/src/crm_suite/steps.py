"""Progress a person can follow: one line per step, with the seconds it took."""

import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console


@dataclass
class Note:
    """What a step found out, shown behind its name."""

    text: str = ""


@dataclass
class Steps:
    """Steps on a console. On a terminal the running one turns; elsewhere each is a line when it is done."""

    console: Console
    taken_s: dict[str, float] = field(default_factory=dict[str, float])

    @contextmanager
    def step(self, name: str) -> Generator[Note]:
        started = time.monotonic()
        note = Note()
        try:
            with self.console.status(name):
                yield note
        except BaseException:
            self.console.print(f"[red]✗[/red] {name}", highlight=False)
            raise
        seconds = self.taken_s[name] = time.monotonic() - started
        remark = f" [dim]{note.text}[/dim]" if note.text else ""
        self.console.print(f"[green]✓[/green] {name}{remark} [dim]{seconds:.1f} s[/dim]", highlight=False)
