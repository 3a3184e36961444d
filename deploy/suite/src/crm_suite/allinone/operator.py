"""What an operator does to a suite that runs on this machine."""

from crm_shared.clock import SystemClock
from crm_shared.db.embedded import EmbeddedPostgres
from crm_shared.db.outbox import flush_outbox
from crm_shared.db.pool import Database
from crm_shared.db.walls import Roles
from crm_suite.allinone.databases import Server
from crm_suite.allinone.home import Home
from crm_suite.tenancy import Access, ensure_tenant
from crm_suite.topology import GATEWAY


async def open_tenant(home: Home, slug: str, name: str) -> Access:
    """Open another tenant in the running suite of this folder."""
    server = Server(EmbeddedPostgres(home.postgres))
    url = server.url(GATEWAY, Roles.of(GATEWAY).app)
    database = await Database.open(url, GATEWAY, size=1, flush=flush_outbox)
    try:
        access = Access.new(slug, name)
        await ensure_tenant(database, access, now=SystemClock().now())
        return access
    finally:
        await database.close()
