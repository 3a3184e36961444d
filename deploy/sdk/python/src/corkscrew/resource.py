"""What the generated methods call."""

from dataclasses import replace
from urllib.parse import quote

from corkscrew.events import AsyncEventStream, EventStream
from corkscrew.operations import AsyncPending, Pending
from corkscrew.paging import AsyncPager, Pager
from corkscrew.request import Request
from corkscrew.transport import Answer, AsyncTransport, Transport
from corkscrew.values import Item, PageKind


def segment(value: object) -> str:
    """A value as one piece of a path."""
    return quote(str(value), safe="")


def _turn(request: Request, cursor: str | None, limit: int | None) -> Request:
    """The request for another page, of another size."""
    changed = {"cursor": cursor, "limit": limit}
    return replace(request, query={**request.query, **{k: v for k, v in changed.items() if v is not None}})


class Resource:
    """One attribute of `Crm`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def _read(self, request: Request, kind: type[Answer]) -> Answer:
        return self._transport.read(request, kind)

    def _start(self, request: Request) -> Pending:
        return self._transport.start(request)

    def _text(self, request: Request) -> str:
        return self._transport.send(request).text

    def _where(self, request: Request) -> str:
        return self._transport.send(request).headers["location"]

    def _done(self, request: Request) -> None:
        self._transport.send(request)

    def _pages(self, request: Request, kind: type[PageKind], item: type[Item]) -> Pager[Item, PageKind]:
        return Pager(lambda cursor, limit: self._transport.read(_turn(request, cursor, limit), kind))

    def _events(self, request: Request) -> EventStream:
        return EventStream(self._transport, request)


class AsyncResource:
    """One attribute of `AsyncCrm`."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def _read(self, request: Request, kind: type[Answer]) -> Answer:
        return await self._transport.read(request, kind)

    async def _start(self, request: Request) -> AsyncPending:
        return await self._transport.start(request)

    async def _text(self, request: Request) -> str:
        return (await self._transport.send(request)).text

    async def _where(self, request: Request) -> str:
        return (await self._transport.send(request)).headers["location"]

    async def _done(self, request: Request) -> None:
        await self._transport.send(request)

    def _pages(self, request: Request, kind: type[PageKind], item: type[Item]) -> AsyncPager[Item, PageKind]:
        return AsyncPager(lambda cursor, limit: self._transport.read(_turn(request, cursor, limit), kind))

    def _events(self, request: Request) -> AsyncEventStream:
        return AsyncEventStream(self._transport, request)
