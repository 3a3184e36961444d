"""The embedded server's databases: one per service and one for the bus, made and migrated at each start."""

import asyncio
from dataclasses import dataclass
from typing import Any

from crm_gateway.settings import GatewaySettings
from crm_shared.db.embedded import EmbeddedPostgres
from crm_shared.db.migrations import upgrade
from crm_shared.db.provision import ensure_database, ensure_extensions
from crm_shared.db.walls import Roles
from crm_shared.http.auth import TokenSigner
from crm_shared.runtime import Service
from crm_shared.settings import ServiceSettings
from crm_suite.allinone.home import Keys
from crm_suite.topology import BUS_DATABASE, NAMES, Suite, database_of


@dataclass(frozen=True, slots=True)
class Server:
    """A PostgreSQL server where we are the administrator."""

    postgres: EmbeddedPostgres

    def url(self, service: str, role: str) -> str:
        return self.postgres.url(database_of(service), role=role)

    def bus_url(self) -> str:
        return self.url(BUS_DATABASE, Roles.of(BUS_DATABASE).owner)

    @property
    def background_roles(self) -> frozenset[str]:
        """Those of the workers, and of the bus, which only they use."""
        return frozenset({Roles.of(BUS_DATABASE).owner, *(Roles.of(name).worker for name in NAMES)})

    def environment(self, service: str) -> dict[str, str]:
        """A service's databases, as settings of its processes."""
        roles = Roles.of(service)
        return {
            "DATABASE_URL": self.url(service, roles.app),
            "WORKER_DATABASE_URL": self.url(service, roles.worker),
            "OWNER_DATABASE_URL": self.url(service, roles.owner),
        }

    def settings(self, service: Service, keys: Keys) -> ServiceSettings:
        return ServiceSettings.model_validate(self._values(service, keys))

    def gateway_settings(self, service: Service, keys: Keys) -> GatewaySettings:
        own = {"internal_private_jwk": keys.signing_key, "access_log": False}
        return GatewaySettings.model_validate(self._values(service, keys) | own)

    def _values(self, service: Service, keys: Keys) -> dict[str, Any]:
        return {
            **{name.lower(): value for name, value in self.environment(service.name).items()},
            "bus_url": self.bus_url(),
            "internal_jwks": TokenSigner.from_jwk(keys.signing_key).public_jwks(),
            "cursor_secret": keys.cursor_secret,
            "announce_commits": False,  # the second process is told through its own pipe
        }


async def make_databases(server: Server) -> None:
    """Create databases, roles and extensions where they are missing."""
    names = (*NAMES, BUS_DATABASE)
    # One after the other where rows of the shared catalogue are written, which concurrent sessions would fight over.
    for name in names:
        await ensure_database(server.postgres.url(), name, database_of(name))
    await asyncio.gather(*(ensure_extensions(server.postgres.url(database_of(name)), name) for name in names))


async def migrate(server: Server, suite: Suite) -> None:
    """Bring every database to this code's version."""
    for service in suite.services.values():
        await upgrade(service.schema, server.url(service.name, Roles.of(service.name).owner))
