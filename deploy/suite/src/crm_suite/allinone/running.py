"""Everything that `crm up` runs: databases, workers, services, mail sink, gateway; stopped in reverse."""

import asyncio
import shutil
import signal
import socket
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from fastapi import FastAPI

from crm_gateway.gateway import Gateway, create_gateway
from crm_gateway.proxy.asgi_upstream import AsgiUpstream
from crm_gateway.settings import GatewaySettings
from crm_shared.db.embedded import EmbeddedPostgres
from crm_shared.http.call import Services
from crm_shared.runtime import Service
from crm_shared.runtime.freezing import freeze_start_up
from crm_shared.runtime.serving import make_app
from crm_shared.runtime.side_door import side_door
from crm_shared.settings import ServiceSettings
from crm_suite.allinone.background import Background, background_launched
from crm_suite.allinone.databases import Server, make_databases, migrate
from crm_suite.allinone.home import Home
from crm_suite.allinone.priority import giving_way
from crm_suite.allinone.reference import documents_of
from crm_suite.allinone.serving import serving
from crm_suite.mailsink.journal import Journal
from crm_suite.mailsink.mailbox import Mailbox
from crm_suite.mailsink.page import sink_app
from crm_suite.mailsink.smtp import SmtpSink
from crm_suite.steps import Steps
from crm_suite.topology import GATEWAY, load_suite


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
async def service_running(
    service: Service, settings: ServiceSettings, background: Background
) -> AsyncGenerator[FastAPI]:
    """One service's application; its commits wake its worker in the second process at once."""
    app = make_app(service, settings)
    async with app.router.lifespan_context(app):
        services: Services = app.state.services
        services.database.wakers.append(background.waker(service.name))
        yield app


@asynccontextmanager
async def gateway_running(
    settings: GatewaySettings, apps: Mapping[str, FastAPI], listening: socket.socket, background: Background
) -> AsyncGenerator[Gateway]:
    """The gateway before the services of this very process."""
    upstreams = {name: AsgiUpstream(app) for name, app in apps.items()}
    gateway = create_gateway(settings, upstreams, documents=documents_of(apps))
    async with gateway.running():
        assert gateway.database is not None
        gateway.database.wakers.append(background.waker(GATEWAY))
        async with serving(gateway, listening):
            yield gateway


def mailbox_of(home: Home) -> Mailbox:
    """Where this folder's caught mail is: what was told OK is there after a kill too."""
    return Mailbox(journal=Journal(home.folder / "caught-mail"))


@asynccontextmanager
async def sink_running(doors: Doors, mailbox: Mailbox) -> AsyncGenerator[None]:
    sink = SmtpSink(mailbox)
    await sink.start(doors.smtp)
    try:
        async with serving(sink_app(mailbox), doors.mail_page):
            yield
    finally:
        await sink.stop()
        mailbox.close()


@asynccontextmanager
async def suite_running(home: Home, doors: Doors, steps: Steps) -> AsyncGenerator[Running]:
    """The whole suite; leaving the block stops all of it, PostgreSQL last."""
    keys = home.keys()
    async with AsyncExitStack() as stack:
        # PostgreSQL starts and makes databases in processes of its own while this one imports the services.
        loading = asyncio.create_task(asyncio.to_thread(load_suite))
        with steps.step("PostgreSQL, embedded"):
            server = Server(await stack.enter_async_context(postgres_running(home)))
        background = await stack.enter_async_context(background_launched(home.log))
        with steps.step("databases"):
            await make_databases(server)
            suite = await loading
        with steps.step("migrations"):
            await migrate(server, suite)
        with steps.step("mail sink"):
            await stack.enter_async_context(sink_running(doors, mailbox_of(home)))
        settings = {name: server.settings(service, keys) for name, service in suite.services.items()}
        await stack.enter_async_context(giving_way(server.postgres, server.background_roles))
        with steps.step("event bus and workers"):
            await background.work(settings)
        stack.push_async_callback(background.stop)  # before the mail sink, which they may be sending to
        with steps.step("services"):
            apps = {
                service.name: await stack.enter_async_context(
                    service_running(service, settings[service.name], background)
                )
                for service in suite.behind
            }
        with steps.step("gateway"):
            own = server.gateway_settings(suite.gateway, keys)
            gateway = await stack.enter_async_context(gateway_running(own, apps, doors.gateway, background))
        await stack.enter_async_context(side_door("127.0.0.1", own.metrics_port, {}))
        freeze_start_up()
        yield Running(gateway)


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
