"""The suite as ten processes on a real PostgreSQL and a real Kafka, by settings alone: the loop closes there too."""

import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from rich.console import Console

from crm_shared.clock import SystemClock
from crm_shared.db.outbox import flush_outbox
from crm_shared.db.pool import Database
from crm_shared.testing.cluster import Cluster
from crm_suite.allinone.databases import Server
from crm_suite.allinone.listening import port_of
from crm_suite.allinone.serving import serving
from crm_suite.demo.play import Theatre, Wish, perform
from crm_suite.mailsink.mailbox import Mailbox
from crm_suite.mailsink.page import sink_app
from crm_suite.mailsink.smtp import SmtpSink
from crm_suite.tenancy import Access, ensure_tenant
from crm_suite.topology import GATEWAY

from .processes import Processes, separate_processes

pytestmark = [
    pytest.mark.journey,
    pytest.mark.kafka,
    pytest.mark.xdist_group("kafka"),
    pytest.mark.timeout(400),
]


@pytest.fixture
async def mail() -> AsyncIterator[tuple[str, dict[str, str]]]:
    """The sink's page, and the settings that point a sender at the sink."""
    mailbox = Mailbox()
    sink = SmtpSink(mailbox)
    smtp, page = socket.create_server(("127.0.0.1", 0)), socket.create_server(("127.0.0.1", 0))
    smtp.setblocking(False)
    page.setblocking(False)
    await sink.start(smtp)
    async with serving(sink_app(mailbox), page):
        settings = {"SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(port_of(smtp)), "MAIL_CURRENCY": "USD"}
        yield f"http://127.0.0.1:{port_of(page)}", settings
    await sink.stop()


@pytest.fixture
async def processes(
    cluster: Cluster, kafka: str, mail: tuple[str, dict[str, str]], tmp_path: Path
) -> AsyncIterator[Processes]:
    async with separate_processes(Server(cluster.server), tmp_path, bus_url=kafka, mail=mail[1]) as started:
        yield started


async def test_the_loop_closes(processes: Processes, mail: tuple[str, dict[str, str]]) -> None:
    access = Access.new("journey", "Journey")
    url = processes.environments[GATEWAY]["DATABASE_URL"]
    database = await Database.open(url, GATEWAY, size=1, flush=flush_outbox)
    await ensure_tenant(database, access, now=SystemClock().now())
    await database.close()
    theatre = Theatre(processes.url, mail[0], access.slug, access.api_key)
    stage = await perform(theatre, Wish(customers=150, seed=1), Console(quiet=True))
    figures = stage.figures
    assert figures.paid > 0
    assert figures.states_after["won_back"] == figures.paid
    assert all(part["status"] == "ok" for part in stage.overview["parts"].values())
    assert {kind.partition(".")[0] for kind in figures.timeline_kinds} >= {"message", "lead", "order", "ticket"}
