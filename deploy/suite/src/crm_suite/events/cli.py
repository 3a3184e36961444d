"""`crm events parked …`: what its options are; the work is beside it, imported when a command runs."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

    from crm_suite.events.parked import Parked

from crm_suite.options import ApiKey, Json, Url

app = typer.Typer(help="Look after events.", no_args_is_help=True)
parked = typer.Typer(
    help="Events that wait because they can't be applied or sent. Exit 1: it could not be done; the reason is said.",
    no_args_is_help=True,
)
app.add_typer(parked, name="parked")

Service = Annotated[str, typer.Argument(help="The service where the key waits, such as sales-pipeline.")]
Key = Annotated[str, typer.Argument(help="The key as `list` shows it.")]


@parked.command("list")
def list_keys(
    *,
    service: Annotated[str, typer.Option(help="One service only.")] = "",
    url: Url = "",
    key: ApiKey = "",
    as_json: Json = False,
) -> None:
    """Show which keys wait, where, since when and why."""
    _run(url, key, lambda desk: desk.show_list(service, as_json=as_json))


@parked.command()
def inspect(
    service: Service,
    name: Key,
    *,
    content: Annotated[bool, typer.Option("--content", help="Show the messages too (needs its own scope).")] = False,
    url: Url = "",
    key: ApiKey = "",
    as_json: Json = False,
) -> None:
    """Show one key, what holds it back, and what was done to it."""
    _run(url, key, lambda desk: desk.show_key(service, name, content=content, as_json=as_json))


@parked.command()
def retry(
    service: Service,
    name: Key,
    *,
    reason: Annotated[str, typer.Option(help="Why it should work now; kept.")] = "retry",
    url: Url = "",
    key: ApiKey = "",
    as_json: Json = False,
) -> None:
    """Have a key tried now, and wait for what comes of it. Exit 1: it still waits."""
    _run(url, key, lambda desk: desk.retry(service, name, reason, as_json=as_json))


@parked.command()
def skip(
    service: Service,
    name: Key,
    *,
    reason: Annotated[str, typer.Option(help="Why the event may be given up; kept for good.")],
    url: Url = "",
    key: ApiKey = "",
    as_json: Json = False,
) -> None:
    """Give up the event that holds a key back. It can't be undone."""
    _run(url, key, lambda desk: desk.skip(service, name, reason, as_json=as_json))


def _run(url: str, key: str, act: "Callable[[Parked], bool]") -> None:
    from crm_suite.events.parked import Parked  # noqa: PLC0415
    from crm_suite.gateway_client import connected  # noqa: PLC0415

    with connected(url, key) as gateway:
        done = act(Parked(gateway))
    raise typer.Exit(0 if done else 1)
