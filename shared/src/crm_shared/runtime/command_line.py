"""`python -m crm_<service> api | worker | provision | migrate | migrated | restored | revision | contracts`."""

import argparse
import asyncio
import signal
import sys
from functools import partial

import uvloop

from crm_shared.db.arrival import until_migrated
from crm_shared.db.base_backup import begin_epoch
from crm_shared.db.migrations import autogenerate, upgrade
from crm_shared.db.provision import provision
from crm_shared.observability.health import DRAINING
from crm_shared.observability.logs import configure_logs
from crm_shared.observability.tracing import configure_traces
from crm_shared.runtime.freezing import freeze_start_up
from crm_shared.runtime.service import Service
from crm_shared.settings import ServiceSettings, UnsafeSettings, refuse_published_secrets


def main(service: Service) -> None:
    """Run one process of the service as its arguments and the environment say."""
    arguments = _parser(service).parse_args()
    if arguments.command == "contracts":
        from crm_shared.runtime.contracts import write_contracts  # noqa: PLC0415 # needed by no running process

        write_contracts(service, arguments.folder or service.migrations.parent / "contracts")
        return
    settings = _settings(service, arguments.command)
    configure_logs(settings.log_level)
    match arguments.command:
        case "api":
            from crm_shared.runtime.http_server import serve  # noqa: PLC0415 # migrations need none of it
            from crm_shared.runtime.serving import make_app  # noqa: PLC0415

            serve(partial(make_app, service, settings), settings)
        case "worker":
            uvloop.run(_work(service, settings))
        case "provision":
            asyncio.run(provision(service.name, settings))
        case "migrate":
            asyncio.run(upgrade(service.schema, settings.owner_database_url))
        case "restored":
            asyncio.run(begin_epoch(service.schema, settings.owner_database_url))
        case "migrated":
            try:
                asyncio.run(until_migrated(service.schema, settings.database_url, within_s=arguments.within))
            except TimeoutError as error:
                sys.exit(str(error))
        case _:
            asyncio.run(
                autogenerate(service.schema, settings.owner_database_url, arguments.message, kernel=arguments.kernel)
            )


def _parser(service: Service) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=service.name, description=service.title)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("api", help="serve HTTP")
    commands.add_parser("worker", help="relay, consume, keep time, do long jobs")
    commands.add_parser("provision", help="make database, roles and extensions on a server, as its administrator")
    commands.add_parser("migrate", help="bring the database up to date")
    migrated = commands.add_parser("migrated", help="wait until the database is as new as this code")
    migrated.add_argument("--within", type=float, default=1_800, metavar="SECONDS")
    commands.add_parser("restored", help="begin a new epoch of events: once, after a backup was brought back")
    revision = commands.add_parser("revision", help="write a migration from the tables' difference to the database")
    revision.add_argument("message")
    revision.add_argument("--kernel", action="store_true", help="of the kernel's tables instead of the service's")
    contracts = commands.add_parser("contracts", help="write openapi.json, asyncapi.json and event schemas")
    contracts.add_argument("folder", nargs="?", help="where to (default: the service's own contracts/)")
    return parser


def _settings(service: Service, part: str) -> ServiceSettings:
    settings = ServiceSettings()  # pyright: ignore[reportCallIssue] # the environment fills it
    try:
        refuse_published_secrets(settings, *(make() for make in service.settings), part=part)
    except UnsafeSettings as reason:
        sys.exit(str(reason))
    return settings


async def _work(service: Service, settings: ServiceSettings) -> None:
    from crm_shared.runtime.side_door import side_door  # noqa: PLC0415 # as above
    from crm_shared.runtime.working import working  # noqa: PLC0415

    asked = asyncio.Event()
    loop = asyncio.get_running_loop()
    for sign in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(sign, asked.set)
    configure_traces()
    async with (
        working(service, settings) as worker,
        side_door(settings.host, settings.metrics_port, worker.checks),
    ):
        freeze_start_up()
        await asked.wait()
        DRAINING.begin()
