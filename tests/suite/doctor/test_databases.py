"""Databases that are broken for real, each in its way, and what is said of each."""

import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from crm_gateway.app import SERVICE
from crm_shared.db.embedded import EmbeddedPostgres
from crm_shared.db.vitals import look_at_database
from crm_shared.ids import new_id
from crm_shared.testing.cluster import Cluster, Databases
from crm_suite.doctor import databases as looking
from crm_suite.doctor.databases import databases
from crm_suite.doctor.finding import Finding, Severity
from crm_suite.doctor.places import Places

PARKED = """
INSERT INTO consumer_key (tenant_id, key, epoch, seq, parked_at, reason) VALUES ($1, 'x:1', 0, 1, now(), 'gap')
"""


@pytest.fixture
async def urls(cluster: Cluster) -> Databases:
    return await cluster.database(SERVICE.schema)


async def findings(urls: Databases, **more: Any) -> dict[str, Finding]:
    places = Places(databases={"gateway": urls.owner}, logins={"gateway": [urls.app, urls.worker]}, **more)
    return {finding.check: finding for finding in await databases(places)}


@asynccontextmanager
async def administrator(urls: Databases) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(urls.admin)
    yield connection
    await connection.close()


def bad(found: dict[str, Finding]) -> dict[str, Severity]:
    return {check: finding.severity for check, finding in found.items() if finding.severity is not Severity.FINE}


async def test_a_sound_one_is_fine(urls: Databases) -> None:
    found = await findings(urls)
    assert bad(found) == {}
    assert found.keys() >= {"database", "PostgreSQL", "clock", "migrations", "outbox", "parked keys"}


async def test_a_migration_that_was_left_out_is_named_with_the_command(urls: Databases) -> None:
    async with administrator(urls) as connection:
        await connection.execute(
            "UPDATE alembic_version SET version_num = 'gateway_0001' WHERE version_num ~ 'gateway'"
        )
    pending = (await findings(urls))["migrations"]
    assert pending.severity is Severity.ERROR
    assert "gateway_0" in pending.seen
    assert pending.remedy == "python -m crm_gateway migrate"


async def test_one_that_newer_code_has_migrated_is_told_from_one_that_is_behind(urls: Databases) -> None:
    async with administrator(urls) as connection:
        await connection.execute(
            "UPDATE alembic_version SET version_num = 'gateway_9999' WHERE version_num ~ 'gateway'"
        )
    newer = (await findings(urls))["migrations"]
    assert newer.severity is Severity.WARNING
    assert "gateway_9999" in newer.seen


async def test_a_parked_key_is_counted_with_the_way_to_it(urls: Databases) -> None:
    async with administrator(urls) as connection:
        await connection.execute(PARKED, new_id())
    parked = (await findings(urls))["parked keys"]
    assert (parked.severity, parked.seen) == (Severity.ERROR, "1 wait")
    assert "crm events parked list --service gateway" in parked.remedy


async def test_an_event_that_nobody_publishes_is_late_after_a_minute(urls: Databases) -> None:
    async with administrator(urls) as connection:
        await connection.execute(
            "INSERT INTO outbox (tenant_id, event_id, aggregate, aggregate_id, epoch, seq, type, slot, subject, data, "
            "created_at) VALUES ($1, $1, 'tenant', $1, 0, 1, 'crm.tenant.created.v1', 0, 'x', '{}', "
            "now() - interval '2 minutes')",
            new_id(),
        )
    outbox = (await findings(urls))["outbox"]
    assert outbox.severity is Severity.ERROR
    assert "python -m crm_gateway worker" in outbox.remedy


async def test_a_process_that_logs_in_as_a_superuser_is_found(urls: Databases) -> None:
    assert bad(await findings(replace(urls, app=urls.admin))) == {"tenant wall": Severity.ERROR}


async def test_what_a_role_may_not_see_is_said_to_be_unseen(urls: Databases) -> None:
    async with administrator(urls) as connection:
        await connection.execute(PARKED, new_id())
    assert bad(await findings(replace(urls, owner=urls.worker))) == {"parked keys": Severity.ERROR}
    assert bad(await findings(replace(urls, owner=urls.app))) == {"events that wait": Severity.NOTE}


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("postgresql://x@127.0.0.1:9/crm_gateway", "nothing listens at 127.0.0.1:9"),
        ("postgresql://x@no-such-host.invalid/crm_gateway", "nobody knows the name"),
        ("postgresql:///nothing?host={sockets}&user=postgres", "has no database"),
    ],
)
async def test_one_that_can_not_be_reached_says_why(url: str, told: str, cluster: Cluster) -> None:
    there = url.format(sockets=cluster.server.sockets)
    (finding,) = await databases(Places(databases={"gateway": there}))
    assert finding.severity is Severity.ERROR
    assert told in finding.seen


async def test_a_server_that_was_stopped_is_away() -> None:
    folder = Path(tempfile.mkdtemp(prefix="crm-test-"))
    server = await EmbeddedPostgres(folder / "pg", careless=True).started()
    places = Places(embedded=True, databases={"gateway": server.url()})
    answering = await databases(places)
    server.stop()
    (away,) = await databases(places)
    shutil.rmtree(folder)
    shutil.rmtree(server.sockets, ignore_errors=True)
    assert "database" in {finding.check for finding in answering if finding.severity is Severity.FINE}
    assert away.severity is Severity.ERROR
    assert "start it again" in away.remedy


async def test_a_server_that_is_too_old_and_one_whose_clock_is_wrong_are_found(
    urls: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No such server is at hand: the answer of a real one is changed on its way."""
    real = await look_at_database(SERVICE.schema, urls.owner)
    assert abs(real.ahead_s) < 1

    async def changed(*_: object) -> Any:
        return replace(real, version=150_004, ahead_s=-45.0, sessions=99, most_sessions=100)

    monkeypatch.setattr(looking, "look_at_database", changed)
    assert bad(await findings(urls)) == {
        "PostgreSQL": Severity.ERROR, "clock": Severity.ERROR, "connections": Severity.WARNING,
    }  # fmt: skip
