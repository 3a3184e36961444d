"""The worker's endless task that sends webhooks.

Each endpoint that has something to be sent is served by one worker at a time, in waves. Endpoints wait for nobody but
themselves: there is room for many at once, for so many of one tenant, and whoever was served longest ago is next.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

import orjson

from crm_gateway.subscriptions.store import tenants_with_events
from crm_gateway.webhooks import metrics
from crm_gateway.webhooks.commands.waves import Done, Outgoing, Terms, Wave, turn
from crm_gateway.webhooks.domain.deliveries import Answered
from crm_gateway.webhooks.domain.endpoints import Endpoint, Payload
from crm_gateway.webhooks.domain.signatures import signed_headers
from crm_gateway.webhooks.domain.urls import checked_url
from crm_gateway.webhooks.egress import Egress
from crm_gateway.webhooks.sealing import Sealer
from crm_gateway.webhooks.settings import WebhookSettings, webhook_settings
from crm_gateway.webhooks.store import deliveries, lanes
from crm_gateway.webhooks.store.lanes import Waiting
from crm_shared.clock import Clock
from crm_shared.db.pool import Database, Tx
from crm_shared.db.unit_of_work import in_transaction
from crm_shared.errors import Invalid
from crm_shared.events import CONTENT_TYPE
from crm_shared.ids import new_id
from crm_shared.observability.logs import logger
from crm_shared.runtime.worker import WorkerContext
from crm_shared.tenancy import Viewer

LOG_LASTS = timedelta(days=6)
"""How long deliveries can be looked up. What receivers answered may repeat what was sent, so it goes within the week
that an erasure has."""
_POLL_S = 1.0
_BREATH_S = 0.05
"""Between two looks for work, so that a rush of events is sent in waves, not one by one."""
_WAVES_AT_A_TIME = 20
_TRANSACTIONS_AT_ONCE = 2
"""The worker's few connections are the relay's and the consumer's too."""
_LAST_WAVE_S = 8.0
_AFTER_A_FAULT = timedelta(minutes=1)
_FORGET_EVERY_S = 1_800.0
_log = logger("webhooks")


def body_of(text: str, payload: Payload) -> bytes:
    """A webhook's body: the event as it was published, or without what it tells of anybody."""
    if payload is Payload.FULL:
        return text.encode()
    event = orjson.loads(text)
    return orjson.dumps({name: value for name, value in event.items() if name not in {"data", "datacontenttype"}})


@dataclass(slots=True)
class Post:
    """What it takes to send to an endpoint: the way out, the rules of it, and what opens secrets."""

    settings: WebhookSettings
    egress: Egress
    sealer: Sealer
    clock: Clock

    async def send(self, endpoint: Endpoint, seals: Sequence[bytes], webhook_id: UUID, text: str) -> Answered:
        """Sign and send once; whatever goes wrong out there is told, not raised."""
        try:
            checked_url(endpoint.url, self.settings.url_rule)
        except Invalid as refused:  # the rules have changed since it was registered
            return Answered(None, refused.detail, "", None, 0)
        body = body_of(text, endpoint.payload)
        secrets = [self.sealer.open(seal) for seal in seals]
        signed = signed_headers(secrets, str(webhook_id), body, now=self.clock.now())
        return await self.egress.post(endpoint.url, body, {**signed, "content-type": CONTENT_TYPE})


def egress_of(settings: WebhookSettings, *, at_most_s: float | None = None) -> Egress:
    """The way out, as these settings allow it."""
    timeout_s = min(settings.webhook_timeout_s, at_most_s) if at_most_s is not None else settings.webhook_timeout_s
    return Egress(
        settings.url_rule.addresses,
        timeout_s=timeout_s,
        connect_timeout_s=min(settings.webhook_connect_timeout_s, timeout_s),
        ca_file=settings.webhook_ca_file,
    )


