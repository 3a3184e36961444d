"""The whole gateway as one ASGI application with a lifespan: identity's own service, the lanes, the door."""

import asyncio
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

import orjson

from crm_gateway.app import SERVICE
from crm_gateway.composition.composer import Composer
from crm_gateway.identity.authentication import Recognition
from crm_gateway.identity.onward import Minter
from crm_gateway.limits.domain import Buckets, LoadGauge
from crm_gateway.openapi.domain.merging import Document, merge
from crm_gateway.openapi.domain.routes import RouteTable, routes_of
from crm_gateway.openapi.pages import OpenPages
from crm_gateway.proxy.access_log import AccessLog, Gathered, Writer
from crm_gateway.proxy.asgi_upstream import AsgiUpstream, Receive, Send
from crm_gateway.proxy.door import Door, DoorParts
from crm_gateway.proxy.endless import EndlessAnswers
from crm_gateway.proxy.errand import Errand, current
from crm_gateway.proxy.lane import Lane
from crm_gateway.proxy.upstream import Upstream
from crm_gateway.settings import GatewaySettings
from crm_gateway.subscriptions.tail import Tail
from crm_shared.clock import Clock, SystemClock
from crm_shared.db.pool import Database
from crm_shared.http.auth import TokenSigner
from crm_shared.http.call import Services
from crm_shared.observability.health import Check
from crm_shared.observability.redaction import told
from crm_shared.runtime.readiness import of_database
from crm_shared.runtime.serving import make_app, opened

_LAG_SAMPLE_S = 0.05
TITLE = "Corkscrew"
VERSION = "1"


class Gateway:
    """The one door. Made by `create_gateway`; use it as an ASGI application, or `async with gateway.running():`."""

    def __init__(
        self,
        settings: GatewaySettings,
        upstreams: Mapping[str, Upstream],
        *,
        document: Document,
        clock: Clock,
        write_log: Writer | None,
    ) -> None:
        self._settings = settings
        self._upstreams = dict(upstreams)
        self._clock = clock
        self._write_log = write_log
        self._door: Door | None = None
        self.document = document
        self.routes = RouteTable(routes_of(document))
        self.lanes: dict[str, Lane] = {}
        self.database: Database | None = None

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """The ASGI application."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        assert self._door is not None, "used outside its lifespan"
        run = self._door(scope, receive, send)
        # A server that knows of errands has begun one; within any other's task, it is that task.
        await (run if current() is not None else Errand(run).here())

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Everything open, for as long as the block lasts."""
        async with AsyncExitStack() as stack:
            signer = TokenSigner.from_jwk(self._settings.internal_private_jwk)
            settings = self._settings.model_copy(update={"internal_jwks": signer.public_jwks()})
            own = make_app(SERVICE, settings, clock=self._clock)
            self.database = await stack.enter_async_context(opened(own, SERVICE, settings, clock=self._clock))
            services: Services = own.state.services
            upstreams = {**self._upstreams, SERVICE.name: AsgiUpstream(own)}
            self.lanes = {name: Lane(name, upstream) for name, upstream in upstreams.items()}
            for upstream in upstreams.values():
                stack.push_async_callback(upstream.close)
            minter = Minter(signer, self._clock)
            recognition: Recognition = services.resources[Recognition.__name__]
            recognition.use(self.database, self.routes.scopes)
            composer: Composer = services.resources[Composer.__name__]
            composer.use(self.routes, self.lanes, minter)
            tail: Tail = services.resources[Tail.__name__]
            tail.use(self.database, settings.database_url)
            stack.push_async_callback(tail.close)
            if isinstance(self._write_log, Gathered):
                stack.callback(self._write_log.flush)
            gauge = LoadGauge()
            await stack.enter_async_context(_measured(gauge))
            self._door = Door(
                DoorParts(
                    routes=self.routes,
                    lanes=self.lanes,
                    authenticator=recognition,
                    endless=EndlessAnswers(recognition, settings.streams_per_tenant, settings.stream_check_s),
                    minter=minter,
                    buckets={share: Buckets(policy) for share, policy in settings.policies.items()},
                    pages=OpenPages(self.document, checks=self._checks()),
                    log=AccessLog(self._write_log, self._clock),
                    gauge=gauge,
                    hosts=settings.host_names,
                    trusting=settings.trust_traceparent,
                )
            )
            yield

    def _checks(self) -> Mapping[str, Check]:
        assert self.database is not None
        return of_database(self.database, SERVICE.schema, self._settings.database_url)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            async with self.running():
                await send({"type": "lifespan.startup.complete"})
                await receive()
        except Exception as error:  # the server prints this instead of a stack trace of ours
            await send({"type": "lifespan.startup.failed", "message": told(error)})
            raise
        await send({"type": "lifespan.shutdown.complete"})


def create_gateway(
    settings: GatewaySettings,
    upstreams: Mapping[str, Upstream],
    *,
    documents: Mapping[str, Document] | None = None,
    clock: Clock | None = None,
    write_log: Writer | None = None,
) -> Gateway:
    """The gateway before `upstreams` (by service name; its own identity service is added).

    `documents` are the services' OpenAPI documents; without them the merged document that was committed is used.
    """
    document = merged_document(documents) if documents is not None else committed_document(settings.openapi_path)
    log = write_log or (Gathered(sys.stdout.buffer) if settings.access_log else None)
    return Gateway(settings, upstreams, document=document, clock=clock or SystemClock(), write_log=log)


def merged_document(documents: Mapping[str, Document]) -> Document:
    """The merged document of the services' and the gateway's own."""
    return merge({**documents, SERVICE.name: own_document()}, title=TITLE, version=VERSION)


def own_document() -> Document:
    """The gateway's own OpenAPI document: identity and composition."""
    from crm_shared.http.app import create_app  # noqa: PLC0415

    return create_app(SERVICE.title, SERVICE.routers, service=SERVICE.name).openapi()


def committed_document(path: str = "") -> Document:
    """The merged document at `path`, or as it was committed with this version (`make contracts` writes it)."""
    found = Path(path) if path else files("crm_gateway").joinpath("openapi", "merged.json")
    return orjson.loads(found.read_bytes())


@asynccontextmanager
async def _measured(gauge: LoadGauge) -> AsyncGenerator[None]:
    """Measures how late the event loop runs, for as long as the block lasts."""
    loop = asyncio.get_running_loop()

    async def sample() -> None:
        while True:
            due = loop.time() + _LAG_SAMPLE_S
            await asyncio.sleep(_LAG_SAMPLE_S)
            gauge.sample(loop.time() - due)

    task = asyncio.create_task(sample(), name="gateway:lag")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
