"""A sender in a process of its own, for a test that kills it: `lonely_sender.py <url> <port> <tenant> <now>`."""

import asyncio
import sys
from datetime import datetime
from uuid import UUID

from crm_communication_dispatch.messages.loop import outbound
from crm_communication_dispatch.messages.sender import Lane
from crm_communication_dispatch.settings import MailSettings
from crm_shared.db.outbox import flush_outbox
from crm_shared.db.pool import Database
from crm_shared.testing.clock import ManualClock


async def main(url: str, port: str, tenant: str, now: str) -> None:
    database = await Database.open(url, "communication-dispatch", size=2, flush=flush_outbox)
    settings = MailSettings(smtp_host="127.0.0.1", smtp_port=int(port), smtp_connections=5)
    await Lane(database, ManualClock(datetime.fromisoformat(now)), outbound(settings), UUID(tenant)).run()
    await database.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
