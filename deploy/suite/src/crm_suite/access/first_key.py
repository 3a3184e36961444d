"""`crm keys bootstrap`: where no key is yet, the gateway's database is the only door."""

import asyncio
import os

from crm_gateway.identity.first_operator import OperatorKey, make_operator_key
from crm_shared.clock import SystemClock
from crm_shared.db.away import FAILED
from crm_shared.db.embedded import EmbeddedPostgres
from crm_shared.db.walls import Roles
from crm_shared.errors import CrmError
from crm_shared.ids import public_id
from crm_suite.access.keys import end_of, show_secret
from crm_suite.allinone.databases import Server
from crm_suite.allinone.home import Home
from crm_suite.complaints import Complaint, NotRunning
from crm_suite.topology import GATEWAY


def bootstrap(tenant: str, name: str, expires: str, *, as_json: bool) -> None:
    """Make an operator's key and show it once."""
    url, ends = _database(), end_of(expires)
    making = make_operator_key(url, slug=tenant, name=name, expires_at=ends, now=SystemClock().now())
    try:
        made = asyncio.run(making)
    except CrmError as refusal:
        raise Complaint(f"No key was made. {refusal.detail}") from None
    except FAILED as fault:
        raise NotRunning(f"No key was made: the gateway's database says {fault}. `crm doctor` looks closer.") from None
    show_secret(_shown(made), f"an operator's, of the tenant {made.tenant.slug}", as_json=as_json)


def _database() -> str:
    for variable in ("GATEWAY_DATABASE_URL", "DATABASE_URL"):
        if os.environ.get(variable):
            return os.environ[variable]
    home = Home.chosen()
    if not home.is_locked():
        raise NotRunning(
            f"No suite runs on {home.folder}, and neither GATEWAY_DATABASE_URL nor DATABASE_URL names the gateway's "
            "database. Start the suite (`crm up`), or set one to a URL of its app role."
        )
    return Server(EmbeddedPostgres(home.postgres)).url(GATEWAY, Roles.of(GATEWAY).app)


def _shown(made: OperatorKey) -> dict[str, object]:
    return {
        "id": public_id("key", made.key.id),
        "name": made.key.name,
        "roles": [role.value for role in made.key.roles],
        "tenant": {"id": public_id("ten", made.tenant.id), "slug": made.tenant.slug},
        "expires_at": made.key.expires_at,
        "key": made.text,
    }
