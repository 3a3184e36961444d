"""Standard output is for what was asked for, standard error for what went wrong; a pipe gets no colour."""

import sys
from collections.abc import Iterable, Sequence
from typing import Any

import orjson
from rich.console import Console
from rich.markup import escape
from rich.table import Table


def show_json(what: Any) -> None:
    """One object or array and nothing else, whatever the terminal is."""
    sys.stdout.buffer.write(orjson.dumps(what, option=orjson.OPT_APPEND_NEWLINE))
    sys.stdout.buffer.flush()


def show_table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, whole: Sequence[str] = ()) -> None:
    """A table of plain text; the columns in `whole` are never broken, so that they can be copied."""
    table = Table(show_edge=False, pad_edge=False)
    for column in columns:
        table.add_column(column, no_wrap=column in whole, overflow="fold")
    for row in rows:
        table.add_row(*map(escape, row))
    Console(highlight=False).print(table)


def say(sentence: str, *, style: str | None = None) -> None:
    """One line for a person."""
    Console().print(sentence, style=style, highlight=False, markup=False, soft_wrap=True)


def complain(sentence: str) -> None:
    """One line about what went wrong."""
    Console(stderr=True).print(sentence, style="red", highlight=False, markup=False, soft_wrap=True)


def moment(text: str | None) -> str:
    """A time as the API gives it, short enough for a table."""
    return text[:19].replace("T", " ") if text else ""
