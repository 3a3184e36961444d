"""How a sender is woken: due rows under a few keys, so that parallel writers rarely meet on one."""

from datetime import datetime
from uuid import UUID

from crm_communication_dispatch.messages.domain import Message, Status
from crm_shared.db.due import schedule
from crm_shared.db.pool import Tx

SEND = "message.send"
_SHARDS = 16


def lease_key(channel: str) -> str:
    """The key of the note that a sender may have died."""
    return f"{channel}:lease"


def next_key(channel: str) -> str:
    """The key of the note that the next waiting message falls due."""
    return f"{channel}:next"


async def wake_for(tx: Tx, message: Message) -> None:
    """See to it that a sender looks when this message is due."""
    if message.status is Status.QUEUED and message.due_at is not None:
        await schedule(tx, SEND, key=f"{message.channel}:{message.id.int % _SHARDS}", due_at=message.due_at)
    elif message.status is Status.HELD and message.due_at is not None:
        await schedule(tx, SEND, key=f"{message.channel}:{message.id}", due_at=message.due_at)


async def wake_bulk(tx: Tx, channel: str, campaign_id: UUID, *, now: datetime) -> None:
    """See to it that a sender looks now, for many messages of a campaign."""
    await schedule(tx, SEND, key=f"{channel}:{campaign_id}", due_at=now)
