"""A bus without its topics, with a service that is far behind, and one that is away."""

import asyncpg

from crm_shared.bus.opening import open_bus
from crm_shared.bus.port import Record
from crm_shared.testing.cluster import Cluster
from crm_suite.doctor.bus import bus
from crm_suite.doctor.finding import Severity
from crm_suite.doctor.places import Places
from crm_suite.topology import load_suite


async def test_missing_topics_and_a_service_that_is_behind_are_found(cluster: Cluster) -> None:
    url = await cluster.bare()
    found = {finding.check: finding for finding in await bus(Places(bus=url))}
    assert found["topics"].severity is Severity.ERROR
    assert "worker" in found["topics"].remedy
    opened = await open_bus(url)
    await opened.ensure_topics(sorted({t for each in load_suite().services.values() for t in each.topics_published}))
    await opened.publish([Record("crm.customer", "key", b"")])
    await opened.aclose()
    connection = await asyncpg.connect(url)
    await connection.execute("UPDATE bus.record SET at = now() - interval '5 minutes'")
    await connection.close()
    findings = await bus(Places(bus=url))
    late = {finding.subject for finding in findings if finding.check == "consumer lag" and finding.is_bad()}
    assert "sales-pipeline" in late
    assert {finding.check for finding in findings if finding.is_bad()} == {"consumer lag"}


async def test_one_that_is_away_says_so() -> None:
    (away,) = await bus(Places(bus="kafka://127.0.0.1:9"))
    assert away.severity is Severity.ERROR
    assert "none is lost" in away.why
    (senseless,) = await bus(Places(bus="kafka://"))
    assert senseless.is_bad()
