"""The migrated database is what the tables say."""

from crm_customer.app import SERVICE
from crm_shared.db.migrations import drift
from crm_shared.testing.kit import ServiceKit


async def test_the_migrations_say_what_the_tables_say(kit: ServiceKit) -> None:
    assert list(await drift(SERVICE.schema, kit.urls.owner)) == []
