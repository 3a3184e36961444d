"""The form of a backup: a zip file with a manifest, the home's secrets, and PostgreSQL's own base backup.

A base backup holds all databases at one instant, the event log's too: what an owner has committed and a consumer has
not yet seen is then still on its way, in the outbox or the log, and arrives after a restore as it would have before.
"""

import zipfile
import zlib
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import orjson

from crm_suite.complaints import Complaint

KIND = "corkscrew backup"
FORMAT = 1
MANIFEST = "manifest.json"
DATABASES = "postgres.tar"
SECRETS = ("keys", "access")
"""What the home remembers beside the databases: without it links, cursors and keys that are out would be void."""


class CannotBackUp(Complaint):
    """No backup was made; the text says why and what to do."""


class CannotRestore(Complaint):
    """Nothing was restored and nothing changed; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup says about itself."""

    made_at: str
    release: str
    postgres: int
    kind: str = KIND
    format: int = FORMAT

    def to_bytes(self) -> bytes:
        return orjson.dumps(asdict(self), option=orjson.OPT_INDENT_2)


def release() -> str:
    """The version of this suite."""
    return version("crm-suite")


def opened(path: Path, *, postgres: int) -> zipfile.ZipFile:
    """A backup that this suite can restore, as far as its manifest tells.

    Raises:
        CannotRestore: the file is something else, damaged, or from a newer version.
    """
    try:
        archive = zipfile.ZipFile(path)
    except FileNotFoundError:
        raise CannotRestore(f"There is no file {path}.") from None
    except (zipfile.BadZipFile, OSError) as fault:
        raise CannotRestore(f"{path} is no backup, or a damaged one: {fault}.") from None
    try:
        _check(path, archive, postgres)
    except CannotRestore:
        archive.close()
        raise
    return archive


def _check(path: Path, archive: zipfile.ZipFile, postgres: int) -> None:
    try:
        found: Any = orjson.loads(archive.read(MANIFEST))
        if found.pop("kind") != KIND:
            raise ValueError("another kind of file")
        form = found.pop("format")
        newer = form > FORMAT or _parts(found["release"]) > _parts(release())
        manifest = None if newer else Manifest(**found)
    except (KeyError, TypeError, AttributeError, ValueError, zipfile.BadZipFile, zlib.error):
        raise CannotRestore(f"{path} is no backup of this suite.") from None
    if manifest is None:
        raise CannotRestore(f"{path} was made by a newer version ({found.get('release')}). Update this suite first.")
    if manifest.postgres != postgres:
        raise CannotRestore(f"{path} holds data of PostgreSQL {manifest.postgres}; this suite brings {postgres}.")


def _parts(text: str) -> list[int]:
    return [int(part) for part in text.split(".")[:3]]
