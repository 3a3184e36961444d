"""Everything in one event loop: databases, bus, services with their workers, mail sink, gateway; stopped in reverse."""

import asyncio
import gc
import shutil
import signal
import socket
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from fastapi import FastAPI

from crm_gateway.app import SERVICE as GATEWAY_SERVICE
from crm_gateway.gateway import Gateway, create_gateway
from crm_gateway.proxy.asgi_upstream import AsgiUpstream
from crm_gateway.settings import GatewaySettings
from crm_shared.bus.opening import open_bus
from crm_shared.bus.port import Bus
from crm_shared.db.cpu import close_processes
from crm_shared.db.embedded import EmbeddedPostgres
from crm_shared.http.call import Services
from crm_shared.runtime import Service
from crm_shared.runtime.serving import make_app
from crm_shared.runtime.working import working
from crm_shared.settings import ServiceSettings
from crm_suite.allinone.databases import Server, make_databases, migrate
from crm_suite.allinone.home import Home
from crm_suite.allinone.reference import documents_of
from crm_suite.allinone.serving import serving
from crm_suite.mailsink.mailbox import Mailbox
from crm_suite.mailsink.page import sink_app
from crm_suite.mailsink.smtp import SmtpSink
from crm_suite.steps import Steps
from crm_suite.topology import Suite, load_suite


@dataclass(frozen=True, slots=True)
class Doors:
    """The sockets that people and programs come in by."""

    gateway: socket.socket
    mail_page: socket.socket
    smtp: socket.socket


@dataclass(frozen=True, slots=True)
class Running:
    """A suite that answers."""

    gateway: Gateway
    mailbox: Mailbox


@asynccontextmanager
async def postgres_running(home: Home) -> AsyncGenerator[EmbeddedPostgres]:
    """The embedded server; one that outlived a killed suite is used again."""
    postgres = EmbeddedPostgres(home.postgres)
    try:
        yield await postgres.started()
    finally:
        await asyncio.to_thread(postgres.stop)
        shutil.rmtree(postgres.sockets, ignore_errors=True)


@asynccontextmanager
async def bus_running(url: str, suite: Suite) -> AsyncGenerator[Bus]:
    bus = await open_bus(url)
    try:
        services = suite.services.values()
        await bus.ensure_topics(sorted({topic for service in services for topic in service.topics_published}))
        yield bus
    finally:
        await bus.aclose()


@asynccontextmanager
async def service_running(service: Service, settings: ServiceSettings, bus: Bus) -> AsyncGenerator[FastAPI]:
    """One service's application with its worker; a commit of the one wakes the other at once."""
    app = make_app(service, settings)
    async with app.router.lifespan_context(app), working(service, settings, bus=bus) as worker:
        services: Services = app.state.services
        services.database.wakers.append(worker.wake)
        yield app


@asynccontextmanager
async def gateway_running(
    settings: GatewaySettings, apps: Mapping[str, FastAPI], listening: socket.socket, bus: Bus
) -> AsyncGenerator[Gateway]:
    """The gateway before the services of this very process, with the worker that publishes its events."""
    upstreams = {name: AsgiUpstream(app) for name, app in apps.items()}
    gateway = create_gateway(settings, upstreams, documents=documents_of(apps))
    async with gateway.running(), working(GATEWAY_SERVICE, settings, bus=bus) as worker:
        assert gateway.database is not None
        gateway.database.wakers.append(worker.wake)
        async with serving(gateway, listening):
            yield gateway


@asynccontextmanager
async def sink_running(doors: Doors, mailbox: Mailbox) -> AsyncGenerator[None]:
    sink = SmtpSink(mailbox)
    await sink.start(doors.smtp)
    try:
        async with serving(sink_app(mailbox), doors.mail_page):
            yield
    finally:
        await sink.stop()


@asynccontextmanager
async def suite_running(home: Home, doors: Doors, steps: Steps) -> AsyncGenerator[Running]:
    """The whole suite; leaving the block stops all of it, PostgreSQL last."""
    keys = home.keys()
    async with AsyncExitStack() as stack:
        # PostgreSQL starts and makes databases in processes of its own while this one imports the services.
        loading = asyncio.create_task(asyncio.to_thread(load_suite))
        with steps.step("PostgreSQL, embedded"):
            server = Server(await stack.enter_async_context(postgres_running(home)))
        with steps.step("databases"):
            await make_databases(server)
            suite = await loading
        with steps.step("migrations"):
            await migrate(server, suite)
        with steps.step("event bus"):
            bus = await stack.enter_async_context(bus_running(server.bus_url(), suite))
        with steps.step("mail sink"):
            mailbox = Mailbox()
            await stack.enter_async_context(sink_running(doors, mailbox))
        stack.callback(close_processes)
        with steps.step("services and their workers"):
            apps = {
                service.name: await stack.enter_async_context(
                    service_running(service, server.settings(service, keys), bus)
                )
                for service in suite.behind
            }
        with steps.step("gateway"):
            settings = server.gateway_settings(suite.gateway, keys)
            gateway = await stack.enter_async_context(gateway_running(settings, apps, doors.gateway, bus))
        # What start-up made stays: without this, each full collection walks half a million objects for nothing.
        gc.collect()
        gc.freeze()
        yield Running(gateway, mailbox)


async def until_asked_to_stop() -> str:
    """Wait for Ctrl-C or SIGTERM, and say which it was."""
    loop = asyncio.get_running_loop()
    asked: asyncio.Future[str] = loop.create_future()

    def ask(name: str) -> None:
        if not asked.done():
            asked.set_result(name)

    for sign in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(sign, ask, sign.name)
    return await asked
