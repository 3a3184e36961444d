"""A database on a server of one's own, from settings alone."""

import asyncpg

from crm_shared.db.migrations import upgrade
from crm_shared.db.provision import provision
from crm_shared.settings import ServiceSettings
from crm_shared.testing.cluster import Cluster
from crm_shared.testing.probe.app import SERVICE


async def test_provisioning_makes_all_that_migrations_need_and_may_be_repeated(cluster: Cluster) -> None:
    def url(role: str, password: str = "") -> str:
        plain = cluster.server.url("provisioned", role=role)
        return plain.replace("@", f":{password}@", 1) if password else plain

    settings = ServiceSettings(
        admin_database_url=cluster.server.url(),
        database_url=url("probe_app", "it%27s%20secret"),
        worker_database_url=url("probe_worker"),
        owner_database_url=url("probe_owner"),
    )
    for _ in range(2):
        await provision(SERVICE.name, settings)
    await upgrade(SERVICE.schema, settings.owner_database_url)
    admin = await asyncpg.connect(cluster.server.url())
    kept = await admin.fetchval("SELECT rolpassword LIKE 'SCRAM-SHA-256$%' FROM pg_authid WHERE rolname = 'probe_app'")
    await admin.close()
    app = await asyncpg.connect(settings.database_url)
    assert await app.fetchval("SELECT count(*) FROM note") == 0
    await app.close()
    assert kept is True
