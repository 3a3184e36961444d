"""`crm up`: from nothing to a suite that answers, and back."""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
import uvloop
from rich.console import Console

from crm_shared.clock import SystemClock
from crm_shared.db.embedded import EmbeddedPostgresError
from crm_shared.observability.logs import configure_logs, logger
from crm_shared.observability.tracing import close_traces, configure_traces
from crm_suite.allinone.home import AlreadyRunning, Home
from crm_suite.allinone.listening import PortTaken, listen, listen_somewhere, port_of
from crm_suite.allinone.running import Doors, suite_running, until_asked_to_stop
from crm_suite.allinone.welcome import Addresses, welcome
from crm_suite.complaints import Complaint
from crm_suite.steps import Steps
from crm_suite.tenancy import Access, ensure_operator, ensure_tenant

DEFAULT_PORT = 8080
MAIL_PAGE_PORT = 8025
SMTP_PORT = 1025
TENANT = "corkscrew"
TENANT_NAME = "Corkscrew Records"


class CannotStart(Complaint):
    """The suite can't start here and now; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Wish:
    """How the suite shall be run."""

    host: str
    port: int
    table: bool

    @classmethod
    def from_environment(cls, *, table: bool = True) -> "Wish":
        given = os.environ.get("PORT") or str(DEFAULT_PORT)
        if not given.isdecimal() or int(given) > 65_535:
            raise CannotStart(f"PORT={given} is no port; choose a number up to 65535, or 0 for any free one.")
        return cls(os.environ.get("HOST") or "127.0.0.1", int(given), table)


def up(console: Console, wish: Wish) -> None:
    """Run until Ctrl-C or SIGTERM.

    Raises:
        CannotStart: with a sentence for the person who typed the command.
    """
    home = Home.chosen()
    try:
        home.lock()
    except AlreadyRunning as other:
        where = f" on {other.url}" if other.url else ""
        raise CannotStart(
            f"Corkscrew runs here already (process {other.pid or 'unknown'}){where}; it is left alone. "
            f"For a second one on data of its own: CRM_HOME=.crm-2 PORT={wish.port + 1} make run"
        ) from None
    try:
        with home.log.open("a", encoding="utf-8", buffering=1) as log:
            configure_logs(os.environ.get("LOG_LEVEL") or "INFO", stream=log)
            configure_traces()
            _run_to_the_end(console, wish, home)
            close_traces()
    finally:
        home.release()


def _run_to_the_end(console: Console, wish: Wish, home: Home) -> None:
    try:
        uvloop.run(_run(console, wish, home))
    except (PortTaken, EmbeddedPostgresError) as reason:
        raise CannotStart(str(reason)) from None
    except Exception as fault:  # noqa: BLE001 # whatever it was, a person gets a sentence and the log the trace
        logger("suite").error("start_failed", exc_info=fault)
        raise CannotStart(f"{type(fault).__name__}: {fault}\nMore in {home.log}.") from None


async def _run(console: Console, wish: Wish, home: Home) -> None:
    # Signals count from the first moment: Ctrl-C during the start stops what has been started so far.
    asked = asyncio.create_task(until_asked_to_stop())
    up = asyncio.Event()
    work = asyncio.create_task(_serve(console, wish, home, until=_told(up, asked, console)))
    await asyncio.wait({work, asked}, return_when=asyncio.FIRST_COMPLETED)
    if not up.is_set():
        work.cancel()
    await asyncio.wait({work})
    asked.cancel()
    if not work.cancelled():
        work.result()


def _told(up: asyncio.Event, asked: "asyncio.Task[str]", console: Console) -> Callable[[], Awaitable[None]]:
    async def wait() -> None:
        up.set()
        name = await asked
        console.print(f"\n{name}: stopping …", style="dim")

    return wait


async def _serve(console: Console, wish: Wish, home: Home, *, until: Callable[[], Awaitable[None]]) -> None:
    steps = Steps(console)
    known = home.recall("ports") or {}
    doors = Doors(
        gateway=listen("the gateway", wish.host, wish.port, variable="PORT"),
        mail_page=listen_somewhere("127.0.0.1", known.get("mail_page", MAIL_PAGE_PORT)),
        smtp=listen_somewhere("127.0.0.1", known.get("smtp", SMTP_PORT)),
    )
    home.remember("ports", {"mail_page": port_of(doors.mail_page), "smtp": port_of(doors.smtp)})
    addresses = Addresses(
        gateway=_address(doors.gateway), mail_page=_address(doors.mail_page), smtp=f"127.0.0.1:{port_of(doors.smtp)}"
    )
    _configure_mail(addresses, home)
    _configure_webhooks(home, wish.host)
    async with suite_running(home, doors, steps) as running:
        access = kept_access(home)
        assert running.gateway.database is not None
        now = SystemClock().now()
        await ensure_tenant(running.gateway.database, access, now=now)
        await ensure_operator(running.gateway.database, access, now=now)
        home.announce({"url": addresses.gateway, "mail": addresses.mail_page, "access": asdict(access)})
        if wish.table:
            welcome(console, addresses, access, notes=_notes(steps, home))
        await until()


def _configure_mail(addresses: Addresses, home: Home) -> None:
    """Point communication-dispatch at the sink, unless the environment names a relay already."""
    host, _, port = addresses.smtp.rpartition(":")
    if "SMTP_HOST" not in os.environ:
        os.environ |= {"SMTP_HOST": host, "SMTP_PORT": port}
    os.environ.setdefault(
        "MAIL_CURRENCY", "USD"
    )  # what the first tenant sells in; costs and receipts are never converted
    os.environ.setdefault("PUBLIC_URL", addresses.gateway)
    os.environ.setdefault("LINK_SECRET", home.keys().link_secret)
    # We hold the folder's lock: a sender that left a wave behind is dead, and need not be waited for.
    os.environ.setdefault("SENDER_LEASE_S", "5")


def _configure_webhooks(home: Home, host: str) -> None:
    """Give endpoints' secrets a key; where only this machine reaches us, let webhooks reach programs on it too."""
    os.environ.setdefault("WEBHOOK_KEYS", home.keys().webhook_keys)
    os.environ.setdefault("WEBHOOK_LEASE_S", "5")
    if host in {"127.0.0.1", "::1", "localhost"}:
        os.environ.setdefault("WEBHOOK_ALLOW_HTTP", "true")
        os.environ.setdefault("WEBHOOK_ALLOWED_PORTS", "443,1024-65535")
        os.environ.setdefault("WEBHOOK_ALLOWED_NETWORKS", "127.0.0.1/32,::1/128")


