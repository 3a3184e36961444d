"""Taking files in."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from crm_customer.transfer import store
from crm_customer.transfer.domain import ImportKind, Settings, Tally
from crm_customer.transfer.store import Import
from crm_shared.db.due import schedule, unschedule
from crm_shared.db.operations import Operation, start_operation
from crm_shared.db.pool import Tx
from crm_shared.tenancy import Viewer

OPERATIONS = {ImportKind.CUSTOMERS: "customer.import", ImportKind.PURCHASES: "purchase.import"}
REPUBLISHING = "customer.republish"
ABANDONED = "transfer.upload-abandoned"
_PATIENCE = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that has arrived whole."""

    id: UUID
    settings: Settings
    header: tuple[str, ...]
    bytes: int
    lines: int


async def expect_upload(tx: Tx, viewer: Viewer, upload_id: UUID, *, now: datetime) -> None:
    """See to it that a file which never arrives whole is forgotten again."""
    await schedule(tx, ABANDONED, key=str(upload_id), due_at=now + _PATIENCE, payload={"upload_id": str(upload_id)})


async def start_import(tx: Tx, viewer: Viewer, upload: Upload, *, now: datetime) -> Operation:
    """Queue the import of a file that has arrived; the import bears the operation's id."""
    payload = {"kind": upload.settings.kind.value}
    started = await start_operation(tx, OPERATIONS[upload.settings.kind], payload, viewer=viewer, now=now)
    made = Import(
        id=started.id,
        upload_id=upload.id,
        settings=upload.settings,
        header=upload.header,
        bytes=upload.bytes,
        lines=upload.lines,
        tally=Tally(),
        started_at=now,
        finished_at=None,
    )
    await store.add(tx, made)
    await unschedule(tx, ABANDONED, key=str(upload.id))
    return started


async def forget_upload(tx: Tx, viewer: Viewer, upload_id: UUID, *, now: datetime) -> None:
    """Forget a file that never arrived whole."""
    if not await store.is_imported(tx, upload_id):
        await store.drop_chunks(tx, upload_id)


async def start_republishing(tx: Tx, viewer: Viewer, *, now: datetime) -> Operation:
    """Have a snapshot of every customer be published."""
    return await start_operation(tx, REPUBLISHING, {}, viewer=viewer, now=now)
