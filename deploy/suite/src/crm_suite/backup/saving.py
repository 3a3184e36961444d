"""`crm backup FILE`: with the suite running or stopped, all databases of one instant and what the home remembers."""

import asyncio
import os
import zipfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import orjson
from rich.console import Console

from crm_shared.clock import SystemClock
from crm_shared.db.embedded import EmbeddedPostgres, EmbeddedPostgresError
from crm_suite.allinone.home import AlreadyRunning, Home
from crm_suite.allinone.running import postgres_running
from crm_suite.backup.archive import DATABASES, MANIFEST, SECRETS, CannotBackUp, Manifest, release
from crm_suite.steps import Steps

_CHUNK = 1024 * 1024
_LEVEL = 1
"""Tables shrink to a fifth at once; higher levels cost five times the time for a tenth less."""


def back_up(console: Console, file: Path) -> None:
    """Write all data of this folder's installation into a new file, readable by its owner only: it holds secrets.

    Raises:
        CannotBackUp: there is nothing to save, or the file is there already.
    """
    home = Home.chosen()
    if not (home.postgres / "PG_VERSION").exists():
        raise CannotBackUp(f"There is no data in {home.folder}. CRM_HOME names another folder.")
    if file.exists():
        raise CannotBackUp(f"{file} is there already and is left alone; choose another name.")
    draft = file.with_name(f"{file.name}.partial")
    try:
        draft.touch(mode=0o600)
        asyncio.run(_save(home, draft, Steps(console)))
        draft.rename(file)
    except (OSError, EmbeddedPostgresError, asyncpg.PostgresError) as fault:
        raise CannotBackUp(f"No backup was made: {fault}") from None
    finally:
        draft.unlink(missing_ok=True)
    console.print(f"{file}, {file.stat().st_size / 1e6:,.1f} MB. It holds secrets: keep it as safe as the data.")


async def _save(home: Home, draft: Path, steps: Steps) -> None:
    async with _server(home) as postgres:
        with steps.step("databases saved, all of one instant"), zipfile.ZipFile(draft, "w", allowZip64=True) as archive:
            postgres_version = int((home.postgres / "PG_VERSION").read_text())
            manifest = Manifest(SystemClock().now().isoformat(), release(), postgres_version)
            archive.writestr(MANIFEST, manifest.to_bytes())
            for name in SECRETS:
                kept = home.recall(name)
                if kept is not None:
                    archive.writestr(f"{name}.json", orjson.dumps(kept))
            await _copy_databases(postgres, archive)


@asynccontextmanager
async def _server(home: Home) -> AsyncGenerator[EmbeddedPostgres]:
    """The server of the running suite; if none runs, ours for the time being."""
    try:
        home.lock()
    except AlreadyRunning:
        yield EmbeddedPostgres(home.postgres)
        return
    try:
        async with postgres_running(home) as postgres:
            yield postgres
    finally:
        home.release()


async def _copy_databases(postgres: EmbeddedPostgres, archive: zipfile.ZipFile) -> None:
    packed = zipfile.ZipInfo(DATABASES)
    packed.compress_type = zipfile.ZIP_DEFLATED
    packed._compresslevel = _LEVEL  # type: ignore[attr-defined] # noqa: SLF001 # no public way for a streamed member
    keeper = await asyncpg.connect(postgres.url())
    try:
        # Until this session ends the server keeps the log that the copy needs, however much is written meanwhile.
        await keeper.execute(f"SELECT pg_create_physical_replication_slot('backup_{os.getpid()}', true, true)")
        copying = await asyncio.create_subprocess_exec(
            *(postgres.program("pg_basebackup"), "--pgdata=-", "--format=tar", "--wal-method=fetch"),
            *("--checkpoint=fast", "--no-password", f"--host={postgres.sockets}", "--username=postgres"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd="/",
        )
        assert copying.stdout is not None
        assert copying.stderr is not None
        with archive.open(packed, "w", force_zip64=True) as member:
            while chunk := await copying.stdout.read(_CHUNK):
                member.write(chunk)
        complaint = (await copying.stderr.read()).decode(errors="replace").strip()
        if await copying.wait() != 0:
            raise CannotBackUp(f"PostgreSQL could not copy its data: {complaint}")
    finally:
        await keeper.close()
