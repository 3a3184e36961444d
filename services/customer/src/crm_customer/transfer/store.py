"""SQL of imports."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, bindparam, delete, func, insert, select, tuple_, update
from sqlalchemy import Uuid as SqlUuid
from sqlalchemy.dialects.postgresql import insert as pg_insert

from crm_customer.transfer.domain import Format, ImportKind, RowErrors, Settings, Tally
from crm_customer.transfer.tables import data_import, import_error, import_touched, upload_chunk
from crm_shared.db.pool import Record, Tx

i, e = data_import.c, import_error.c


@dataclass(frozen=True, slots=True)
class Import:
    """One file on its way in; its id is its operation's."""

    id: UUID
    upload_id: UUID
    settings: Settings
    header: tuple[str, ...]
    bytes: int
    lines: int
    tally: Tally
    started_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class KeptError:
    """One thing that is wrong with one row."""

    row: int
    nth: int
    pointer: str
    code: str
    message: str


_COUNTS = ("rows", "created", "updated", "unchanged", "failed")
_ADD_CHUNK = insert(upload_chunk).values({column.name: bindparam(column.name) for column in upload_chunk.columns})
_CHUNK = select(upload_chunk.c.body).where(
    upload_chunk.c.upload_id == bindparam("upload_id"), upload_chunk.c.seq == bindparam("seq")
)
_DROP_CHUNKS = delete(upload_chunk).where(upload_chunk.c.upload_id == bindparam("upload_id"))
_ADD = insert(data_import).values({column.name: bindparam(column.name) for column in data_import.columns})
_GET = select(data_import).where(i.id == bindparam("id"), i.kind == bindparam("kind"))
_OF_UPLOAD = select(i.id).where(i.upload_id == bindparam("upload_id"))
_PAGE = (
    select(data_import)
    .where(i.kind == bindparam("kind"), i.id < bindparam("before", type_=SqlUuid()))
    .order_by(i.id.desc())
    .limit(bindparam("limit"))
)
_SET_TALLY = (
    update(data_import)
    .where(i.id == bindparam("import"))
    .values({name: bindparam(name) for name in (*_COUNTS, "finished_at")})
)
_ERROR_COLUMNS = ["tenant_id", "import_id", "row", "nth", "pointer", "code", "message"]
_ERRORS = (
    select(import_error)
    .where(e.import_id == bindparam("id"), tuple_(e.row, e.nth) > tuple_(bindparam("row"), bindparam("nth")))
    .order_by(e.row, e.nth)
    .limit(bindparam("limit"))
)
_TOUCH = (
    pg_insert(import_touched)
    .from_select(
        ["tenant_id", "import_id", "customer_id"],
        select(
            bindparam("tenant_id", type_=SqlUuid()),
            bindparam("import_id", type_=SqlUuid()),
            func.unnest(bindparam("ids", type_=ARRAY(SqlUuid()))),
        ),
    )
    .on_conflict_do_nothing()
)
_TOUCHED = (
    select(import_touched.c.customer_id)
    .where(
        import_touched.c.import_id == bindparam("import_id"),
        import_touched.c.customer_id > bindparam("after", type_=SqlUuid()),
    )
    .order_by(import_touched.c.customer_id)
    .limit(bindparam("limit"))
)
_DROP_TOUCHED = delete(import_touched).where(import_touched.c.import_id == bindparam("import_id"))


async def add_chunk(tx: Tx, upload_id: UUID, seq: int, body: bytes) -> None:
    """Keep a piece of a file; it holds whole records."""
    await tx.run(_ADD_CHUNK, {"tenant_id": tx.tenant, "upload_id": upload_id, "seq": seq, "body": body})


async def chunk(tx: Tx, upload_id: UUID, seq: int) -> bytes | None:
    """A piece of a file."""
    return await tx.scalar(_CHUNK, {"upload_id": upload_id, "seq": seq})


async def drop_chunks(tx: Tx, upload_id: UUID) -> None:
    """Forget a file."""
    await tx.run(_DROP_CHUNKS, {"upload_id": upload_id})


