"""`crm restore FILE`: laid down beside the present data, verified and started once, and only then put in its place."""

import asyncio
import shutil
import subprocess
import tarfile
import zipfile
import zlib
from pathlib import Path

import orjson
from rich.console import Console

from crm_shared.db.base_backup import DamagedData, NewerData, begin_epoch, take_over
from crm_shared.db.embedded import EmbeddedPostgres, EmbeddedPostgresError
from crm_shared.db.walls import Roles
from crm_suite.allinone.databases import Server
from crm_suite.allinone.home import AlreadyRunning, Home
from crm_suite.backup.archive import DATABASES, SECRETS, CannotRestore, opened
from crm_suite.steps import Steps
from crm_suite.topology import load_suite

_STAGING = "restoring"
_REPLACED = "postgres.replaced"


def restore(console: Console, file: Path, *, force: bool) -> None:
    """Bring an installation back to what it was when the backup was made; `force` gives up the data that is here.

    Raises:
        CannotRestore: the suite runs, there is data already, or the file is no sound backup; nothing has changed.
    """
    home = Home.chosen()
    try:
        home.lock()
    except AlreadyRunning as other:
        raise CannotRestore(f"The suite runs (process {other.pid or 'unknown'}); stop it first.") from None
    try:
        _restore(home, file, Steps(console), force=force)
    except DamagedData as fault:
        raise CannotRestore(f"{file} is damaged, and nothing has changed: {fault}") from None
    except NewerData as fault:
        raise CannotRestore(f"{fault} Update this suite first; nothing has changed.") from None
    except EmbeddedPostgresError as fault:
        raise CannotRestore(f"{file} can't be restored, and nothing has changed: {fault}") from None
    finally:
        shutil.rmtree(home.folder / _STAGING, ignore_errors=True)
        home.release()
    console.print("Restored. Start it with: crm up")


def _restore(home: Home, file: Path, steps: Steps, *, force: bool) -> None:
    if home.postgres.exists() and not force:
        raise CannotRestore(f"There is data in {home.folder} already. --force replaces it, for good.")
    staging = home.folder / _STAGING
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    postgres = EmbeddedPostgres(staging / "postgres")
    with opened(file, postgres=_postgres_version(postgres)) as archive:
        with steps.step("unpacked"):
            _unpack(archive, postgres.data)
        secrets = {name: _secret(archive, name) for name in SECRETS}
    with steps.step("verified"):
        take_over(postgres)
    with steps.step("a new epoch of all events"):
        asyncio.run(_begin_epoch(postgres))
    _put_in_place(home, postgres.data)
    for name, values in secrets.items():
        if values is not None:
            home.remember(name, values)


def _postgres_version(postgres: EmbeddedPostgres) -> int:
    told = subprocess.run([postgres.program("postgres"), "--version"], capture_output=True, check=True, text=True)
    return int(told.stdout.split()[2].split(".")[0])


def _unpack(archive: zipfile.ZipFile, data: Path) -> None:
    data.mkdir()
    try:
        with archive.open(DATABASES) as member, tarfile.open(fileobj=member, mode="r|") as packed:
            packed.extractall(data, filter="data")
    except (KeyError, tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError) as fault:
        raise CannotRestore(f"The backup is damaged: {fault}. Take another copy of it.") from None


def _secret(archive: zipfile.ZipFile, name: str) -> dict[str, str] | None:
    member = f"{name}.json"
    return orjson.loads(archive.read(member)) if member in archive.namelist() else None


async def _begin_epoch(postgres: EmbeddedPostgres) -> None:
    """Number events anew: somebody outside may have seen some that this data knows nothing of."""
    await postgres.started()
    try:
        server = Server(postgres)
        for service in load_suite().services.values():
            await begin_epoch(service.schema, server.url(service.name, Roles.of(service.name).owner))
    finally:
        await asyncio.to_thread(postgres.stop)
        shutil.rmtree(postgres.sockets, ignore_errors=True)


def _put_in_place(home: Home, data: Path) -> None:
    replaced = home.folder / _REPLACED
    shutil.rmtree(replaced, ignore_errors=True)
    if home.postgres.exists():
        home.postgres.rename(replaced)
    data.rename(home.postgres)
    shutil.rmtree(replaced, ignore_errors=True)
