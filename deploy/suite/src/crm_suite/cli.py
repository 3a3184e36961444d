"""The `crm` command. Each subcommand imports what it runs only when it runs, so that `crm --help` answers at once."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from crm_suite.events.cli import app as events

app = typer.Typer(
    name="crm",
    help="Corkscrew: run the suite, play its demo, look after it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(events, name="events")


@app.command()
def up(*, quiet: Annotated[bool, typer.Option(help="No table at the end of the start.")] = False) -> None:
    """Run the whole suite on this machine until Ctrl-C. PORT, HOST and CRM_HOME change where; data is kept."""
    from crm_suite.allinone.up import CannotStart, Wish  # noqa: PLC0415
    from crm_suite.allinone.up import up as run  # noqa: PLC0415

    try:
        run(Console(), Wish.from_environment(table=not quiet))
    except CannotStart as reason:
        _complain(str(reason))


Customers = Annotated[int, typer.Option(min=100, max=23_570, help="How many customers of the purchase log take part.")]
Seed = Annotated[int, typer.Option(min=0, max=2**31, help="The same seed tells the same story.")]


@app.command()
def demo(customers: Customers = 23_570, seed: Seed = 1) -> None:
    """Play the closed loop on real purchase data, through the gateway (starts the suite if none is running)."""
    from crm_suite.demo.play import CannotPlay, Wish, play  # noqa: PLC0415

    try:
        play(Console(), Wish(customers, seed))
    except CannotPlay as reason:
        _complain(str(reason))


@app.command()
def migrate() -> None:
    """Bring the embedded databases up to date without starting the suite."""
    from crm_suite.allinone.upkeep import CannotMigrate, migrate_embedded  # noqa: PLC0415

    try:
        migrate_embedded(Console())
    except CannotMigrate as reason:
        _complain(str(reason))


@app.command()
def backup(file: Annotated[Path, typer.Argument(help="A new file.")]) -> None:
    """Save all data of this installation in one file, with the suite running or stopped."""
    from crm_suite.backup.archive import CannotBackUp  # noqa: PLC0415
    from crm_suite.backup.saving import back_up  # noqa: PLC0415

    try:
        back_up(Console(), file)
    except CannotBackUp as reason:
        _complain(str(reason))


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="What `crm backup` made.")],
    *,
    force: Annotated[bool, typer.Option("--force", help="Replace the data that is here, for good.")] = False,
) -> None:
    """Bring this installation back to what it was when the backup was made."""
    from crm_suite.backup.archive import CannotRestore  # noqa: PLC0415
    from crm_suite.backup.restoring import restore as run  # noqa: PLC0415

    try:
        run(Console(), file, force=force)
    except CannotRestore as reason:
        _complain(str(reason))


@app.command()
def doctor() -> None:
    """Look at this machine and at the running suite, and say what is wrong and what to do about it."""
    from crm_suite.doctor import examine  # noqa: PLC0415

    raise typer.Exit(0 if examine(Console()) else 1)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True}, add_help_option=False)
def bench(asked: typer.Context) -> None:
    """Measure what this suite promises (NAME or `all`; --json, --short). Exit 1: a bar is missed. Needs a checkout."""
    from crm_suite.benchmarks import NoCheckout, run_benchmarks  # noqa: PLC0415

    try:
        raise typer.Exit(run_benchmarks(asked.args))
    except NoCheckout as reason:
        _complain(str(reason))


def main() -> None:
    app()


def _complain(sentence: str) -> None:
    Console(stderr=True).print(sentence, style="red", highlight=False, soft_wrap=True)
    raise typer.Exit(1)
