"""The door itself: every request passes these steps in this order, in plain ASGI."""

import time
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from random import getrandbits
from typing import Any, NamedTuple, Protocol

from crm_gateway.identity.domain.principals import Principal
from crm_gateway.identity.onward import Minter
from crm_gateway.limits.domain import Buckets, LoadGauge
from crm_gateway.openapi.domain.routes import Route, RouteTable
from crm_gateway.proxy.access_log import AccessLog
from crm_gateway.proxy.asgi_upstream import Receive, Send
from crm_gateway.proxy.body import ClientGone, RequestBody
from crm_gateway.proxy.domain.headers import HeaderFault, Headers, HeadTooLarge, Inbound, read_head
from crm_gateway.proxy.domain.rules import Rule, Share, rule_for
from crm_gateway.proxy.endless import EndlessAnswers
from crm_gateway.proxy.errand import as_task
from crm_gateway.proxy.exchange import Exchange
from crm_gateway.proxy.forwarding import AnswerBroken, Minding, Onward, forward
from crm_gateway.proxy.guard import Watch
from crm_gateway.proxy.lane import Lane
from crm_gateway.proxy.refusals import Refusal, retry_later
from crm_gateway.proxy.traces import PROBES, answering, tell
from crm_shared.errors import CrmError, Forbidden, Unauthenticated
from crm_shared.observability.logs import logger
from crm_shared.observability.tracing import are_traced

_log = logger("gateway")


class Authenticator(Protocol):
    """Knows callers by what they show."""

    def authenticate(self, authorization: bytes) -> Awaitable[Principal]:
        """The caller behind an `Authorization` value.

        Raises:
            Unauthenticated: there is none.
        """
        ...


class Pages(Protocol):
    """What the gateway itself shows without asking who is there: documents, health."""

    def find(self, method: str, path: str) -> "Awaitable[tuple[int, Headers, bytes]] | None":
        """The page at `path`, if there is one."""
        ...


@dataclass(frozen=True, slots=True)
class DoorParts:
    """What the door is made of."""

    routes: RouteTable
    lanes: Mapping[str, Lane]
    authenticator: Authenticator
    endless: EndlessAnswers
    minter: Minter
    buckets: Mapping[Share, Buckets]
    pages: Pages
    log: AccessLog
    gauge: LoadGauge = field(default_factory=LoadGauge)
    hosts: frozenset[bytes] = frozenset()
    """The names this installation answers to; none named: any."""
    trusting: bool = True
    """Whether a client's trace is continued."""


class _Passage(NamedTuple):
    """A request that may go on."""

    route: Route
    rule: Rule
    lane: Lane
    principal: Principal | None


