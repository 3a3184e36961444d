"""The `crm` command. Each subcommand imports what it runs only when it runs, so that `crm --help` answers at once."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperGroup

from crm_suite.access.cli import keys, tenants
from crm_suite.complaints import Complaint
from crm_suite.events.cli import app as events
from crm_suite.options import Json
from crm_suite.output import complain

_ORDER = ("up", "demo", "doctor", "migrate", "keys", "tenants", "events", "bench", "backup", "restore")


class _InOrder(TyperGroup):
    """Commands in the order in which somebody comes to need them."""

    def list_commands(self, ctx: object) -> list[str]:
        del ctx
        return sorted(self.commands, key=_ORDER.index)


app = typer.Typer(
    name="crm",
    cls=_InOrder,
    help="Corkscrew: run the suite, play its demo, look after it.",
    epilog=(
        "Exit codes: 0 done; 1 something is wrong, and was said; 2 the command line makes no sense; "
        "3 nothing answers; 4 the key may not do this. Data goes to standard output, complaints to standard error."
    ),
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(keys, name="keys")
app.add_typer(tenants, name="tenants")
app.add_typer(events, name="events")


def _show_version(asked: bool) -> None:  # noqa: FBT001 # typer calls it so
    if asked:
        from importlib.metadata import version  # noqa: PLC0415

        typer.echo(f"crm {version('crm-suite')}")
        raise typer.Exit


@app.callback()
def crm(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """What every command shares."""


@app.command()
def up(*, quiet: Annotated[bool, typer.Option("--quiet", help="No table at the end of the start.")] = False) -> None:
    """Run the whole suite on this machine until Ctrl-C. PORT, HOST and CRM_HOME change where; data is kept."""
    from rich.console import Console  # noqa: PLC0415

    from crm_suite.allinone.up import Wish  # noqa: PLC0415
    from crm_suite.allinone.up import up as run  # noqa: PLC0415

    run(Console(), Wish.from_environment(table=not quiet))


Customers = Annotated[int, typer.Option(min=100, max=23_570, help="How many customers of the purchase log take part.")]
Seed = Annotated[int, typer.Option(min=0, max=2**31, help="The same seed tells the same story.")]


@app.command()
def demo(customers: Customers = 23_570, seed: Seed = 1) -> None:
    """Play the closed loop on real purchase data, through the gateway (starts the suite if none is running)."""
    from rich.console import Console  # noqa: PLC0415

    from crm_suite.demo.play import Wish, play  # noqa: PLC0415

    play(Console(), Wish(customers, seed))


@app.command()
def doctor(
    *,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings are failures, too.")] = False,
    as_json: Json = False,
) -> None:
    """Look at this machine, the databases, the bus and the gateway; say what is wrong and what to do. Exit 1: it is."""
    from crm_suite.doctor.examination import examine  # noqa: PLC0415
    from crm_suite.doctor.report import show  # noqa: PLC0415

    findings = examine()
    show(findings, as_json=as_json)
    raise typer.Exit(1 if any(finding.is_bad(strict=strict) for finding in findings) else 0)


@app.command()
def migrate() -> None:
    """Bring the embedded databases up to date without starting the suite."""
    from rich.console import Console  # noqa: PLC0415

    from crm_suite.allinone.upkeep import migrate_embedded  # noqa: PLC0415

    migrate_embedded(Console())


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True}, add_help_option=False)
def bench(asked: typer.Context) -> None:
    """Measure what this suite promises (NAME or `all`; --json, --short). Exit 1: a bar is missed. Needs a checkout."""
    from crm_suite.benchmarks import run_benchmarks  # noqa: PLC0415

    raise typer.Exit(run_benchmarks(asked.args))


@app.command()
def backup(file: Annotated[Path, typer.Argument(help="A new file.")]) -> None:
    """Save all data of this installation in one file, with the suite running or stopped."""
    from rich.console import Console  # noqa: PLC0415

    from crm_suite.backup.saving import back_up  # noqa: PLC0415

    back_up(Console(), file)


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="What `crm backup` made.")],
    *,
    force: Annotated[bool, typer.Option("--force", help="Replace the data that is here, for good.")] = False,
) -> None:
    """Bring this installation back to what it was when the backup was made."""
    from rich.console import Console  # noqa: PLC0415

    from crm_suite.backup.restoring import restore as run  # noqa: PLC0415

    run(Console(), file, force=force)


def main() -> None:
    """Run one command. What can't be done is one sentence on standard error, never a traceback."""
    try:
        app()
    except Complaint as reason:
        complain(str(reason))
        sys.exit(reason.exit_code)
    except Exception as fault:
        if os.environ.get("CRM_TRACE"):
            raise
        complain(f"{type(fault).__name__}: {fault}. That is a fault of this command; with CRM_TRACE=1 it says where.")
        sys.exit(1)
