"""The suite's second process: every service's worker, away from what answers requests. See `background`.

Its standard input brings one line of settings, then a byte for every commit of the first process, naming the service,
and at the end a farewell. An end without one means that the first process was killed; then this one goes with it.
"""

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import orjson
import uvloop

from crm_shared.observability.logs import configure_logs
from crm_shared.observability.tracing import close_traces, configure_traces
from crm_suite.allinone.home import Home
from crm_suite.allinone.priority import give_way

if TYPE_CHECKING:
    from crm_shared.runtime.worker import Worker

READY = b"ready\n"
FAREWELL = 255


def main() -> None:
    """Work until the first process says farewell."""
    give_way(os.getpid())
    with Home.chosen().log.open("a", encoding="utf-8", buffering=1) as log:
        configure_logs(os.environ.get("LOG_LEVEL") or "INFO", stream=log)
        configure_traces()
        uvloop.run(_work())
        close_traces()


async def _work() -> None:
    orders = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    loading = asyncio.create_task(asyncio.to_thread(_load))
    settings = orjson.loads(await orders.readline() or b"{}")
    await loading
    if not settings:
        return
    from crm_shared.runtime.freezing import freeze_start_up  # noqa: PLC0415

    async with AsyncExitStack() as stack:
        workers = await _started(stack, settings)
        freeze_start_up()
        os.write(sys.stdout.fileno(), READY)
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # nobody reads on
        await _listen(orders, workers)


def _load() -> None:
    from crm_suite.topology import load_suite  # noqa: PLC0415 # processes that are spawned from this one needn't do it

    load_suite()


async def _started(stack: AsyncExitStack, settings: Mapping[str, Any]) -> "list[Worker]":
    from crm_shared.bus.opening import open_bus  # noqa: PLC0415
    from crm_shared.db.cpu import close_processes  # noqa: PLC0415
    from crm_shared.runtime.side_door import side_door  # noqa: PLC0415
    from crm_shared.runtime.working import working  # noqa: PLC0415
    from crm_shared.settings import ServiceSettings  # noqa: PLC0415
    from crm_suite.topology import load_suite  # noqa: PLC0415

    services = load_suite().services
    chosen = {name: ServiceSettings.model_validate(values) for name, values in settings.items()}
    bus = await open_bus(next(iter(chosen.values())).bus_url)
    stack.push_async_callback(bus.aclose)
    stack.callback(close_processes)
    await bus.ensure_topics(sorted({topic for name in chosen for topic in services[name].topics_published}))
    workers = {
        name: await stack.enter_async_context(working(services[name], values, bus=bus))
        for name, values in chosen.items()
    }
    checks = {f"{name} {part}": check for name, worker in workers.items() for part, check in worker.checks.items()}
    asked = next(iter(chosen.values())).metrics_port
    await stack.enter_async_context(side_door("127.0.0.1", asked and asked + 1, checks))
    return list(workers.values())


async def _listen(orders: asyncio.StreamReader, workers: "Sequence[Worker]") -> None:
    while True:
        rung = await orders.read(4_096)
        if not rung:
            os._exit(1)  # finishing in order would be a second suite beside the one that may be started now
        if FAREWELL in rung:
            return
        for nth in set(rung):
            workers[nth].wake()


if __name__ == "__main__":
    main()
