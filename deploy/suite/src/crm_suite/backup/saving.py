"""`crm backup FILE`: with the suite running or stopped, all databases of one instant and what the home remembers."""

import asyncio
import zipfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import orjson
from rich.console import Console

from crm_shared.clock import SystemClock
from crm_shared.db.base_backup import copy_out
from crm_shared.db.embedded import EmbeddedPostgres, EmbeddedPostgresError
from crm_suite.allinone.home import AlreadyRunning, Home
from crm_suite.allinone.running import postgres_running
from crm_suite.backup.archive import DATABASES, MANIFEST, SECRETS, CannotBackUp, Manifest, release
from crm_suite.steps import Steps

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
    except (OSError, EmbeddedPostgresError) as fault:
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
    with archive.open(packed, "w", force_zip64=True) as member:
        await copy_out(postgres, member.write)
