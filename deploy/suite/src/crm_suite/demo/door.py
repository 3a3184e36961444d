"""An HTTP client of the gateway: the only way the demo touches the suite."""

import asyncio
import secrets
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import httpx
import orjson

Found = TypeVar("Found")

_TRIES = 8
_TIMEOUT_S = 60
_LONGEST_PAUSE_S = 10.0
_AWAY_S = 120.0
_AWAY_PAUSE_S = 0.25


class Refused(Exception):
    """The gateway said no; the text is its own, so that it can be read beside the API reference."""

    def __init__(self, method: str, path: str, answer: httpx.Response) -> None:
        problem: dict[str, Any] = {}
        if "json" in answer.headers.get("content-type", ""):
            problem = orjson.loads(answer.content)
        fields = "; ".join(f"{error['pointer']}: {error['message']}" for error in problem.get("errors", []))
        detail = problem.get("detail") or answer.text[:300]
        super().__init__(f"{method} {path} → {answer.status_code} {detail}" + (f" ({fields})" if fields else ""))
        self.status = answer.status_code
        self.code = problem.get("code")


class JobFailed(Exception):
    """A long job ended, but not well."""


class TookTooLong(Exception):
    """Something that should have happened by itself did not."""


class Door:
    """One person's or machine's way in.

    Every write carries a key of its own: what is sent again, after a 503 or because the suite died before it answered,
    is answered once more and not done twice.
    """

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    @classmethod
    @asynccontextmanager
    async def opened(cls, url: str, credential: str | None, *, agent: str = "crm-demo") -> AsyncGenerator["Door"]:
        headers = {"content-type": "application/json", "user-agent": agent}
        if credential:
            headers["authorization"] = f"Bearer {credential}"
        limits = httpx.Limits(max_connections=16)
        async with httpx.AsyncClient(base_url=url, headers=headers, timeout=_TIMEOUT_S, limits=limits) as client:
            yield cls(client)

    async def get(self, path: str, **parameters: Any) -> Any:
        given = {name: value for name, value in parameters.items() if value is not None}
        return _content(await self._send("GET", path, params=given))

    async def post(self, path: str, body: Any = None, *, version: int | None = None) -> Any:
        content = orjson.dumps(body) if body is not None else b""
        return _content(await self._send("POST", path, content=content, headers=_keyed(version)))

    async def post_raw(self, path: str, content: bytes, kind: str) -> Any:
        headers = _keyed() | {"content-type": kind}
        return _content(await self._send("POST", path, content=content, headers=headers))

    async def put(self, path: str, body: Any) -> Any:
        return _content(await self._send("PUT", path, content=orjson.dumps(body)))

    async def patch(self, path: str, body: Any, *, version: int | None = None) -> Any:
        return _content(await self._send("PATCH", path, content=orjson.dumps(body), headers=_keyed(version)))

    async def items(self, path: str, **parameters: Any) -> AsyncIterator[Any]:
        """All items of a paged list."""
        cursor: str | None = None
        while True:
            page = await self.get(path, **parameters, limit=200, cursor=cursor)
            for item in page["items"]:
                yield item
            cursor = page.get("next_cursor")
            if cursor is None:
                return

    async def all(self, path: str, **parameters: Any) -> list[Any]:
        return [item async for item in self.items(path, **parameters)]

    async def job(self, path: str, body: Any = None, *, within_s: float = 300.0) -> Any:
        """Start a long job and wait for its result.

        Raises:
            JobFailed: it was cancelled, or failed for the reason given.
        """
        answer = await self._send("POST", path, content=orjson.dumps(body or {}), headers=_keyed())
        where = answer.headers["location"]

        async def ended() -> Any:
            operation = await self.get(where)
            return operation if operation["finished_at"] else None

        operation = await eventually(f"the job behind {path}", ended, within_s=within_s)
        if operation["state"] != "succeeded":
            problem: dict[str, str] = operation["problem"] or {}
            raise JobFailed(f"The job behind {path} has {operation['state']}. {problem.get('detail', '')}")
        return operation["result"]

    async def _send(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        answer = await self._answered(method, path, **arguments)
        for attempt in range(1, _TRIES):
            if not _passing(answer):
                break
            await asyncio.sleep(min(_pause_s(answer.headers, attempt), _LONGEST_PAUSE_S))
            answer = await self._answered(method, path, **arguments)
        if answer.is_error:
            raise Refused(method, path, answer)
        return answer

    async def _answered(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        """Ask until there is an answer: a suite that was killed comes back."""
        deadline = time.monotonic() + _AWAY_S
        while True:
            try:
                return await self._client.request(method, path, **arguments)
            except httpx.TransportError as away:
                if time.monotonic() > deadline:
                    raise TookTooLong(f"The suite has not answered for {_AWAY_S:.0f} s.") from away
            await asyncio.sleep(_AWAY_PAUSE_S)


async def eventually(what: str, look: Callable[[], Awaitable[Found | None]], *, within_s: float = 120.0) -> Found:
    """What `look` finds, looking again and again until it finds something."""
    deadline = time.monotonic() + within_s
    pause_s = 0.02
    while True:
        found = await look()
        if found:
            return found
        if time.monotonic() > deadline:
            raise TookTooLong(f"Waited {within_s:.0f} s for {what}, in vain. The suite's log tells more.")
        await asyncio.sleep(pause_s)
        pause_s = min(pause_s * 1.5, 0.5)


def _keyed(version: int | None = None) -> dict[str, str]:
    headers = {"idempotency-key": secrets.token_hex(16)}
    return headers | ({"if-match": f'"{version}"'} if version is not None else {})


def _passing(answer: httpx.Response) -> bool:
    """Not now, or still at work on the same request."""
    if answer.status_code in {429, 502, 503, 504}:
        return True
    return answer.status_code == 409 and "retry-after" in answer.headers


def _content(answer: httpx.Response) -> Any:
    return orjson.loads(answer.content) if "json" in answer.headers.get("content-type", "") else None


def _pause_s(headers: Mapping[str, str], attempt: int) -> float:
    given = headers.get("retry-after", "")
    return float(given) if given.isdecimal() else 0.1 * 2**attempt
