"""Sends requests, again where that may help; the one file that waits for the network."""

import asyncio
import time
from types import TracebackType
from typing import Self, TypeVar

import httpx
from pydantic import ValidationError

from corkscrew.errors import CrmError
from corkscrew.models import OperationRead
from corkscrew.operations import AsyncPending, Pending
from corkscrew.request import Request, Settings, Tries
from corkscrew.values import Model

Answer = TypeVar("Answer", bound=Model)


def _read(response: httpx.Response, kind: type[Answer]) -> Answer:
    try:
        return kind.model_validate_json(response.content)
    except ValidationError as error:
        raise CrmError(f"{response.request.url} answered with something else than {kind.__name__}: {error}") from error


class Transport:
    """Sends requests and waits for them."""

    def __init__(self, settings: Settings, http: httpx.Client | None) -> None:
        self.settings = settings
        self.http = http or httpx.Client()
        self._owned = http is None

    def send(self, request: Request) -> httpx.Response:
        tries = Tries(request, self.settings)
        while True:
            try:
                response = self.http.request(**tries.arguments)
            except httpx.TransportError as failure:
                wait_s = tries.wait_after_failure_s(failure)
            else:
                if (wait_s := tries.wait_after_answer_s(response)) is None:
                    return response
            time.sleep(wait_s)

    def read(self, request: Request, kind: type[Answer]) -> Answer:
        return _read(self.send(request), kind)

    def start(self, request: Request) -> Pending:
        return Pending(self, self.read(request, OperationRead))

    def close(self) -> None:
        if self._owned:
            self.http.close()


class AsyncTransport:
    """Sends requests; many at once may wait."""

    def __init__(self, settings: Settings, http: httpx.AsyncClient | None) -> None:
        self.settings = settings
        self.http = http or httpx.AsyncClient()
        self._owned = http is None

    async def send(self, request: Request) -> httpx.Response:
        tries = Tries(request, self.settings)
        while True:
            try:
                response = await self.http.request(**tries.arguments)
            except httpx.TransportError as failure:
                wait_s = tries.wait_after_failure_s(failure)
            else:
                if (wait_s := tries.wait_after_answer_s(response)) is None:
                    return response
            await asyncio.sleep(wait_s)

    async def read(self, request: Request, kind: type[Answer]) -> Answer:
        return _read(await self.send(request), kind)

    async def start(self, request: Request) -> AsyncPending:
        return AsyncPending(self, await self.read(request, OperationRead))

    async def close(self) -> None:
        if self._owned:
            await self.http.aclose()


class Connected:
    """What `Crm` is, but for the API's own words: closes what it opened."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def close(self) -> None:
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


class AsyncConnected:
    """What `AsyncCrm` is, but for the API's own words: closes what it opened."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def close(self) -> None:
        await self._transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.close()
