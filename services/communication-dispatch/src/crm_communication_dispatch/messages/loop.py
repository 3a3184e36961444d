"""The worker's endless task that runs senders; timers tell it, after their commit, for which tenants."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from uuid import UUID

from crm_communication_dispatch.links import links_of
from crm_communication_dispatch.messages.sender import Lane, Outbound
from crm_communication_dispatch.providers.configuration import Route
from crm_communication_dispatch.providers.port import MailProvider
from crm_communication_dispatch.providers.smtp import SmtpProvider
from crm_communication_dispatch.settings import MailSettings, mail_settings
from crm_shared.clock import Clock
from crm_shared.db.outbox import outbox_has_room
from crm_shared.db.pool import Database, Tx
from crm_shared.observability.logs import logger
from crm_shared.runtime.worker import WorkerContext

_log = logger("sender")
_AT_ONCE = 8
_LAST_WAVE_S = 8.0


def outbound(settings: MailSettings) -> Outbound:
    """What this process needs to send."""

    def connect(route: Route) -> MailProvider:
        return SmtpProvider(route.relay, helo=settings.mail_domain)

    return Outbound(settings, connect, links_of(settings))


@dataclass(slots=True)
class Senders:
    """For whom a sender is wanted in this process."""

    wanted: set[tuple[UUID, str]] = field(default_factory=set[tuple[UUID, str]])
    running: dict[tuple[UUID, str], tuple[Lane, asyncio.Task[None]]] = field(
        default_factory=dict[tuple[UUID, str], tuple[Lane, "asyncio.Task[None]"]]
    )

    def want(self, tx: Tx, channel: str) -> None:
        """Ask for a sender of this tenant once the transaction has been committed."""
        tx.after_commit.append(partial(self.wanted.add, (tx.tenant, channel)))

    async def drain(
        self, database: Database, clock: Clock, out: Outbound, has_room: Callable[[], Awaitable[bool]] | None = None
    ) -> int:
        """Run all wanted senders one after another; for tests and tools."""
        count = 0
        while self.wanted:
            tenant, channel = self.wanted.pop()
            count += await Lane(database, clock, out, tenant, channel, has_room).run()
        return count

    def start(self, worker: WorkerContext, out: Outbound) -> None:
        """Start the senders that are wanted and not at work, up to eight at once."""
        for key in list(self.wanted):
            if key in self.running or len(self.running) >= _AT_ONCE:
                continue
            self.wanted.discard(key)
            room = partial(outbox_has_room, worker.database)
            lane = Lane(worker.database, worker.clock, out, *key, has_room=room)
            self.running[key] = lane, asyncio.create_task(self._run(key, lane), name=f"sender:{key[0]}:{key[1]}")

    async def _run(self, key: tuple[UUID, str], lane: Lane) -> None:
        try:
            await lane.run()
        except Exception as error:  # noqa: BLE001 # its lease lapses, and the next sender settles what it left
            _log.error("sender_failed", tenant=str(key[0]), channel=key[1], exc_info=error)
        finally:
            del self.running[key]

    async def stop(self) -> None:
        """Let each sender finish its wave."""
        for lane, _ in self.running.values():
            lane.stopping = True
        tasks = [task for _, task in self.running.values()]
        if tasks:
            await asyncio.wait(tasks, timeout=_LAST_WAVE_S)


SENDERS = Senders()


async def send_messages(worker: WorkerContext) -> None:
    """Run senders for as long as the worker lives."""
    out = outbound(mail_settings())
    try:
        while True:
            SENDERS.start(worker, out)
            await worker.pause(0.5)
    finally:
        with suppress(asyncio.CancelledError):
            await asyncio.shield(SENDERS.stop())
        await out.close()
