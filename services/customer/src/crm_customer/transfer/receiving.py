"""Taking a file as it streams in: kept in pieces of whole records, each in a short transaction of its own."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from uuid import UUID

from crm_customer.transfer import commands, store
from crm_customer.transfer.commands import Upload
from crm_customer.transfer.domain import (
    CHUNK_BYTES,
    MAX_BYTES,
    MAX_RECORD_BYTES,
    Format,
    Settings,
    columns,
    whole_records,
)
from crm_customer.transfer.reading import header_of
from crm_shared.errors import Invalid, TooLarge
from crm_shared.http.call import Call
from crm_shared.ids import new_id

FORMATS = {"text/csv": Format.CSV, "application/x-ndjson": Format.NDJSON, "application/jsonl": Format.NDJSON}


def format_of(content_type: str) -> Format:
    """How a file is written, by its media type.

    Raises:
        Invalid: it is written in no way we read.
    """
    found = FORMATS.get(content_type.partition(";")[0].strip().lower())
    if found is None:
        known = ", ".join(FORMATS)
        raise Invalid.field("header:Content-Type", f"Send the file as one of {known}.", code="media_type_unknown")
    return found


@dataclass(slots=True)
class Receiving:
    """One file that is arriving. Nothing is held in memory but the piece at hand."""

    call: Call
    settings: Settings
    upload_id: UUID = field(default_factory=new_id)
    header: tuple[str, ...] | None = None
    buffer: bytearray = field(default_factory=bytearray)
    pieces: int = 0
    size: int = 0
    lines: int = 0

    async def whole(self, stream: AsyncIterator[bytes]) -> Upload:
        """Take the file to its end.

        Raises:
            TooLarge: it is over 256 MB, or one record is over 4 MB.
            Invalid: it is empty, or its columns don't fit.
        """
        async with self.call.services.database.transaction(self.call.viewer.tenant) as tx:
            await commands.expect_upload(tx, self.call.viewer, self.upload_id, now=self.call.now)
        async for part in stream:
            self.size += len(part)
            if self.size > MAX_BYTES:
                raise TooLarge(f"A file has at most {MAX_BYTES >> 20} MB; send several.", code="file_too_large")
            self.buffer += part
            if len(self.buffer) >= CHUNK_BYTES:
                await self._keep_whole_records()
        if self.buffer and not self.buffer.endswith(b"\n"):
            self.buffer += b"\n"
        await self._keep_whole_records(last=True)
        if not self.pieces:
            raise Invalid("The file holds no rows.", code="file_empty")
        return Upload(self.upload_id, self.settings, self.header or (), self.size, self.lines)

    async def _keep_whole_records(self, *, last: bool = False) -> None:
        if self.settings.format is Format.CSV and self.header is None:
            self._take_header()
        buffer = bytes(self.buffer)
        end = len(buffer) if last else whole_records(buffer, quoted=self.settings.format is Format.CSV)
        if not last and not end and len(buffer) > MAX_RECORD_BYTES:
            raise TooLarge("A record is over 4 MB; is a quote missing?", code="record_too_large")
        del self.buffer[:end]
        piece = buffer[:end]
        if piece.strip():
            self.lines += piece.count(b"\n")
            async with self.call.services.database.transaction(self.call.viewer.tenant) as tx:
                await store.add_chunk(tx, self.upload_id, self.pieces, piece)
            self.pieces += 1

    def _take_header(self) -> None:
        line, _, rest = bytes(self.buffer).partition(b"\n")
        self.header = tuple(header_of(line, self.settings.delimiter))
        columns(self.header, self.settings)
        self.buffer = bytearray(rest)
