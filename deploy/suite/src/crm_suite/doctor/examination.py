"""`crm doctor`: everything is looked at, however much of it is broken."""

import asyncio
import os

from crm_shared.clock import SystemClock
from crm_suite.allinone.home import Home
from crm_suite.allinone.up import DEFAULT_PORT
from crm_suite.doctor import machine
from crm_suite.doctor.bus import bus
from crm_suite.doctor.databases import databases
from crm_suite.doctor.door import gateway
from crm_suite.doctor.finding import Finding, error, note
from crm_suite.doctor.places import Places, find_places
from crm_suite.doctor.unsafe_settings import settings


def examine() -> list[Finding]:
    """All findings of this machine and of what it can reach."""
    home, environment = Home.chosen(), dict(os.environ)
    places = find_places(home, environment)
    findings = [*machine.python(), *machine.packages(), *machine.disk(home), *machine.memory(), *machine.open_files()]
    if not places.databases:
        port = environment.get("PORT", "")
        findings += [*machine.extras(), *machine.ports(int(port) if port.isdecimal() else DEFAULT_PORT)]
        findings += _not_running(home)
    return [*findings, *settings(environment, home), *asyncio.run(_reachable(places)), *_door(places, home)]


async def _reachable(places: Places) -> list[Finding]:
    looked = await asyncio.gather(databases(places), bus(places))
    return [finding for part in looked for finding in part]


def _door(places: Places, home: Home) -> list[Finding]:
    if places.embedded and not places.gateway:
        pid = (home.running() or {}).get("pid")
        why = "It has the folder and says no address yet: it is starting, or hangs."
        return [error("gateway", "the door", f"process {pid}", why=why, remedy=f"See {home.log}; it tells the step.")]
    return list(gateway(places.gateway, SystemClock()))


def _not_running(home: Home) -> list[Finding]:
    why = f"Nothing runs on {home.folder}, and no DATABASE_URL names a server: only this machine was looked at."
    remedy = "crm up; or set CRM_HOME, or each service's DATABASE_URL (docs/crm.md)"
    return [note("suite", "this folder", "not running", why=why, remedy=remedy)]
