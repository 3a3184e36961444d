"""The suite as the one command runs it, in processes that are killed without warning."""

import asyncio
import os
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil

from crm_shared.testing.broker import free_port
from crm_suite.allinone.home import Home
from crm_suite.allinone.operator import open_tenant
from crm_suite.demo.play import Theatre

_UP_WITHIN_S = 120.0
_DOWN_WITHIN_S = 30.0


@dataclass
class Victim:
    """`crm up` on a folder and a port that stay the same over all its lives."""

    folder: Path
    settings: dict[str, str]
    port: int = field(default_factory=free_port)
    _process: "subprocess.Popen[bytes] | None" = None

    @property
    def home(self) -> Home:
        return Home(self.folder / "home")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> float:
        """Start it, and give the seconds until it answered a request that needs its database."""
        began = time.monotonic()
        environment = os.environ | self.settings | {"PORT": str(self.port), "CRM_HOME": str(self.home.folder)}
        with (self.folder / "printed.txt").open("ab") as printed:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "crm_suite", "up", "--quiet"],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=printed,
                start_new_session=True,
            )
        async with httpx.AsyncClient(timeout=5) as client:
            while not await self._answers(client):
                if self._process.poll() is not None or time.monotonic() - began > _UP_WITHIN_S:
                    raise RuntimeError(f"The suite did not start:\n{(self.folder / 'printed.txt').read_text()[-2000:]}")
                await asyncio.sleep(0.02)
        return time.monotonic() - began

    async def _answers(self, client: httpx.AsyncClient) -> bool:
        access = self.home.recall("access")
        if access is None:
            return False
        with suppress(httpx.TransportError):
            answer = await client.get(
                f"{self.url}/v1/customers?limit=1", headers={"authorization": f"Bearer {access['api_key']}"}
            )
            return answer.is_success
        return False

    def kill(self) -> None:
        """SIGKILL to every process of it, PostgreSQL's too; returns when all are gone."""
        assert self._process is not None
        family = psutil.Process(self._process.pid).children(recursive=True)
        self._process.kill()
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self._process.wait()
        psutil.wait_procs(family, timeout=_DOWN_WITHIN_S)

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._process.wait(_DOWN_WITHIN_S)

    async def theatre(self, name: str, mail: str) -> Theatre:
        """A stage for one demo: a tenant of its own."""
        access = await open_tenant(self.home, name, "Corkscrew Records")
        return Theatre(self.url, mail, access.slug, access.api_key)
