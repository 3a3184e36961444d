"""Statements on calendars."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, insert, select, update

from crm_contact_center.calendars.domain import Calendar, Window
from crm_contact_center.calendars.tables import calendar, calendar_version
from crm_shared.db.pool import Record, Tx
from crm_shared.tenancy import Viewer

_c, _v = calendar.c, calendar_version.c

_INSERT = insert(calendar).values(
    {name: bindparam(name) for name in ("tenant_id", "id", "name", "version", "created_at")}
)
_INSERT_VERSION = insert(calendar_version).values(
    {
        name: bindparam(name)
        for name in ("tenant_id", "calendar_id", "version", "zone", "weekly", "special_days", "made_at")
    }
)
_CURRENT = select(_c.id, _c.name, _c.version, _c.created_at, _v.zone, _v.weekly, _v.special_days).select_from(
    calendar.join(
        calendar_version,
        (_v.tenant_id == _c.tenant_id) & (_v.calendar_id == _c.id) & (_v.version == _c.version),
    )
)
_GET = _CURRENT.where(_c.id == bindparam("id"))
_LOCK = select(_c.version).where(_c.id == bindparam("id")).with_for_update()
_BUMP = update(calendar).where(_c.id == bindparam("i")).values(version=bindparam("v"), name=bindparam("n"))
_HOURS = select(_v.zone, _v.weekly, _v.special_days).where(
    _v.calendar_id == bindparam("id"), _v.version == bindparam("version")
)


@dataclass(frozen=True, slots=True)
class NamedCalendar:
    """A calendar in its current version."""

    id: UUID
    name: str
    version: int
    created_at: datetime
    hours: Calendar


async def insert_calendar(tx: Tx, made: NamedCalendar) -> None:
    """Keep a new calendar with its first version."""
    await tx.run(
        _INSERT,
        {
            "tenant_id": tx.tenant,
            "id": made.id,
            "name": made.name,
            "version": made.version,
            "created_at": made.created_at,
        },
    )
    await insert_version(tx, made, made.created_at)


async def insert_version(tx: Tx, made: NamedCalendar, now: datetime) -> None:
    """Keep one more version of the hours."""
    await tx.run(
        _INSERT_VERSION,
        {
            "tenant_id": tx.tenant,
            "calendar_id": made.id,
            "version": made.version,
            "zone": made.hours.zone,
            "weekly": {str(day): _pairs(windows) for day, windows in made.hours.weekly.items()},
            "special_days": {day.isoformat(): _pairs(windows) for day, windows in made.hours.special_days.items()},
            "made_at": now,
        },
    )


async def set_current(tx: Tx, made: NamedCalendar) -> None:
    """Make a version the current one."""
    await tx.run(_BUMP, {"i": made.id, "v": made.version, "n": made.name})


async def lock(tx: Tx, calendar_id: UUID) -> NamedCalendar | None:
    """The calendar, held until the transaction ends."""
    await tx.run(_LOCK, {"id": calendar_id})
    return await get(tx, calendar_id)


async def get(tx: Tx, calendar_id: UUID) -> NamedCalendar | None:
    """The calendar in its current version."""
    row = await tx.one(_GET, {"id": calendar_id})
    return _read(row) if row else None


async def hours(tx: Tx, calendar_id: UUID, version: int) -> Calendar | None:
    """The hours of one version, current or not."""
    row = await tx.one(_HOURS, {"id": calendar_id, "version": version})
    return _hours(row) if row else None


async def view(tx: Tx, viewer: Viewer, calendar_id: UUID) -> NamedCalendar | None:
    """One calendar, as anybody in the tenant may see it."""
    return await get(tx, calendar_id)


async def list_calendars(
    tx: Tx, viewer: Viewer, filters: object, *, limit: int, after: tuple[Any, ...] | None
) -> list[NamedCalendar]:
    """Calendars by name."""
    statement = _CURRENT.order_by(_c.name, _c.id).limit(limit)
    if after is not None:
        statement = statement.where((_c.name > after[0]) | ((_c.name == after[0]) & (_c.id > after[1])))
    return [_read(row) for row in await tx.all(statement)]


def _read(row: Record) -> NamedCalendar:
    return NamedCalendar(row["id"], row["name"], row["version"], row["created_at"], _hours(row))


def _hours(row: Record) -> Calendar:
    return Calendar(
        zone=row["zone"],
        weekly={int(day): _windows(pairs) for day, pairs in row["weekly"].items()},
        special_days={date.fromisoformat(day): _windows(pairs) for day, pairs in row["special_days"].items()},
    )


def _pairs(windows: tuple[Window, ...]) -> list[list[int]]:
    return [[window.opens, window.closes] for window in windows]


def _windows(pairs: list[list[int]]) -> tuple[Window, ...]:
    return tuple(Window(opens, closes) for opens, closes in pairs)
