"""The folder that outlives a run: data, keys, log, and a lock that keeps a second run away."""

import fcntl
import os
import secrets
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TextIO

import orjson

DEFAULT_FOLDER = ".crm"


class AlreadyRunning(Exception):
    """Another suite runs on this folder; `pid` and `url` say which."""

    def __init__(self, pid: int | None, url: str | None) -> None:
        super().__init__(pid, url)
        self.pid = pid
        self.url = url


@dataclass(frozen=True, slots=True)
class Keys:
    """Secrets of one installation, made at its first start and kept: a restart must not lock anybody out."""

    signing_key: dict[str, Any]
    cursor_secret: str
    link_secret: str
    webhook_keys: str

    @classmethod
    def new(cls) -> "Keys":
        from crm_shared.http.auth import TokenSigner  # noqa: PLC0415 # a second that only the first start needs

        return cls(
            signing_key=TokenSigner.generate().private_jwk(),
            cursor_secret=secrets.token_urlsafe(32),
            link_secret=secrets.token_urlsafe(32),
            webhook_keys=secrets.token_urlsafe(32),
        )


class Home:
    """The folder of one installation."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock: TextIO | None = None

    @classmethod
    def chosen(cls) -> "Home":
        """`CRM_HOME`, or `.crm` in the current folder."""
        return cls(Path(os.environ.get("CRM_HOME") or DEFAULT_FOLDER).absolute())

    @property
    def postgres(self) -> Path:
        return self.folder / "postgres"

    @property
    def log(self) -> Path:
        return self.folder / "suite.log"

    def lock(self) -> None:
        """Claim the folder for this process. The kernel lets go when the process ends, however it ends.

        Raises:
            AlreadyRunning: another process has it.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        file = (self.folder / "lock").open("a+", encoding="utf-8")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            running = self.running() or {}
            raise AlreadyRunning(running.get("pid"), running.get("url")) from None
        self._lock = file
        self._write("running.json", {"pid": os.getpid()})

    def announce(self, facts: dict[str, Any]) -> None:
        """Tell other commands (`crm demo`, `crm doctor`) where this run listens and how to get in."""
        self._write("running.json", {"pid": os.getpid(), **facts})

    def running(self) -> dict[str, Any] | None:
        """What the last run announced; it may have ended since."""
        return self._read("running.json")

    def is_locked(self) -> bool:
        """Tells whether a suite runs on this folder now."""
        try:
            with (self.folder / "lock").open("r+", encoding="utf-8") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except OSError:
            return True
        return False

    def release(self) -> None:
        if self._lock is not None:
            (self.folder / "running.json").unlink(missing_ok=True)
            self._lock.close()
            self._lock = None

    def keys(self) -> Keys:
        """What is kept; a folder of an older version gets what it lacks."""
        kept = self._read("keys.json") or {}
        if kept.keys() >= set(Keys.__slots__):
            return Keys(**kept)
        keys = replace(Keys.new(), **kept)
        self._write("keys.json", {name: getattr(keys, name) for name in Keys.__slots__})
        return keys

    def remember(self, name: str, values: dict[str, Any]) -> None:
        """Keep something under a name of its own, readable by the owner only."""
        self._write(f"{name}.json", values)

    def recall(self, name: str) -> dict[str, Any] | None:
        return self._read(f"{name}.json")

    def _read(self, name: str) -> dict[str, Any] | None:
        with suppress(FileNotFoundError, orjson.JSONDecodeError):
            return orjson.loads((self.folder / name).read_bytes())
        return None

    def _write(self, name: str, values: dict[str, Any]) -> None:
        """Whole or not at all: a kill in the middle leaves the old file."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / name
        draft = path.with_suffix(".new")
        draft.touch(mode=0o600)
        draft.write_bytes(orjson.dumps(values, option=orjson.OPT_INDENT_2))
        draft.replace(path)
