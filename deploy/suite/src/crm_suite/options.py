"""Options that mean the same in every command that has them."""

from typing import Annotated

import typer

Url = Annotated[
    str, typer.Option("--url", envvar="CRM_URL", help="A gateway's address; the suite that runs here when left out.")
]
ApiKey = Annotated[
    str,
    typer.Option("--key", envvar="CRM_KEY", help="An API key of it; the one kept here when both are left out."),
]
Json = Annotated[bool, typer.Option("--json", help="JSON on standard output and nothing else.")]
Yes = Annotated[bool, typer.Option("--yes", help="Don't ask.")]
