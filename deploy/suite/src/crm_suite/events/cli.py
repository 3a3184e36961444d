"""`crm events …`: what its options are; the work is beside it, imported when a command runs."""

from contextlib import suppress
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
replay = typer.Typer(
    help="Tell something once more. Published events are never published again: who has them would drop them.",
    no_args_is_help=True,
)
app.add_typer(parked, name="parked")
app.add_typer(replay, name="replay")

Service = Annotated[str, typer.Argument(help="The service where the key waits, such as sales-pipeline.")]
Key = Annotated[str, typer.Argument(help="The key as `list` shows it.")]
Types = Annotated[list[str], typer.Option("--type", help="Only this type, or types that begin so: crm.customer.*")]
Subject = Annotated[str, typer.Option(help="Only what is about this customer, deal, ticket …, by its id.")]
Lines = Annotated[bool, typer.Option("--json", help="Each event as one line of JSON.")]
_SINCE = "A time such as 2026-03-02T09:30:00Z; as far back as events are kept."


@app.command()
def tail(
    *,
    types: Types = [],  # noqa: B006 # typer's way to say: none given
    subject: Subject = "",
    since: Annotated[str, typer.Option("--from", help=f"Begin there instead of now. {_SINCE}")] = "",
    url: Url = "",
    key: ApiKey = "",
    as_json: Lines = False,
) -> None:
    """Show what happens as it happens. Ctrl-C ends it."""
    from crm_suite.events.following import Asked, Following  # noqa: PLC0415
    from crm_suite.gateway_client import connected  # noqa: PLC0415

    with connected(url, key) as gateway, suppress(KeyboardInterrupt):
        Following(gateway).tail(Asked(tuple(types), subject, since), as_json=as_json)


@app.command("list")
def list_events(
    *,
    types: Types = [],  # noqa: B006
    subject: Subject = "",
    since: Annotated[str, typer.Option("--from", help=f"Begin there instead of the oldest. {_SINCE}")] = "",
    url: Url = "",
    key: ApiKey = "",
    as_json: Lines = False,
) -> None:
    """Show what happened in the last days, and end."""
    from crm_suite.events.following import Asked, Following  # noqa: PLC0415
    from crm_suite.gateway_client import connected  # noqa: PLC0415

    with connected(url, key) as gateway:
        Following(gateway).kept(Asked(tuple(types), subject, since), as_json=as_json)


@replay.command("webhook")
def replay_webhook(
    webhook: Annotated[str, typer.Argument(help="The webhook's id.")],
    *,
    since: Annotated[str, typer.Option("--from", help=_SINCE)],
    types: Types = [],  # noqa: B006
    url: Url = "",
    key: ApiKey = "",
    as_json: Json = False,
) -> None:
    """Send events since a time to a webhook once more, beside what is new."""
    from crm_suite.events.replaying import Replaying  # noqa: PLC0415
    from crm_suite.gateway_client import connected  # noqa: PLC0415

    with connected(url, key) as gateway:
        Replaying(gateway).webhook(webhook, since, types, as_json=as_json)


@replay.command("customers")
def replay_customers(*, url: Url = "", key: ApiKey = "", as_json: Json = False) -> None:
    """Publish a snapshot of each customer, so that whoever keeps a copy of them makes it whole again."""
    from crm_suite.events.replaying import Replaying  # noqa: PLC0415
    from crm_suite.gateway_client import connected  # noqa: PLC0415

    with connected(url, key) as gateway:
        Replaying(gateway).state("customers", as_json=as_json)


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