def _notes(steps: Steps, home: Home) -> list[str]:
    seconds = sum(steps.taken_s.values())
    return [
        f"Started in {seconds:.1f} s with {memory_mb():,.0f} MB. Data: {_near(home.folder)}, log: {_near(home.log)}.",
        "Next: make demo (in another terminal). Ctrl-C stops everything; the data stays.",
    ]


def kept_access(home: Home) -> Access:
    """The first tenant's access: made once, the same at every start."""
    kept = home.recall("access")
    if kept is not None:
        return Access(**kept)
    access = Access.new(TENANT, TENANT_NAME)
    home.remember("access", asdict(access))
    return access


def memory_mb() -> float:
    """Memory of this process and of the embedded server's, in MB; what they share is counted once."""
    me = psutil.Process()
    return sum(_share_of(process) for process in (me, *me.children(recursive=True))) / 1e6


def _share_of(process: psutil.Process) -> int:
    with suppress(psutil.Error, AttributeError):  # only Linux tells, and only about one's own
        return process.memory_full_info().pss
    with suppress(psutil.Error):  # it may have ended meanwhile
        return process.memory_info().rss
    return 0


def _address(listening: socket.socket) -> str:
    host = listening.getsockname()[0]
    return f"http://{'127.0.0.1' if host == '0.0.0.0' else host}:{port_of(listening)}"  # noqa: S104 # a comparison


def _near(path: Path) -> str:
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