async def add(tx: Tx, item: Import) -> None:
    """Keep a new import."""
    settings = item.settings
    await tx.run(
        _ADD,
        {
            "tenant_id": tx.tenant,
            "id": item.id,
            "upload_id": item.upload_id,
            "kind": settings.kind.value,
            "settings": _settings_json(settings),
            "header": list(item.header),
            "bytes": item.bytes,
            "lines": item.lines,
            "dry_run": settings.dry_run,
            "started_at": item.started_at,
            "finished_at": item.finished_at,
            **{name: getattr(item.tally, name) for name in _COUNTS},
        },
    )


def _settings_json(settings: Settings) -> dict[str, Any]:
    return {
        "format": settings.format.value,
        "source": settings.source,
        "customer_source": settings.customer_source,
        "delimiter": settings.delimiter,
        "country": settings.country,
        "currency": settings.currency,
        "rows_as_ids": settings.rows_as_ids,
        "mapping": dict(settings.mapping),
    }


def _import(row: Record) -> Import:
    kept: Mapping[str, Any] = row["settings"]
    return Import(
        id=row["id"],
        upload_id=row["upload_id"],
        settings=Settings(
            kind=ImportKind(row["kind"]),
            format=Format(kept["format"]),
            dry_run=row["dry_run"],
            **{name: kept[name] for name in kept if name != "format"},
        ),
        header=tuple(row["header"]),
        bytes=row["bytes"],
        lines=row["lines"],
        tally=Tally(**{name: row[name] for name in _COUNTS}),
        started_at=row["started_at"],
        finished_at=row["finished_at"],
    )


async def get(tx: Tx, kind: ImportKind, import_id: UUID) -> Import | None:
    """One import."""
    row = await tx.one(_GET, {"id": import_id, "kind": kind.value})
    return None if row is None else _import(row)


async def is_imported(tx: Tx, upload_id: UUID) -> bool:
    """Whether an upload was whole and became an import."""
    return await tx.one(_OF_UPLOAD, {"upload_id": upload_id}) is not None


async def page(tx: Tx, kind: ImportKind, *, limit: int, before: UUID) -> list[Import]:
    """A page of imports, the latest first."""
    return [_import(row) for row in await tx.all(_PAGE, {"kind": kind.value, "limit": limit, "before": before})]


async def set_tally(tx: Tx, import_id: UUID, tally: Tally, *, finished_at: datetime | None) -> None:
    """Say what became of the rows so far."""
    counts = {name: getattr(tally, name) for name in _COUNTS}
    await tx.run(_SET_TALLY, {"import": import_id, "finished_at": finished_at, **counts})


async def add_errors(tx: Tx, import_id: UUID, rows: Sequence[RowErrors]) -> None:
    """Keep what was wrong with rows."""
    if rows:
        values = [
            (tx.tenant, import_id, row.row, nth, error.pointer, error.code, error.message)
            for row in rows
            for nth, error in enumerate(row.errors)
        ]
        await tx.copy(import_error, _ERROR_COLUMNS, values)


async def errors(tx: Tx, import_id: UUID, *, limit: int, after: tuple[int, int]) -> list[KeptError]:
    """A page of what was wrong, in the file's order."""
    rows = await tx.all(_ERRORS, {"id": import_id, "row": after[0], "nth": after[1], "limit": limit})
    return [KeptError(row["row"], row["nth"], row["pointer"], row["code"], row["message"]) for row in rows]


async def touch(tx: Tx, import_id: UUID, ids: Sequence[UUID]) -> None:
    """Remember whose behaviour an import changed."""
    if ids:
        await tx.run(_TOUCH, {"tenant_id": tx.tenant, "import_id": import_id, "ids": sorted(ids)})


async def touched(tx: Tx, import_id: UUID, *, after: UUID, limit: int) -> list[UUID]:
    """The next of those whose behaviour an import changed."""
    rows = await tx.all(_TOUCHED, {"import_id": import_id, "after": after, "limit": limit})
    return [row["customer_id"] for row in rows]


async def forget_touched(tx: Tx, import_id: UUID) -> None:
    """Their readings are up to date."""
    await tx.run(_DROP_TOUCHED, {"import_id": import_id})
