"""Upkeep of the embedded databases while no suite runs on them."""

import asyncio

from rich.console import Console

from crm_suite.allinone.databases import Server, make_databases, migrate
from crm_suite.allinone.home import AlreadyRunning, Home
from crm_suite.allinone.running import postgres_running
from crm_suite.complaints import Complaint
from crm_suite.steps import Steps
from crm_suite.topology import load_suite


class CannotMigrate(Complaint):
    """The databases are in use; the text says by whom."""


def migrate_embedded(console: Console) -> None:
    """Bring the databases of this folder up to date.

    Raises:
        CannotMigrate: a suite runs on them (it migrated them when it started).
    """
    home = Home.chosen()
    try:
        home.lock()
    except AlreadyRunning as other:
        raise CannotMigrate(
            f"The suite runs (process {other.pid or 'unknown'}) and migrated its databases when it started."
        ) from None
    try:
        asyncio.run(_migrate(home, Steps(console)))
    finally:
        home.release()


async def _migrate(home: Home, steps: Steps) -> None:
    suite = load_suite()
    async with postgres_running(home) as postgres:
        server = Server(postgres)
        with steps.step("databases"):
            await make_databases(server)
        with steps.step("migrations"):
            await migrate(server, suite)