class Door:
    """The ASGI application in front of all upstreams."""

    def __init__(self, parts: DoorParts) -> None:
        self._parts = parts
        self._minding = Minding(Watch(), parts.endless)
        self._rules = {id(route): rule_for(route) for route in parts.routes.routes}

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Handles one request; a WebSocket is refused for now."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        exchange = Exchange(scope, receive, send)
        if not are_traced() or exchange.path in PROBES:
            await self._converse(exchange)
            return
        with answering(exchange, trusting=self._parts.trusting) as span:
            exchange.trace = span.trace.parent.encode() if span.trace else b""
            try:
                await self._converse(exchange)
            finally:
                tell(span, exchange)

    async def _converse(self, exchange: Exchange) -> None:
        try:
            await self._handle(exchange)
        except ClientGone:
            exchange.code = "client_gone"
            exchange.status = exchange.status or 499  # as nginx logs it; nobody is left to see it
        except AnswerBroken as broken:
            exchange.code = broken.code
            raise  # the server then cuts the connection, so that half an answer never looks whole
        finally:
            self._parts.log.note(exchange)

    async def _handle(self, exchange: Exchange) -> None:
        try:
            await self._pass(exchange)
        except Refusal as refusal:
            await self._refuse(exchange, refusal)
        except CrmError as error:
            await self._refuse(exchange, Refusal.of(error))
        except (ClientGone, AnswerBroken):
            raise
        except Exception as error:  # noqa: BLE001 # whatever went wrong here, a client gets a problem document
            _log.error("request_failed", request_id=exchange.request_id, exc_info=error)
            detail = "Something went wrong at the gateway; it has been logged under this request's id."
            await self._refuse(exchange, Refusal(500, "internal", detail))

    async def _refuse(self, exchange: Exchange, refusal: Refusal) -> None:
        if exchange.status:
            raise AnswerBroken(refusal.code)
        await exchange.refuse(refusal)

    async def _pass(self, exchange: Exchange) -> None:
        head = _read_head(exchange)
        if self._parts.hosts and head.host.lower() not in self._parts.hosts:
            raise Refusal(421, "host_unknown", "This installation doesn't answer to that name.")
        page = self._parts.pages.find(exchange.method, exchange.path)
        if page is not None:
            exchange.template = exchange.path
            await as_task()
            await exchange.answer(*await page)
            return
        route = self._route(exchange)
        principal = await self._principal(exchange, head, route)
        passage = _Passage(route, self._rules[id(route)], self._lane(exchange, route), principal)
        self._limit(exchange, passage)
        body = RequestBody(exchange.receive, head, limit=passage.rule.body_limit)
        await forward(exchange, body, self._onward(exchange, head, passage), passage.lane, self._minding)

    def _route(self, exchange: Exchange) -> Route:
        found = self._parts.routes.find(exchange.method, exchange.path)
        if isinstance(found, Route):
            exchange.template = found.template
            return found
        if found:
            allow = ", ".join(sorted(found))
            detail = f"This address knows {allow}."
            raise Refusal(405, "method_not_allowed", detail, [(b"allow", allow.encode())])
        raise Refusal(404, "route_not_found", "There is nothing at this address; /docs lists what there is.")

    async def _principal(self, exchange: Exchange, head: Inbound, route: Route) -> Principal | None:
        if route.scope is None:
            return None
        if head.authorization is None:
            raise Unauthenticated(
                "Send an API key or a session's token: Authorization: Bearer ….", code="credential_missing"
            )
        principal = await self._parts.authenticator.authenticate(head.authorization)
        exchange.tenant = str(principal.viewer.tenant)
        exchange.subject = principal.viewer.subject
        exchange.authorization = head.authorization
        exchange.viewer = principal.viewer
        if route.scope not in principal.viewer.scopes:
            raise Forbidden(f"This needs the scope {route.scope}.", code="scope_missing")
        return principal

    def _lane(self, exchange: Exchange, route: Route) -> Lane:
        owner = route.owner(exchange.path)
        lane = self._parts.lanes.get(owner) if owner is not None else None
        if lane is not None:
            return lane
        if owner is None:
            raise Refusal(404, "not_found", "There is nothing with this id.")
        raise retry_later(503, "upstream_missing", f"{owner} isn't part of this installation.", 60)

    def _limit(self, exchange: Exchange, passage: _Passage) -> None:
        if self._parts.gauge.sheds(passage.rule.priority):
            raise retry_later(503, "overloaded", "There is more to do than can be done; this can wait.", 1.0)
        buckets = self._parts.buckets[passage.rule.share]
        viewer = passage.principal.viewer if passage.principal else None
        client = exchange.scope.get("client")
        key = (viewer.tenant, viewer.subject) if viewer else (client[0] if client else None)
        verdict = buckets.take(key, time.monotonic())
        exchange.added.append((b"ratelimit-policy", buckets.policy_header))
        exchange.added.append((b"ratelimit", buckets.header(verdict)))
        if not verdict.allowed:
            raise retry_later(429, "too_many_requests", "You have used up your share for now.", verdict.retry_after_s)

    def _onward(self, exchange: Exchange, head: Inbound, passage: _Passage) -> Onward:
        headers: Headers = list(head.passed)
        principal = passage.principal
        if principal is not None:
            token = self._parts.minter.authorization(principal.viewer, passage.lane.name)
            headers.append((b"authorization", token))
        headers.append((b"x-request-id", exchange.request_id.encode("ascii")))
        if not self._parts.trusting:
            headers = [header for header in headers if header[0] != b"tracestate"]
        if not exchange.trace:
            exchange.trace = (head.traceparent if self._parts.trusting else None) or _new_trace()
        headers.append((b"traceparent", exchange.trace))
        client = exchange.scope.get("client")
        if client:
            headers.append((b"x-forwarded-for", client[0].encode("ascii", "replace")))
        headers.append((b"x-forwarded-host", head.host))
        query = exchange.scope["query_string"]
        raw_path: bytes = exchange.scope["raw_path"]
        return Onward(
            method="GET" if exchange.method == "HEAD" else exchange.method,
            target=raw_path + b"?" + query if query else raw_path,
            headers=headers,
            keyed=head.keyed,
            timeout_s=passage.rule.timeout_s,
        )


def _read_head(exchange: Exchange) -> Inbound:
    try:
        head = read_head(exchange.scope["headers"])
    except HeaderFault as fault:
        exchange.identify(None)
        raise Refusal(431 if isinstance(fault, HeadTooLarge) else 400, fault.code, fault.detail) from None
    exchange.identify(head.request_id)
    return head


def _new_trace() -> bytes:
    # Ids to find things by, not secrets: no system call for each.
    return b"00-%032x-%016x-01" % (getrandbits(128) or 1, getrandbits(64) or 1)
