"""Asking for an audience, and looking whether its segment has arrived."""

from datetime import datetime
from uuid import UUID

from crm_communication_dispatch.audiences import store
from crm_communication_dispatch.audiences.domain import Audience, AudienceStatus, complete, look_again_after
from crm_communication_dispatch.customers import store as customers
from crm_shared.db.due import schedule
from crm_shared.db.operations import start_operation
from crm_shared.db.pool import Tx
from crm_shared.ids import new_id
from crm_shared.tenancy import Viewer

LOOK = "audience.look"
BUILD = "audience.build"


async def ask_for_audience(
    tx: Tx, viewer: Viewer, segment_id: UUID, channel: str, purpose: str, *, now: datetime
) -> Audience:
    """Ask for everybody in a segment who may be written to; it is ready once the whole segment has arrived."""
    made = Audience(
        id=new_id(),
        segment_id=segment_id,
        channel=channel,
        purpose=purpose,
        status=AudienceStatus.WAITING,
        segment_version=None,
        expected=None,
        seen=None,
        included=None,
        excluded=None,
        created_by=viewer.subject,
        created_at=now,
        ready_at=None,
        version=1,
    )
    await store.add(tx, made)
    await schedule(tx, LOOK, key=str(made.id), due_at=now)
    return made


async def look_for_members(tx: Tx, audience_id: UUID, *, now: datetime) -> None:
    """Begin to build when the local copy holds as many members as the segment's newest version has; else look later.

    Members and the count travel on different topics, so either may come first.
    """
    found = await store.lock(tx, audience_id)
    if found is None or found.status is not AudienceStatus.WAITING:
        return
    segment = await customers.get_segment(tx, found.segment_id)
    if segment is None:
        await schedule(tx, LOOK, key=str(audience_id), due_at=now + look_again_after(now - found.created_at))
        return
    seen = await customers.count_members(tx, segment.id, segment.version)
    values = {"segment_version": segment.version, "expected": segment.count, "seen": seen}
    if complete(segment.count, seen):
        await store.change(tx, audience_id, status=AudienceStatus.BUILDING.value, **values)
        payload = {"audience_id": str(audience_id)}
        await start_operation(tx, BUILD, payload, viewer=Viewer.system(tx.tenant), now=now)
        return
    await store.change(tx, audience_id, **values)
    await schedule(tx, LOOK, key=str(audience_id), due_at=now + look_again_after(now - found.created_at))
