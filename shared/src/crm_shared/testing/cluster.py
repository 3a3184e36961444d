"""One embedded PostgreSQL server for a test run, with a migrated template of each service's database."""

import asyncio
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg

from crm_shared.db.embedded import EmbeddedPostgres
from crm_shared.db.migrations import Schema, upgrade
from crm_shared.db.provision import ensure_database, ensure_extensions, keep_to_itself
from crm_shared.db.walls import Roles


@dataclass(slots=True)
class Databases:
    """Connection URLs of one database by role."""

    name: str
    admin: str
    owner: str
    app: str
    worker: str


@dataclass(slots=True)
class Cluster:
    """A server that lives as long as the tests, and forgets all afterwards."""

    server: EmbeddedPostgres
    _templates: set[str] = field(default_factory=set[str])
    _made: int = 0

    @classmethod
    def start(cls) -> "Cluster":
        """A fresh server in a temporary folder."""
        folder = Path(tempfile.mkdtemp(prefix="crm-test-"))
        server = EmbeddedPostgres(folder / "pg", careless=True, settings={"shared_buffers": "64MB"})
        server.start()
        return cls(server)

    def stop(self) -> None:
        """Stop the server and delete its data."""
        self.server.stop()
        shutil.rmtree(self.server.data.parent, ignore_errors=True)
        shutil.rmtree(self.server.sockets, ignore_errors=True)

    async def database(self, schema: Schema) -> Databases:
        """A new database of this service, migrated as a real one would be."""
        template = f"template_{schema.service}"
        if template not in self._templates:
            await self._make_template(schema, template)
        self._made += 1
        name = f"{schema.service}_{self._made}"
        connection = await asyncpg.connect(self.server.url())
        try:
            await connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY FILE_COPY')
            await keep_to_itself(connection, Roles.of(schema.service), name)  # a copy doesn't take that along
        finally:
            await connection.close()
        return self.urls(name, schema.service)

    async def bare(self) -> str:
        """The URL of a new empty database, as the administrator."""
        self._made += 1
        name = f"bare_{self._made}"
        connection = await asyncpg.connect(self.server.url())
        try:
            await connection.execute(f'CREATE DATABASE "{name}"')
        finally:
            await connection.close()
        return self.server.url(name)

    def urls(self, name: str, service: str) -> Databases:
        """How the roles of `service` reach the database `name`."""
        roles = Roles.of(service)
        url = self.server.url
        return Databases(
            name, url(name), url(name, role=roles.owner), url(name, role=roles.app), url(name, role=roles.worker)
        )

    async def _make_template(self, schema: Schema, template: str) -> None:
        await ensure_database(self.server.url(), schema.service, template)
        await ensure_extensions(self.server.url(template), schema.service)
        await upgrade(schema, self.server.url(template, role=Roles.of(schema.service).owner))
        self._templates.add(template)


async def started() -> Cluster:
    """`Cluster.start`, off the event loop."""
    return await asyncio.to_thread(Cluster.start)
