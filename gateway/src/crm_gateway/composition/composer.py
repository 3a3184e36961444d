"""Asking several services at once, each within its own deadline, as the caller and never as ourselves."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from crm_gateway.composition.domain import Part, PartStatus, status_of_answer
from crm_gateway.identity.onward import Minter
from crm_gateway.openapi.domain.routes import Route, RouteTable
from crm_gateway.proxy.domain.headers import Headers
from crm_gateway.proxy.forwarding import TIMEOUT_HEADER
from crm_gateway.proxy.lane import Lane, LaneClosed
from crm_gateway.proxy.upstream import UpstreamFault, UpstreamRequest
from crm_shared.tenancy import Viewer

_MOST_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class PartAnswer:
    """What came of one part; `data` is the service's JSON when the status is ok."""

    status: PartStatus
    data: Any = None


@dataclass(frozen=True, slots=True)
class Asker:
    """On whose behalf is asked, and what the questions carry along."""

    viewer: Viewer
    headers: Headers


class Composer:
    """Puts composed answers together. It keeps nothing: what one caller may see never reaches another."""

    def __init__(self) -> None:
        self._routes = RouteTable(())
        self._lanes: Mapping[str, Lane] = {}
        self._minter: Minter | None = None

    def use(self, routes: RouteTable, lanes: Mapping[str, Lane], minter: Minter) -> None:
        """Begins to work: which routes there are, and the ways to their upstreams."""
        self._routes, self._lanes, self._minter = routes, lanes, minter

    async def ask(self, parts: Sequence[Part], customer: str, asker: Asker) -> dict[str, PartAnswer]:
        """All parts' answers, asked for in parallel."""
        answers = await asyncio.gather(*(self._ask(part, part.for_customer(customer), asker) for part in parts))
        return {part.name: answer for part, answer in zip(parts, answers, strict=True)}

    async def _ask(self, part: Part, target: str, asker: Asker) -> PartAnswer:
        route = self._routes.find("GET", target.partition("?")[0])
        lane = self._lanes.get(route.upstream) if isinstance(route, Route) else None
        if not isinstance(route, Route) or lane is None or self._minter is None:
            return PartAnswer(PartStatus.UNAVAILABLE)
        if route.scope is not None and route.scope not in asker.viewer.scopes:
            return PartAnswer(PartStatus.FORBIDDEN)
        headers = [
            *asker.headers,
            (b"authorization", self._minter.authorization(asker.viewer, lane.name)),
            (b"accept", b"application/json"),
            (TIMEOUT_HEADER, str(int(part.deadline_s * 1000)).encode()),
        ]
        request = UpstreamRequest("GET", target.encode("ascii"), headers, None)
        try:
            async with asyncio.timeout(part.deadline_s):
                return await _fetch(lane, request, part.deadline_s)
        except (UpstreamFault, LaneClosed, TimeoutError, ValueError):
            return PartAnswer(PartStatus.UNAVAILABLE)


async def _fetch(lane: Lane, request: UpstreamRequest, deadline_s: float) -> PartAnswer:
    body = bytearray()
    async with lane.attempt(request, timeout_s=deadline_s) as response:
        status = status_of_answer(response.status)
        while chunk := await response.read():
            body += chunk
            if len(body) > _MOST_BYTES:
                return PartAnswer(PartStatus.UNAVAILABLE)
    return PartAnswer(status, orjson.loads(bytes(body)) if status is PartStatus.OK else None)
