"""What `crm keys` does through the gateway; a key is made in, and seen from, the tenant of whoever asks."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import typer

from crm_shared.clock import SystemClock
from crm_suite.gateway_client import GatewayClient
from crm_suite.output import moment, say, show_json, show_table

_SPAN = re.compile(r"([1-9][0-9]{0,4})([hdw])")
_HOURS = {"h": 1, "d": 24, "w": 168}


@dataclass(frozen=True, slots=True)
class Keys:
    """The routes under /v1/api-keys, and how their answers are shown."""

    gateway: GatewayClient

    def create(self, name: str, roles: Sequence[str], expires: str, *, as_json: bool) -> None:
        ends = end_of(expires)
        body = {"name": name, **({"roles": list(roles)} if roles else {}), "expires_at": ends and ends.isoformat()}
        made = self.gateway.ask("POST", "/v1/api-keys", body)
        show_secret(made, f"{made['id']}, {', '.join(made['roles'])}", as_json=as_json)

    def show_list(self, *, as_json: bool) -> None:
        found = self.gateway.all("/v1/api-keys")
        if as_json:
            show_json(found)
            return
        rows = [
            (key["id"], key["name"], ", ".join(key["roles"]), moment(key["created_at"]), _end(key)) for key in found
        ]
        show_table(("key", "name", "roles", "made", "ends"), rows, whole=("key",))

    def rotate(self, key_id: str, overlap_hours: int, *, as_json: bool) -> None:
        made = self.gateway.ask("POST", f"{_path(key_id)}/rotate", {"overlap_hours": overlap_hours})
        show_secret(made, f"the old one holds until {moment(made['overlap_until'])}", as_json=as_json)

    def revoke(self, key_id: str, *, as_json: bool) -> None:
        gone = self.gateway.ask("POST", f"{_path(key_id)}/revoke")
        if as_json:
            show_json(gone)
        else:
            say(f"{gone['id']} ({gone['name']}) opens nothing any more.")


def show_secret(made: dict[str, Any], about: str, *, as_json: bool) -> None:
    """A new secret, which is nowhere else: alone on a line, so that it can be copied whole."""
    if as_json:
        show_json(made)
        return
    say(str(made["key"]))
    say(f"Shown this once; keep it as a password is kept ({about}).", style="dim")


def end_of(text: str) -> datetime | None:
    """The time that a span (`90d`, `12h`, `2w`) or a date means; None for no end."""
    if not text:
        return None
    span = _SPAN.fullmatch(text)
    if span:
        return SystemClock().now() + timedelta(hours=int(span[1]) * _HOURS[span[2]])
    try:
        date = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text} is neither a span such as 90d nor a date such as 2030-01-31.") from None
    return date if date.tzinfo else date.replace(tzinfo=UTC)


def _end(key: dict[str, Any]) -> str:
    if key["revoked_at"]:
        return f"revoked {moment(key['revoked_at'])}"
    return moment(key["expires_at"]) or "never"


def _path(key_id: str) -> str:
    return f"/v1/api-keys/{quote(key_id, safe='')}"
