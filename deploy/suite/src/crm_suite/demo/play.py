"""`crm demo`: finds or starts a suite, opens a tenant of its own, and plays the acts in order."""

import asyncio
import os
import secrets
import signal
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, closing, suppress
from dataclasses import dataclass
from datetime import timedelta

from rich.console import Console

from crm_shared.clock import SystemClock
from crm_suite.allinone.home import Home
from crm_suite.allinone.listening import listen_somewhere, port_of
from crm_suite.complaints import Complaint
from crm_suite.demo.acts.campaigning import campaign
from crm_suite.demo.acts.gathering import gather
from crm_suite.demo.acts.knowing import know
from crm_suite.demo.acts.looking_back import look_back
from crm_suite.demo.acts.moving_in import move_in
from crm_suite.demo.acts.selling import sell
from crm_suite.demo.acts.serving import serve
from crm_suite.demo.chance import Chance
from crm_suite.demo.closing import show
from crm_suite.demo.door import Door, JobFailed, Refused, TookTooLong, eventually
from crm_suite.demo.figures import Figures
from crm_suite.demo.people import make_person
from crm_suite.demo.purchases import LogMissing, choose_customers, find_log, move_to, read_log
from crm_suite.demo.stage import Stage
from crm_suite.steps import Steps

BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
_UP_WITHIN_S = 60
_STOP_WITHIN_S = 30


class CannotPlay(Complaint):
    """The demo can't be played; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Theatre:
    """Where a suite runs, and an administrator's key to a tenant that is empty yet."""

    url: str
    mail: str
    tenant: str
    api_key: str


@dataclass(frozen=True, slots=True)
class Wish:
    """How large, and which of all possible stories."""

    customers: int
    seed: int


def play(console: Console, wish: Wish) -> None:
    """Play the whole demo.

    Raises:
        CannotPlay: with a sentence for the person who typed the command.
    """
    try:
        asyncio.run(_play(console, wish))
    except (LogMissing, TookTooLong, JobFailed, Refused, ValueError) as reason:
        raise CannotPlay(str(reason)) from reason


async def _play(console: Console, wish: Wish) -> None:
    started = time.monotonic()
    find_log()
    home = Home.chosen()
    async with running_suite(home, console) as theatre:
        stage = await perform(theatre, wish, console)
        show(stage, console)
        console.print(f"Played in {time.monotonic() - started:.0f} s, seed {wish.seed}.", style="bold", highlight=False)


async def perform(theatre: Theatre, wish: Wish, console: Console) -> Stage:
    """All acts, on a tenant that is empty yet."""
    now = SystemClock().now()
    chance = Chance(wish.seed)
    log = read_log(find_log())
    chosen = set(choose_customers(log, wish.customers))
    purchases = [one for one in move_to(log, now.date() - timedelta(days=1)) if one.customer in chosen]
    async with AsyncExitStack() as doors:
        stage = Stage(
            admin=await doors.enter_async_context(Door.opened(theatre.url, theatre.api_key)),
            mail=await doors.enter_async_context(Door.opened(theatre.mail, None)),
            browser=await doors.enter_async_context(Door.opened(theatre.url, None, agent=BROWSER)),
            chance=chance,
            now=now,
            purchases=purchases,
            people={number: make_person(number, chance) for number in chosen},
            steps=Steps(console),
            figures=Figures(),
            doors=doors,
            url=theatre.url,
            tenant=theatre.tenant,
        )
        for act in (move_in, gather, know, campaign, sell, serve, look_back):
            await act(stage)
        return stage


@asynccontextmanager
async def running_suite(home: Home, console: Console) -> AsyncGenerator[Theatre]:
    """The suite that runs on this folder; if there is none, one of our own for the time of the demo."""
    if home.is_locked():
        yield await _new_tenant(home)
        return
    suite = OwnSuite(home, os.environ.get("PORT") or str(_free_port()))
    await suite.start()
    keeping = asyncio.create_task(suite.keep_up())
    try:
        with Steps(console).step("suite started"):
            theatre = await _new_tenant(home, suite)
        yield theatre
    finally:
        keeping.cancel()
        await suite.stop()


def _free_port() -> int:
    with closing(listen_somewhere("127.0.0.1", 0)) as found:
        return port_of(found)


class OwnSuite:
    """A suite for the time of the demo, always on the same port; one that is killed is started again."""

    def __init__(self, home: Home, port: str) -> None:
        self._home = home
        self._port = port
        self.log = home.folder / "demo-suite.log"

    async def start(self) -> None:
        self._home.folder.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            # Not in our process group: Ctrl-C stops the demo, and the demo stops the suite.
            self.process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "crm_suite", "up", "--quiet"),
                env=os.environ | {"PORT": self._port},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    async def keep_up(self) -> None:
        while await self.process.wait() == -signal.SIGKILL:
            await self.start()

    async def stop(self) -> None:
        with suppress(ProcessLookupError):
            self.process.terminate()
        async with asyncio.timeout(_STOP_WITHIN_S):
            await self.process.wait()


async def _new_tenant(home: Home, suite: OwnSuite | None = None) -> Theatre:
    async def announced() -> dict[str, str] | None:
        if suite is not None and suite.process.returncode is not None:
            raise CannotPlay(f"The suite did not start; see {suite.log}.")
        running = home.running() or {}
        # What a killed suite announced is still there until its successor says more.
        ours = suite is None or running.get("pid") == suite.process.pid
        return running if ours and "url" in running else None

    running = await eventually("the suite to start", announced, within_s=_UP_WITHIN_S)
    from crm_suite.allinone.operator import open_tenant  # noqa: PLC0415

    access = await open_tenant(home, f"demo-{secrets.token_hex(3)}", "Corkscrew Records")
    return Theatre(running["url"], running["mail"], access.slug, access.api_key)
