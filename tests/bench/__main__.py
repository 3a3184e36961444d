"""`python -m tests.bench NAME`, called by `crm bench`: runs one benchmark and shows its sheet; 1 = a bar is missed."""

import argparse
import importlib
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import uvloop
from rich.console import Console

from crm_suite.steps import Steps

from . import BENCHES
from .figures import Figure, Sheet
from .machine import describe
from .run import Run
from .table import page, show


def main() -> int:
    wish = _parser().parse_args()
    if wish.bench == "all":
        return _all()
    sheet = measure(wish.bench, short=wish.short)
    if wish.json:
        sys.stdout.buffer.write(orjson.dumps(sheet.as_json(), option=orjson.OPT_APPEND_NEWLINE))
    else:
        show(Console(), sheet)
    return 0 if sheet.held else 1


def measure(bench: str, *, short: bool) -> Sheet:
    """Run one benchmark, its progress on standard error."""
    module = importlib.import_module(f"tests.bench.{bench}")
    machine = describe()  # before the benchmark loads it
    folder = Path(tempfile.mkdtemp(prefix=f"crm-bench-{bench}-"))
    folder.chmod(0o755)  # PostgreSQL runs as a user of its own when we are root
    try:
        run = Run(Steps(Console(stderr=True)), folder, short)
        figures: list[Figure] = uvloop.run(module.measure(run))  # as every process of the suite runs
        return Sheet(bench, machine, [replace(figure, bar=None) for figure in figures] if short else figures)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _all() -> int:
    """Every benchmark, each in a fresh process; prints the table that docs/figures.md keeps."""
    sheets: list[dict[str, Any]] = []
    crashed: list[str] = []
    for bench in BENCHES:
        done = subprocess.run(
            [sys.executable, "-m", "tests.bench", bench, "--json"], stdout=subprocess.PIPE, check=False
        )
        if done.stdout:
            sheets.append(orjson.loads(done.stdout))
        else:
            crashed.append(bench)
    sys.stdout.write(page(sheets))
    if crashed:
        sys.stderr.write(f"no figures from: {', '.join(crashed)}\n")
    held = all(figure["held"] for sheet in sheets for figure in sheet["figures"])
    return 0 if held and not crashed else 1


def _parser() -> argparse.ArgumentParser:
    names = "\n".join(f"  {name:10} {meaning}" for name, meaning in BENCHES.items())
    parser = argparse.ArgumentParser(
        prog="crm bench",
        description="Measure what this suite promises. Exit 1 means that a bar is missed.",
        epilog=f"benchmarks:\n{names}\n  {'all':10} each of them, as the table that docs/figures.md keeps",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("bench", metavar="NAME", choices=[*BENCHES, "all"])
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    parser.add_argument("--short", action="store_true", help="the least work that proves the benchmark; holds no bar")
    return parser


if __name__ == "__main__":
    sys.exit(main())
