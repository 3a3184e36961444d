"""One run of a tenant's sender against the sink: what it took of the clock, of this process, and of the database's."""

import asyncio
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from tests.bench.disk import Server

from crm_communication_dispatch.messages.loop import outbound
from crm_communication_dispatch.messages.sender import Lane
from crm_communication_dispatch.settings import MailSettings
from crm_shared.clock import SystemClock
from crm_shared.db.pool import Database
from crm_shared.runtime.freezing import freeze_start_up

WAVE = 100


@dataclass(frozen=True, slots=True)
class Sent:
    """`service_s` and `database_s` are processor seconds."""

    mails: int
    seconds: float
    service_s: float
    database_s: float

    @property
    def per_second(self) -> float:
        return self.mails / self.seconds

    @property
    def per_core(self) -> float:
        """Mails a processor-second of everything that dispatches."""
        return self.mails / (self.service_s + self.database_s)


@asynccontextmanager
async def sink() -> AsyncGenerator[int]:
    """A mail sink in a process of its own; gives its port."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.mails.sink", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield int(await process.stdout.readline())
    finally:
        process.kill()
        await process.wait()


async def send_all(database: Database, server: Server, port: int, tenant: UUID) -> Sent:
    """Run the tenant's sender until nothing is due."""
    settings = MailSettings(smtp_host="127.0.0.1", smtp_port=port, smtp_connections=WAVE)  # pyright: ignore[reportCallIssue]
    out = outbound(settings)
    try:
        lane = Lane(database, SystemClock(), out, tenant)
        freeze_start_up()  # as every process of the suite does after its start
        begun, service, backends = time.perf_counter(), time.process_time(), server.cpu_s()
        mails = await lane.run()
        return Sent(mails, time.perf_counter() - begun, time.process_time() - service, server.cpu_s() - backends)
    finally:
        await out.close()


async def capacity(port: int, mail: bytes, *, mails: int, sessions: int = 10) -> float:
    """Mails a second that the sink takes when whole transactions are poured into it."""
    envelope = b"MAIL FROM:<b@example.org>\r\nRCPT TO:<a@example.org>\r\nDATA\r\n"
    rounds = max(1, mails // sessions // 50)

    async def pour() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        await reader.readline()
        for _ in range(rounds):
            writer.write((envelope + mail) * 50)
            for _ in range(200):
                await reader.readline()
        writer.close()

    begun = time.perf_counter()
    await asyncio.gather(*(pour() for _ in range(sessions)))
    return rounds * 50 * sessions / (time.perf_counter() - begun)
