"""Clients that go on whatever is replaced behind the door: reads, and writes with a key."""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import count

import httpx

from crm_shared.ids import new_id


@dataclass
class Clients:
    """Each registers customers, reads them, and counts up one name, on a connection of its own.

    A request whose connection ends before its answer begins is sent once more: HTTP lets clients repeat what is
    idempotent, and an `Idempotency-Key` makes every write so.
    """

    url: str
    key: str
    number: int
    pause_s: float
    answered: int = 0
    repeated: int = 0
    slowest_s: float = 0.0
    failed: list[str] = field(default_factory=list[str])
    statuses: Counter[int] = field(default_factory=Counter[int])
    names: dict[str, str] = field(default_factory=dict[str, str])
    """What each customer that was told registered must be called in the end."""
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)
    _running: list[asyncio.Task[None]] = field(default_factory=list[asyncio.Task[None]])

    def start(self) -> None:
        self._running = [asyncio.create_task(self._client(nth)) for nth in range(self.number)]

    async def stop(self) -> None:
        self._stopping.set()
        await asyncio.gather(*self._running)

    async def go_on(self, requests: int) -> None:
        """Until so many more were answered."""
        wanted = self.answered + requests
        while self.answered < wanted:
            for task in self._running:
                if task.done():
                    await task
            await asyncio.sleep(0.02)

    async def _client(self, nth: int) -> None:
        headers = {"authorization": f"Bearer {self.key}"}
        async with httpx.AsyncClient(base_url=self.url, headers=headers, timeout=20) as http:
            own = await self._register(http, f"Counter {nth}")
            for step in count(1):
                if self._stopping.is_set():
                    return
                made = await self._register(http, f"Client {nth} {step}")
                await self._ask(http, "GET", f"/v1/customers/{made or own}")
                await self._rename(http, own, f"Counter {nth} {step}")
                await self._ask(http, "GET", "/v1/customers?limit=5")
                await asyncio.sleep(self.pause_s)

    async def _register(self, http: httpx.AsyncClient, name: str) -> str:
        body = {"kind": "organisation", "display_name": name}
        answer = await self._ask(http, "POST", "/v1/customers", body)
        if answer is None:
            return ""
        made = answer.json()["id"]
        self.names[made] = name
        return made

    async def _rename(self, http: httpx.AsyncClient, customer: str, name: str) -> None:
        if await self._ask(http, "PATCH", f"/v1/customers/{customer}", {"display_name": name}) is not None:
            self.names[customer] = name

    async def _ask(
        self, http: httpx.AsyncClient, method: str, path: str, body: dict[str, str] | None = None
    ) -> httpx.Response | None:
        headers = {} if body is None else {"idempotency-key": str(new_id())}
        if method == "PATCH":
            headers["content-type"] = "application/merge-patch+json"
        started = time.monotonic()
        for attempt in (1, 2):
            try:
                answer = await http.request(method, path, json=body, headers=headers)
            except httpx.TransportError as error:
                if attempt == 1:
                    self.repeated += 1
                    continue
                self.failed.append(f"{method} {path}: {error!r}")
                return None
            self.answered += 1
            self.slowest_s = max(self.slowest_s, time.monotonic() - started)
            self.statuses[answer.status_code] += 1
            if answer.is_success:
                return answer
            self.failed.append(f"{method} {path}: {answer.status_code} {answer.text[:200]}")
            return None
        return None
