"""PostgreSQL's own base backup of an embedded server: all its databases as they were at one instant."""

import asyncio
import os
import subprocess
from collections.abc import Callable

import asyncpg

from crm_shared.db.embedded import EmbeddedPostgres, EmbeddedPostgresError
from crm_shared.db.migrations import Schema, known_revisions
from crm_shared.db.outbox import raise_epoch

_CHUNK = 1024 * 1024


class NewerData(EmbeddedPostgresError):
    """The data was written by newer code than ours."""


class DamagedData(EmbeddedPostgresError):
    """A file isn't what it was when it was saved."""


async def copy_out(postgres: EmbeddedPostgres, write: Callable[[bytes], object]) -> None:
    """Hand a running server's data to `write`, as one tar file with a manifest of checksums in it.

    Raises:
        EmbeddedPostgresError: the server could not be copied.
    """
    keeper = await asyncpg.connect(postgres.url())
    try:
        # Until this session ends the server keeps the log that the copy needs, however much is written meanwhile.
        slot = f"backup_{os.getpid()}"
        await keeper.execute("SELECT pg_create_physical_replication_slot($1, true, true)", slot)
        copying = await asyncio.create_subprocess_exec(
            *(postgres.program("pg_basebackup"), "--pgdata=-", "--format=tar", "--wal-method=fetch"),
            *("--checkpoint=fast", "--no-password", f"--host={postgres.sockets}", "--username=postgres"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd="/",
        )
        assert copying.stdout is not None
        assert copying.stderr is not None
        while chunk := await copying.stdout.read(_CHUNK):
            write(chunk)
        complaint = (await copying.stderr.read()).decode(errors="replace").strip()
        if await copying.wait() != 0:
            raise EmbeddedPostgresError(f"PostgreSQL could not copy its data: {complaint}")
    finally:
        await keeper.close()


def take_over(postgres: EmbeddedPostgres) -> None:
    """Make a copy that was laid down as a server's data directory that server's own, if it is whole.

    Raises:
        DamagedData: a checksum differs, or the log that belongs to it can't be read through.
    """
    command = [postgres.program("pg_verifybackup"), "--quiet", str(postgres.data)]
    checked = subprocess.run(command, capture_output=True, check=False, text=True, cwd="/")  # noqa: S603 # our own program
    if checked.returncode != 0:
        raise DamagedData(checked.stderr.strip()[-500:])
    postgres.own_data()


async def begin_epoch(schema: Schema, owner_url: str) -> None:
    """Number a restored service's events anew: somebody outside may have seen some that its data knows nothing of.

    Raises:
        NewerData: its tables are of a version that this code doesn't know.
    """
    connection = await asyncpg.connect(owner_url)
    try:
        rows = await connection.fetch("SELECT version_num FROM alembic_version")
        if not {row["version_num"] for row in rows} <= known_revisions(schema):
            raise NewerData(f"The data of {schema.service} was written by newer code.")
        await raise_epoch(connection)
    finally:
        await connection.close()
