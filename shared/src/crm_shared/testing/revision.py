"""Write a migration from the tables' difference to a freshly migrated, throw-away database.

python -m crm_shared.testing.revision crm_customer.app "add loyalty number"
python -m crm_shared.testing.revision --kernel crm_customer.app "add …"
"""

import argparse
import asyncio
import importlib

from crm_shared.db.migrations import autogenerate, upgrade
from crm_shared.db.provision import ensure_database, ensure_extensions
from crm_shared.db.walls import Roles
from crm_shared.runtime.service import Service
from crm_shared.testing.cluster import Cluster


async def _write(service: Service, message: str, *, kernel: bool) -> None:
    cluster = Cluster.start()
    try:
        name = "revision"
        await ensure_database(cluster.server.url(), service.name, name)
        await ensure_extensions(cluster.server.url(name), service.name)
        owner = cluster.server.url(name, role=Roles.of(service.name).owner)
        await upgrade(service.schema, owner)
        await autogenerate(service.schema, owner, message, kernel=kernel)
    finally:
        cluster.stop()


def main() -> None:
    """Read the arguments and write the version."""
    parser = argparse.ArgumentParser(description="Write a migration from the tables' difference to the migrations.")
    parser.add_argument("app", help="the module with SERVICE, such as crm_customer.app")
    parser.add_argument("message", help="what the migration does, in a few words")
    parser.add_argument("--kernel", action="store_true", help="of the kernel's tables instead of the service's")
    arguments = parser.parse_args()
    service: Service = importlib.import_module(arguments.app).SERVICE
    asyncio.run(_write(service, arguments.message, kernel=arguments.kernel))


if __name__ == "__main__":
    main()
