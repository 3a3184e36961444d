"""Where this installation's parts are: of the suite that runs on this folder, or named by the environment.

For separate processes either the variables of one process (`DATABASE_URL`, …, with `SERVICE` naming whose, as an image
has them) or those of all, each service's with its name before it: `CUSTOMER_WORKER_DATABASE_URL`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from crm_shared.db.embedded import EmbeddedPostgres
from crm_shared.db.walls import Roles
from crm_suite.allinone.databases import Server
from crm_suite.allinone.home import Home
from crm_suite.topology import NAMES

_ROLES = ("OWNER_", "WORKER_", "")
"""Whom to ask first: the owner sees all, a worker what its work needs, the app nothing of what waits."""


@dataclass(frozen=True, slots=True)
class Places:
    """Addresses; what is not known is empty. `logins` are the URLs that serve requests and effects."""

    embedded: bool = False
    databases: Mapping[str, str] = field(default_factory=dict[str, str])
    logins: Mapping[str, list[str]] = field(default_factory=dict[str, list[str]])
    bus: str = ""
    gateway: str = ""


def find_places(home: Home, environment: Mapping[str, str]) -> Places:
    """What there is to look at."""
    named = {name: urls for name in NAMES if (urls := _named(name, environment))}
    if named:
        return Places(
            databases={name: next(iter(urls.values())) for name, urls in named.items()},
            logins={name: [url for role, url in urls.items() if role != "OWNER_"] for name, urls in named.items()},
            bus=environment.get("BUS_URL", ""),
            gateway=environment.get("CRM_URL", ""),
        )
    if not home.is_locked():
        return Places(gateway=environment.get("CRM_URL", ""))
    server = Server(EmbeddedPostgres(home.postgres))
    running = home.running() or {}
    return Places(
        embedded=True,
        databases={name: server.url(name, Roles.of(name).owner) for name in NAMES},
        logins={
            name: [server.url(name, Roles.of(name).app), server.url(name, Roles.of(name).worker)] for name in NAMES
        },
        bus=server.bus_url(),
        gateway=environment.get("CRM_URL") or running.get("url", ""),
    )


def _named(service: str, environment: Mapping[str, str]) -> dict[str, str]:
    """A service's database URLs by role, the one that sees most first."""
    prefix = service.replace("-", "_").upper() + "_"
    own = environment.get("SERVICE", "gateway") in {service, NAMES[service]}
    urls: dict[str, str] = {}
    for role in _ROLES:
        variable = f"{role}DATABASE_URL"
        url = environment.get(prefix + variable) or (environment.get(variable) if own else None)
        if url:
            urls[role] = url
    return urls
