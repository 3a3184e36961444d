"""Making and changing calendars."""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from crm_contact_center.calendars import store
from crm_contact_center.calendars.domain import Calendar, validate
from crm_contact_center.calendars.store import NamedCalendar
from crm_shared.db.pool import Tx
from crm_shared.errors import NotFound, PreconditionFailed
from crm_shared.ids import new_id, public_id
from crm_shared.tenancy import Viewer


async def create_calendar(tx: Tx, viewer: Viewer, name: str, hours: Calendar, *, now: datetime) -> NamedCalendar:
    """A new calendar.

    Raises:
        Invalid: zone or windows make no sense.
    """
    validate(hours)
    made = NamedCalendar(new_id(), name, 1, now, hours)
    await store.insert_calendar(tx, made)
    return made


async def change_calendar(
    tx: Tx, viewer: Viewer, calendar_id: UUID, changes: tuple[str, Calendar], *, expected: int | None, now: datetime
) -> NamedCalendar:
    """A new version; what was promised under the old one stays promised.

    Raises:
        NotFound: there is no such calendar.
        PreconditionFailed: it has changed since the sender saw it.
        Invalid: zone or windows make no sense.
    """
    name, hours = changes
    validate(hours)
    current = await store.lock(tx, calendar_id)
    if current is None:
        raise NotFound.of("calendar", public_id("cal", calendar_id))
    if expected is not None and expected != current.version:
        raise PreconditionFailed("The calendar has changed; read it again and repeat your change.")
    changed = replace(current, name=name, hours=hours, version=current.version + 1)
    await store.insert_version(tx, changed, now)
    await store.set_current(tx, changed)
    return changed
