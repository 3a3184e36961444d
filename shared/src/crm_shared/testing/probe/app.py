"""The probe: one table, one aggregate, one of each thing a slice can have."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, ClassVar
from uuid import UUID

from fastapi import Query, Response
from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    ForeignKeyConstraint,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Text,
    UniqueConstraint,
    Uuid,
    bindparam,
    insert,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert

from crm_shared.db.due import Due, Timers, schedule
from crm_shared.db.metadata import service_metadata, tenant_table
from crm_shared.db.operations import Job, Jobs, Operation, start_operation
from crm_shared.db.pool import Record, Tx
from crm_shared.errors import NotFound
from crm_shared.events import EventPayload
from crm_shared.fields import Fact, Instant, MoneyField, PublicId, Read, Strict
from crm_shared.http import Call, Page, PageQuery, Router, needs
from crm_shared.ids import new_id
from crm_shared.runtime import Projections, Reactions, Received, Service, Slice
from crm_shared.tenancy import Viewer
from crm_shared.versions import expect_version

NoteId = Annotated[UUID, PublicId("note")]

metadata = service_metadata()
note = tenant_table(
    "note",
    metadata,
    Column("id", Uuid(), nullable=False),
    Column("version", Integer(), nullable=False),
    Column("title", Text(collation="C"), nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    PrimaryKeyConstraint("tenant_id", "id"),
    UniqueConstraint("tenant_id", "title"),
    Index("ix_note_created", "tenant_id", "created_at", "id"),
)
remark = tenant_table(
    "remark",
    metadata,
    Column("id", Uuid(), nullable=False),
    Column("note_id", Uuid(), nullable=False),
    Column("body", Text(), nullable=False),
    PrimaryKeyConstraint("tenant_id", "id"),
    ForeignKeyConstraint(["tenant_id", "note_id"], ["note.tenant_id", "note.id"]),
)
tally = tenant_table(
    "tally",
    metadata,
    Column("key", Text(collation="C"), nullable=False),
    Column("count", BigInteger(), nullable=False),
    PrimaryKeyConstraint("tenant_id", "key"),
)


@dataclass(frozen=True, slots=True)
class Note:
    """One note."""

    id: UUID
    version: int
    title: str
    created_at: datetime


class NoteWritten(EventPayload):
    """A note was written or changed."""

    TYPE: ClassVar[str] = "crm.note.written.v1"
    ID_PREFIX: ClassVar[str] = "note"
    EXAMPLE: ClassVar[dict[str, Any]] = {"title": "Call back"}

    title: str


class NoteCreate(Strict):
    """A note to be written; `price` is there to show how money is refused."""

    title: str
    price: MoneyField | None = None


class NoteUpdate(Strict):
    """What of a note changes."""

    title: str | None = None


class NoteRead(Read):
    """A note."""

    id: NoteId
    version: int
    title: str
    created_at: Instant

    @classmethod
    def of(cls, found: Note) -> "NoteRead":
        """The client's view."""
        return cls(id=found.id, version=found.version, title=found.title, created_at=found.created_at)


class NotePage(Page):
    """Some notes."""

    items: list[NoteRead]


class NoteFilter(PageQuery):
    """Which notes."""

    title: str | None = None
    contains: str | None = None


_COLUMNS = (note.c.id, note.c.version, note.c.title, note.c.created_at)
_GET = select(*_COLUMNS).where(note.c.id == bindparam("id"))
_LOCK = _GET.with_for_update()
_count = upsert(tally).values(tenant_id=bindparam("tenant_id"), key=bindparam("key"), count=1)
_COUNT = _count.on_conflict_do_update(
    index_elements=[tally.c.tenant_id, tally.c.key], set_={"count": tally.c.count + _count.excluded.count}
)


def _read(row: Record) -> Note:
    return Note(**dict(row))


async def get_note(tx: Tx, viewer: Viewer, note_id: UUID) -> Note | None:
    """One note."""
    del viewer
    row = await tx.one(_GET, {"id": note_id})
    return _read(row) if row else None


async def list_notes(
    tx: Tx, viewer: Viewer, filters: NoteFilter, *, limit: int, after: tuple[Any, ...] | None
) -> list[Note]:
    """Some notes, oldest first."""
    del viewer
    statement = select(*_COLUMNS).order_by(note.c.created_at, note.c.id).limit(limit)
    if filters.title is not None:
        statement = statement.where(note.c.title == filters.title)
    if filters.contains is not None:
        statement = statement.where(note.c.title.ilike(f"%{filters.contains}%"))
    if after is not None:
        statement = statement.where(tuple_(note.c.created_at, note.c.id) > after)
    rows = await (tx.find(statement) if filters.contains is not None else tx.all(statement))
    return [_read(row) for row in rows]