@dataclass(slots=True)
class Senders:
    """The endpoints that this worker serves now."""

    database: Database
    post: Post
    holder: UUID = field(default_factory=new_id)
    stopping: bool = False
    _running: dict[UUID, tuple[UUID, asyncio.Task[None]]] = field(
        default_factory=dict[UUID, tuple[UUID, "asyncio.Task[None]"]]
    )
    _transactions: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_TRANSACTIONS_AT_ONCE))

    async def round(self) -> list["asyncio.Task[None]"]:
        """Begin to serve those who wait, as far as there is room; says whom."""
        if self.stopping:
            return []
        settings = self.post.settings
        now = self.post.clock.now()
        waiting = await lanes.with_work(self.database, limit=4 * settings.webhook_endpoints_at_once, now=now)
        ages = [(now - one.since).total_seconds() for one in waiting if one.since is not None]
        metrics.DUE_AGE.set(max([0.0, *ages]))
        busy = Counter(tenant for tenant, _ in self._running.values())
        begun: list[asyncio.Task[None]] = []
        for one in waiting:
            is_full = len(self._running) >= settings.webhook_endpoints_at_once
            if (
                one.endpoint_id in self._running
                or is_full
                or busy[one.tenant] >= settings.webhook_endpoints_of_tenant_at_once
            ):
                continue
            busy[one.tenant] += 1
            task = asyncio.create_task(self._serve(one), name=f"webhook:{one.endpoint_id}")
            self._running[one.endpoint_id] = one.tenant, task
            begun.append(task)
        return begun

    async def drain(self) -> None:
        """Serve until nothing is due; for tests and tools."""
        while begun := await self.round():
            await asyncio.gather(*begun)

    async def stop(self) -> None:
        """Let each endpoint's wave come to its end and be written down."""
        self.stopping = True
        tasks = [task for _, task in self._running.values()]
        if tasks:
            await asyncio.wait(tasks, timeout=_LAST_WAVE_S)

    async def _serve(self, waiting: Waiting) -> None:
        try:
            done: list[Done] = []
            for nth in range(_WAVES_AT_A_TIME + 1):
                wave = await self._turn(waiting, done, last=nth == _WAVES_AT_A_TIME or self.stopping)
                if wave is None:
                    return
                done = list(await asyncio.gather(*(self._send(wave, one) for one in wave.outgoing)))
        except Exception as error:  # noqa: BLE001 # one endpoint's trouble must not stop the others
            _log.error("webhook_failed", tenant=str(waiting.tenant), endpoint=str(waiting.endpoint_id), exc_info=error)
            async with self.database.transaction(waiting.tenant) as tx:
                await lanes.rest(tx, waiting.endpoint_id, self.post.clock.now() + _AFTER_A_FAULT)
        finally:
            del self._running[waiting.endpoint_id]

    async def _turn(self, waiting: Waiting, done: Sequence[Done], *, last: bool) -> Wave | None:
        settings = self.post.settings
        terms = Terms(
            holder=self.holder,
            size=settings.webhook_concurrency,
            lease=timedelta(seconds=settings.webhook_lease_s + settings.webhook_timeout_s),
            disable_after=timedelta(days=settings.webhook_disable_after_days),
        )

        async def work(tx: Tx) -> Wave | None:
            return await turn(tx, waiting.endpoint_id, terms, done, last=last, now=self.post.clock.now())

        async with self._transactions:
            return await in_transaction(self.database, Viewer.system(waiting.tenant), work)

    async def _send(self, wave: Wave, one: Outgoing) -> Done:
        at = self.post.clock.now()
        if one.kept_at is not None:
            metrics.DELAY.observe(max(0.0, (at - one.kept_at).total_seconds()))
        answered = await self.post.send(wave.endpoint, wave.seals, one.delivery.event_id, one.text)
        return Done(one, at, answered)


async def send_webhooks(worker: WorkerContext) -> None:
    """Send webhooks for as long as the worker lives."""
    settings = webhook_settings()
    sealer = Sealer.of(settings.webhook_keys)
    if not sealer.is_ready:
        _log.warning("webhooks_not_set_up", detail="WEBHOOK_KEYS is missing; no webhook is sent")
        return
    async with egress_of(settings) as egress:
        senders = Senders(worker.database, Post(settings, egress, sealer, worker.clock))
        try:
            while True:
                for task in await senders.round():
                    task.add_done_callback(lambda _: worker.woken.set())
                await asyncio.sleep(_BREATH_S)
                await worker.pause(_POLL_S)
        finally:
            with suppress(asyncio.CancelledError):
                await asyncio.shield(senders.stop())


async def forget_deliveries(worker: WorkerContext) -> None:
    """Remove what the log holds no longer, for as long as the worker lives."""
    while True:
        await forget_old(worker.database, worker.clock)
        await asyncio.sleep(_FORGET_EVERY_S)


async def forget_old(database: Database, clock: Clock) -> None:
    """Remove what the log holds no longer."""
    before = clock.now() - LOG_LASTS
    for tenant in await tenants_with_events(database):
        more = True
        while more:
            async with database.transaction(tenant) as tx:
                more = await deliveries.forget_old(tx, before)
