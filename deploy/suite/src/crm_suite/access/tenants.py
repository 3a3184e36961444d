"""What `crm tenants` does through the gateway, with an operator's key."""

import secrets
from dataclasses import dataclass
from typing import Any

import typer

from crm_suite.complaints import Complaint
from crm_suite.gateway_client import GatewayClient
from crm_suite.output import moment, say, show_json, show_table


@dataclass(frozen=True, slots=True)
class Tenants:
    """The routes under /v1/tenants, and how their answers are shown."""

    gateway: GatewayClient

    def create(self, slug: str, name: str, admin: str, *, as_json: bool) -> None:
        person = {
            "email": admin or f"admin@{slug}.example.com",
            "name": "Administrator",
            "password": "-".join(secrets.token_hex(3) for _ in range(3)),
        }
        body = {"slug": slug, "name": name or slug, "admin": person}
        made = self.gateway.ask("POST", "/v1/tenants", body)
        if as_json:
            show_json({**made, "admin": {"email": person["email"], "password": person["password"]}})
            return
        say(f"{made['name']} ({made['id']}) is open.")
        say(f"log-in   tenant {slug}, {person['email']}, {person['password']}")
        say(f"API key  {made['key']}")
        say("Password and key are shown this once; hand them on as passwords are handed on.", style="dim")

    def show_list(self, *, as_json: bool) -> None:
        found = self.gateway.all("/v1/tenants")
        if as_json:
            show_json(found)
            return
        rows = [(one["id"], one["slug"], one["name"], one["state"], moment(one["created_at"])) for one in found]
        show_table(("tenant", "short name", "name", "state", "since"), rows, whole=("tenant",))

    def show(self, tenant: str, *, as_json: bool) -> None:
        found = self._found(tenant)
        if as_json:
            show_json(found)
            return
        for name, value in found.items():
            say(f"{name.replace('_', ' '):12} {value}")

    def change(self, tenant: str, act: str, *, as_json: bool) -> None:
        changed = self.gateway.ask("POST", f"/v1/tenants/{self._found(tenant)['id']}/{act}")
        if as_json:
            show_json(changed)
        else:
            say(f"{changed['name']} ({changed['slug']}) is {changed['state']} now.")

    def close(self, tenant: str, *, yes: bool, as_json: bool) -> None:
        found = self._found(tenant)
        if not yes:
            what = (
                f"{found['name']} ({found['slug']}) is closed: its people and keys are locked out at once, its work "
                "rests, and crm.tenant.closed.v1 tells every service and every follower of events to purge what they "
                "hold of it: customers and all about them, deals, orders, messages, tickets. The services do so after "
                "PURGE_AFTER_DAYS (30 unless set); until five days before, `crm tenants resume` brings it back. Then "
                "there is no way back but a backup. Close it?"
            )
            # Standard output is for data; a question goes where complaints go.
            typer.confirm(what, abort=True, err=True)
        self.change(found["id"], "close", as_json=as_json)

    def _found(self, tenant: str) -> dict[str, Any]:
        if tenant.startswith("ten_"):
            return self.gateway.ask("GET", f"/v1/tenants/{tenant}")
        found = [one for one in self.gateway.all("/v1/tenants") if one["slug"] == tenant]
        # A purged company's short name is free again; whoever has it now is meant.
        for one in sorted(found, key=lambda one: one["state"] == "closed"):
            return one
        raise Complaint(f"No company is called {tenant} here. `crm tenants list` shows all.")
