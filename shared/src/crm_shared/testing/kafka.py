"""A real Apache Kafka for a test run, from Maven Central's jars: no Docker, some seconds to start.

`KAFKA_BOOTSTRAP_SERVERS` names another one. The jars are fetched once into `.cache/kafka`; all workers of one run share
one broker, and whoever leaves last stops it, by its process id.
"""

import fcntl
import json
import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from crm_shared.testing.broker import Broker, KafkaUnavailableHere, alive, end_broker, stop_process


@contextmanager
def kafka_for_tests(cache: Path) -> Generator[str]:
    """The URL of a running Kafka. Without one the test is skipped, loudly; under `CI=true` it fails."""
    given = os.environ.get("KAFKA_BOOTSTRAP_SERVERS")
    if given:
        yield f"kafka://{given}"
        return
    try:
        broker = SharedBroker(cache)
        broker.enter()
    except KafkaUnavailableHere as error:
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI must test with a real Kafka: {error}")
        pytest.skip(f"NO KAFKA, SO NOT TESTED: {error}")
    try:
        yield broker.url
    finally:
        broker.leave()


class SharedBroker:
    """One broker for all workers of a test run; a lock and a file in the cache tell them about it."""

    def __init__(self, cache: Path) -> None:
        self._cache = cache
        run = os.environ.get("PYTEST_XDIST_TESTRUNUID", f"pid-{os.getpid()}")
        self._folder = cache / "runs" / run
        self.url: str = ""

    def enter(self) -> None:
        """Start it, or join those who use it."""
        if shutil.which("java") is None:
            raise KafkaUnavailableHere("no java on the path (17 or newer)")
        with self._locked():
            self._sweep_forgotten_runs()
            state: dict[str, Any] | None = self._read()
            if state is None or not alive(int(state["pid"])):
                broker = Broker(self._cache, self._folder)
                broker.prepare()
                broker.start()
                state = {"pid": broker.pid, "url": broker.url, "users": list[int]()}
            state["users"] = [*state["users"], os.getpid()]
            self._write(state)
            self.url = state["url"]

    def leave(self) -> None:
        """Stop it, unless others still use it."""
        with self._locked():
            state = self._read()
            if state is None:
                return
            state["users"] = [pid for pid in state["users"] if pid != os.getpid() and alive(pid)]
            if state["users"]:
                self._write(state)
            else:
                end_broker(self._cache, int(state["pid"]))
                shutil.rmtree(self._folder, ignore_errors=True)

    @contextmanager
    def _locked(self) -> Generator[None]:
        self._cache.mkdir(parents=True, exist_ok=True)
        with (self._cache / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    @property
    def _state(self) -> Path:
        return self._folder / "state.json"

    def _read(self) -> dict[str, Any] | None:
        try:
            return json.loads(self._state.read_text())
        except (OSError, ValueError):
            return None

    def _write(self, state: dict[str, Any]) -> None:
        self._state.write_text(json.dumps(state))

    def _sweep_forgotten_runs(self) -> None:
        """A run that was killed left its broker behind: it is ours if its command names the run's folder."""
        for state_file in self._cache.glob("runs/*/state.json"):
            state = json.loads(state_file.read_text())
            if any(alive(pid) for pid in state["users"]):
                continue
            with suppress(OSError):
                if str(state_file.parent).encode() in Path(f"/proc/{state['pid']}/cmdline").read_bytes():
                    stop_process(int(state["pid"]))
            shutil.rmtree(state_file.parent, ignore_errors=True)
