"""What a person sees when the suite is up: where things are, how to get in, three lines to try."""

from collections.abc import Sequence
from dataclasses import dataclass
from shlex import quote

import orjson
from rich.console import Console
from rich.table import Table

from crm_suite.tenancy import Access


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the suite listens."""

    gateway: str
    mail_page: str
    smtp: str


FIRST_CUSTOMER = {
    "kind": "person",
    "category": "consumer",
    "given_name": "Grace",
    "family_name": "Hopper",
    "contact_points": [{"channel": "email", "value": "grace@example.com"}],
}


def curl_lines(addresses: Addresses, access: Access) -> list[str]:
    """Three requests that work when pasted into a shell."""
    key = f"-H {quote('Authorization: Bearer ' + access.api_key)}"
    body = orjson.dumps(FIRST_CUSTOMER).decode()
    return [
        f"curl -s {key} {addresses.gateway}/v1/me",
        f"curl -s {key} -H 'Content-Type: application/json' -d {quote(body)} {addresses.gateway}/v1/customers",
        f"curl -s {key} {quote(addresses.gateway + '/v1/customers?limit=3')}",
    ]


def welcome(console: Console, addresses: Addresses, access: Access, *, notes: Sequence[str]) -> None:
    table = Table(title="Corkscrew is up", title_style="bold", show_edge=False, pad_edge=False)
    table.add_column("what")
    table.add_column("where", no_wrap=True)
    table.add_column("how to get in")
    table.add_row("API", f"{addresses.gateway}/v1", "API key below")
    table.add_row("API reference", f"{addresses.gateway}/docs", "open")
    table.add_row("caught mail", addresses.mail_page, f"open; SMTP {addresses.smtp}")
    console.print()
    console.print(table)
    log_in = f"tenant {access.slug}, {access.email}, {access.password}"
    for what, value in (("API key", access.api_key), ("log-in", log_in)):
        console.print(f"[bold]{what:8}[/bold] {value}", highlight=False, soft_wrap=True)
    console.print("\nTry:", style="bold")
    for line in curl_lines(addresses, access):
        # Never wrapped: a line break in the middle would break the paste.
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    console.print()
    for note in notes:
        console.print(note, style="dim", highlight=False)
