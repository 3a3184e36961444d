"""Personalised mails to a sink that is not the limit, with the ledger on disk."""

from tests.bench.disk import Server, server
from tests.bench.figures import Figure, at_least
from tests.bench.run import Run

from crm_communication_dispatch.app import SERVICE
from crm_shared.db.outbox import flush_outbox
from crm_shared.db.pool import Database
from crm_shared.ids import new_id

from .ledger import queue_campaign, states
from .sending import WAVE, Sent, capacity, send_all, sink

MAILS = 30_000
_SIZE = 4_900


async def measure(run: Run) -> list[Figure]:
    """One tenant's campaign, sent by its one sender."""
    mails = 400 if run.short else MAILS
    async with server(run.folder) as disk, sink() as port:
        with run.steps.step("What the sink takes"):
            most = await capacity(port, b"x" * (_SIZE - 5) + b"\r\n.\r\n", mails=mails)
        with run.steps.step(f"{mails:,} mails") as note:
            sent = await _campaign(disk, port, mails)
            note.text = f"{sent.per_second:,.0f}/s"
    return [
        Figure("mails a core: ÷ processor seconds of sender and database", sent.per_core, "/s", at_least(5_000)),
        Figure("mails by the clock, one tenant, one sender", sent.per_second, "/s"),
        Figure("processor time of the sender for a mail", sent.service_s / sent.mails * 1e6, "µs"),
        Figure("processor time of the database for a mail", sent.database_s / sent.mails * 1e6, "µs"),
        Figure("what the sink takes ÷ what it was sent", most / sent.per_second, "", at_least(3)),
        Figure("mails in a wave", WAVE, ""),
    ]


async def _campaign(disk: Server, port: int, mails: int) -> Sent:
    urls, tenant = await disk.cluster.database(SERVICE.schema), new_id()
    database = await Database.open(urls.worker, SERVICE.name, size=4, flush=flush_outbox)
    try:
        await queue_campaign(database, urls.admin, tenant, mails)
        sent = await send_all(database, disk, port, tenant)
        if (came := await states(urls.admin, tenant)) != {"accepted": mails}:
            raise RuntimeError(f"not everybody was sent to: {came}")
        return sent
    finally:
        await database.close()
