"""What others' facts make this slice do."""

from datetime import datetime

from crm_communication_dispatch.audiences import store
from crm_communication_dispatch.audiences.commands import LOOK
from crm_communication_dispatch.fields import SegmentId
from crm_shared.bus.handlers import Reactions, Received
from crm_shared.db.due import schedule
from crm_shared.db.pool import Tx
from crm_shared.fields import Fact

REACTIONS = Reactions()


class Materialised(Fact):
    """A segment was computed completely."""

    segment_id: SegmentId


@REACTIONS.on("crm.segment.materialised.v1", Materialised)
async def segment_arrived(tx: Tx, event: Received[Materialised], *, now: datetime) -> None:
    """Look at once for the audiences that wait for it."""
    for audience_id in await store.waiting_for(tx, event.data.segment_id):
        await schedule(tx, LOOK, key=str(audience_id), due_at=now)
