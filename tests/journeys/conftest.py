"""A whole suite as a person starts it: the command, in a process of its own, on data of its own."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from crm_shared.testing.broker import free_port
from crm_suite.allinone.home import Home
from crm_suite.allinone.listening import free_port_after

from .collector import Collector, collecting

UP_WITHIN_S = 90
DOWN_WITHIN_S = 30


@dataclass
class RunningSuite:
    """`crm up` in a process of its own."""

    home: Home
    process: subprocess.Popen[bytes]
    printed: Path
    metrics_port: int = 0
    """Of the first process; the workers' is the next."""

    @property
    def facts(self) -> dict[str, Any]:
        facts = self.home.running()
        assert facts is not None
        return facts

    def text(self) -> str:
        return self.printed.read_text(encoding="utf-8")

    def family(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def stop(self, sign: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(sign)
        return self.process.wait(DOWN_WITHIN_S)


def start_suite(folder: Path, **environment: str) -> subprocess.Popen[bytes]:
    """The command, not waited for."""
    settings = os.environ | {"PORT": "0", "CRM_HOME": str(folder / "home"), "COLUMNS": "120", **environment}
    with (folder / "printed.txt").open("wb") as printed:
        return subprocess.Popen(
            [sys.executable, "-m", "crm_suite", "up"],
            env=settings,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=printed,
            start_new_session=True,
        )


def wait_until_up(folder: Path, process: subprocess.Popen[bytes]) -> RunningSuite:
    suite = RunningSuite(Home(folder / "home"), process, folder / "printed.txt")
    deadline = time.monotonic() + UP_WITHIN_S
    while time.monotonic() < deadline:
        assert process.poll() is None, suite.text()
        running = suite.home.running() or {}
        if running.get("pid") == process.pid and "url" in running and "Ctrl-C" in suite.text():
            return suite
        time.sleep(0.05)
    raise AssertionError(f"not up within {UP_WITHIN_S} s:\n{suite.text()}")


def two_free_ports() -> int:
    """The first of two neighbours."""
    while free_port_after(port := free_port()) != port + 1:
        pass
    return port


@contextmanager
def _short_lived() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="crm-journey-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def folder() -> Iterator[Path]:
    """Not pytest's own folder: that one is closed to the user that PostgreSQL runs as when we are root."""
    with _short_lived() as made:
        yield made


@pytest.fixture(scope="session")
def collector() -> Iterator[Collector]:
    with collecting() as collector:
        yield collector


@pytest.fixture(scope="session")
def suite(collector: Collector) -> Iterator[RunningSuite]:
    port = two_free_ports()
    watched = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_BSP_SCHEDULE_DELAY": "100",
        "METRICS_PORT": str(port),
    }
    with _short_lived() as made:
        running = wait_until_up(made, start_suite(made, **watched))
        running.metrics_port = port
        yield running
        running.stop()