async def write_note(tx: Tx, viewer: Viewer, title: str, *, now: datetime) -> Note:
    """Write a note; it reminds of itself after an hour."""
    del viewer
    made = Note(new_id(), 1, title, now)
    await tx.run(
        insert(note).values(tenant_id=tx.tenant, id=made.id, version=1, title=title, created_at=made.created_at)
    )
    await schedule(tx, "note.remind", key=str(made.id), due_at=now + timedelta(hours=1))
    tx.emit(NoteWritten(title=title), aggregate_id=made.id)
    return made


async def change_note(
    tx: Tx, viewer: Viewer, note_id: UUID, changes: dict[str, Any], *, expected: int | None, now: datetime
) -> Note:
    """Change a note."""
    del viewer, now
    row = await tx.one(_LOCK, {"id": note_id})
    if row is None:
        raise NotFound("There is no such note.", code="note_not_found")
    expect_version(row["version"], expected)
    changed = await tx.one(
        update(note)
        .where(note.c.id == note_id)
        .values(version=note.c.version + 1, title=changes.get("title", row["title"]))
        .returning(*_COLUMNS)
    )
    assert changed is not None
    tx.emit(NoteWritten(title=changed["title"]), aggregate_id=note_id)
    return _read(changed)


async def count_notes(tx: Tx, viewer: Viewer, body: NoteCreate, *, now: datetime) -> Operation:
    """Start the job that writes some notes slowly."""
    return await start_operation(tx, "note.fill", {"title": body.title}, viewer=viewer, now=now)


router = Router(prefix="/v1/notes", tag="notes")


@router.post("", status_code=201, response_model=NoteRead)
async def write(body: NoteCreate, call: Annotated[Call, needs("notes:write")]) -> Response:
    """Write a note."""
    return await call.write(write_note, body.title, answer=NoteRead.of)


@router.get("", response_model=NotePage)
async def list_(call: Annotated[Call, needs("notes:read")], filters: Annotated[NoteFilter, Query()]) -> Response:
    """Look through the notes."""
    return await call.page(list_notes, filters, answer=NoteRead.of, key=lambda found: (found.created_at, found.id))


@router.get("/{note_id}", response_model=NoteRead)
async def get(note_id: NoteId, call: Annotated[Call, needs("notes:read")]) -> Response:
    """Read one note."""
    return await call.read(get_note, note_id, answer=NoteRead.of)


@router.patch("/{note_id}", response_model=NoteRead)
async def change(note_id: NoteId, body: NoteUpdate, call: Annotated[Call, needs("notes:write")]) -> Response:
    """Change a note."""
    changes = body.model_dump(exclude_unset=True)
    return await call.write(change_note, note_id, changes, expected=call.if_match(required=True), answer=NoteRead.of)


@router.post("/fill", status_code=202, response_model=None)
async def fill(body: NoteCreate, call: Annotated[Call, needs("notes:write")]) -> Response:
    """Write ten notes in the background."""
    return await call.start(count_notes, body)


PROJECTIONS = Projections()
REACTIONS = Reactions()
TIMERS = Timers()
JOBS = Jobs()


class Ping(Fact):
    """What the probe reads of a foreign event."""

    text: str


@PROJECTIONS.on("crm.signal.pinged.v1", Ping)
async def signal_pinged(tx: Tx, events: Sequence[Received[Ping]]) -> None:
    """Count without mercy: a repeat would show."""
    await tx.many(_COUNT, [{"tenant_id": tx.tenant, "key": f"seen:{event.data.text}"} for event in events])


@REACTIONS.on("crm.signal.pinged.v1", Ping)
async def note_of_ping(tx: Tx, event: Received[Ping], *, now: datetime) -> None:
    """Write down what was heard."""
    await write_note(tx, Viewer.system(tx.tenant), f"heard {event.data.text}", now=now)


@TIMERS.on("note.remind")
async def remind(tx: Tx, due: Due, *, now: datetime) -> None:
    """Count reminders."""
    del now
    await tx.many(_COUNT, [{"tenant_id": tx.tenant, "key": f"reminded:{due.key}"}])


@JOBS.on("note.fill")
async def fill_notes(job: Job) -> dict[str, Any]:
    """Ten notes, one transaction each, from wherever an earlier run stopped."""
    for number in range(job.state.get("written", 0), 10):
        await job.check_cancelled()
        async with job.transaction() as tx:
            await write_note(tx, job.viewer, f"{job.payload['title']} {number}", now=job.clock.now())
            job.state["written"] = number + 1
            await job.progress(number + 1, 10, tx=tx)
    return {"written": 10}


SERVICE = Service(
    name="probe",
    title="Probe",
    metadata=metadata,
    slices=[
        Slice("notes", [router], PROJECTIONS, REACTIONS, TIMERS, JOBS, events=[NoteWritten]),
    ],
    operation_prefix="oppro",
    migrations=Path(__file__).parent / "migrations",
)
