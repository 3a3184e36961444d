"""One Kafka broker from Maven Central's jars, for tests: it can be killed and started again."""

import asyncio
import base64
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
import uuid
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any

from crm_shared.bus.kafka import KafkaBus
from crm_shared.bus.port import BusError, Record

KAFKA = "4.3.1"
_POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>corkscrew</groupId>
  <artifactId>kafka-for-tests</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{KAFKA}</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
"""
_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
log.dirs={logs}
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
auto.create.topics.enable=false
num.network.threads=2
num.io.threads=2
log.cleaner.threads=1
log.cleaner.dedupe.buffer.size=2097152
"""
_FETCH_WITHIN_S = 300
_START_WITHIN_S = 60.0
_STOP_WITHIN_S = 20.0


class KafkaUnavailableHere(RuntimeError):
    """This machine can't run Kafka; the text says what is missing."""


class BrokerFailed(RuntimeError):
    """Everything is there and yet it doesn't work: an error of ours, no reason to skip."""


class Broker:
    """One broker process over one folder; it can be killed and started again on the same port."""

    def __init__(self, cache: Path, folder: Path) -> None:
        self._cache = cache
        self._folder = folder
        self.port = free_port()
        self._controller = free_port()
        self.pid = 0

    @property
    def url(self) -> str:
        """Where clients find it."""
        return f"kafka://127.0.0.1:{self.port}"

    def prepare(self) -> None:
        """Fetch the jars if need be, and format the folder."""
        fetch_jars(self._cache)
        self._folder.mkdir(parents=True, exist_ok=True)
        properties = _PROPERTIES.format(port=self.port, controller=self._controller, logs=self._folder / "logs")
        self._config.write_text(properties)
        # An id must not begin with a dash, or the tool takes it for an option.
        cluster = base64.urlsafe_b64encode(b"c" + uuid.uuid4().bytes[1:]).decode().rstrip("=")
        done = subprocess.run(  # noqa: S603 # our own arguments
            [*self._java("64m"), "kafka.tools.StorageTool", "format",
             "-t", cluster, "-c", str(self._config), "--standalone"],
            capture_output=True, check=False, cwd=self._folder, timeout=_START_WITHIN_S,
        )  # fmt: skip
        if done.returncode != 0:
            raise BrokerFailed(f"formatting failed: {done.stderr.decode(errors='replace')[-1000:]}")

    def start(self) -> None:
        """Start, and return once a record has made the round trip: an open port is too early a sign."""
        archive = class_archive(self._cache)
        sharing = f"-XX:SharedArchiveFile={archive}" if archive.exists() else f"-XX:ArchiveClassesAtExit={archive}"
        with (self._folder / "broker.log").open("ab") as log:
            process = subprocess.Popen(  # noqa: S603 # our own arguments
                [*self._java("256m", sharing), "kafka.Kafka", str(self._config)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self._folder, start_new_session=True,
            )  # fmt: skip
        self.pid = process.pid
        threading.Thread(target=process.wait, daemon=True).start()  # reaps it, whenever it ends
        in_own_loop(self._until_ready())

    def kill(self) -> None:
        """End it as a crash would."""
        _signal(self.pid, signal.SIGKILL)
        _wait_gone(self.pid, _STOP_WITHIN_S)

    def stop(self) -> None:
        """End it and delete its folder."""
        end_broker(self._cache, self.pid)
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def _config(self) -> Path:
        return self._folder / "server.properties"

    def _java(self, heap: str, *options: str) -> list[str]:
        return [
            "java", f"-Xmx{heap}", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-Xlog:disable",
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", *options, "-cp", f"{self._cache / 'libs'}/*",
        ]  # fmt: skip

    async def _until_ready(self) -> None:
        deadline = time.monotonic() + _START_WITHIN_S
        while time.monotonic() < deadline and alive(self.pid):
            with suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                with suppress(BusError, TimeoutError):
                    async with asyncio.timeout(10):
                        await _round_trip(self.url)
                        return
            await asyncio.sleep(0.1)
        tail = (self._folder / "broker.log").read_text(errors="replace")[-1000:]
        raise BrokerFailed(f"the broker did not start: {tail}")


def fetch_jars(cache: Path) -> None:
    """Have Maven put Kafka's jars into the cache, once."""
    done = cache / f"libs-{KAFKA}.complete"
    if done.exists():
        return
    maven = shutil.which("mvn")
    if maven is None:
        raise KafkaUnavailableHere("no mvn on the path to fetch Kafka's jars with")
    cache.mkdir(parents=True, exist_ok=True)
    (cache / "pom.xml").write_text(_POM)
    fetched = subprocess.run(  # noqa: S603 # our own arguments
        [maven, "-q", "-B", "dependency:copy-dependencies", "-DincludeScope=runtime",
         f"-DoutputDirectory={cache / 'libs'}"],
        cwd=cache, capture_output=True, check=False, timeout=_FETCH_WITHIN_S,
    )  # fmt: skip
    if fetched.returncode != 0:
        raise KafkaUnavailableHere(
            f"Maven could not fetch Kafka's jars: {fetched.stdout.decode(errors='replace')[-500:]}"
        )
    done.touch()


def free_port() -> int:
    """A port that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def in_own_loop(work: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine to its end beside whatever loop this thread has."""
    failed: list[BaseException] = []

    def run() -> None:
        try:
            asyncio.run(work)
        except BaseException as error:  # noqa: BLE001 # handed to the caller
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]


def class_archive(cache: Path) -> Path:
    """Where Java keeps the loaded classes, so that the next broker starts in half the time."""
    return cache / f"classes-{KAFKA}.jsa"


def end_broker(cache: Path, pid: int) -> None:
    """End a broker whose data nobody wants; only an orderly end writes the class archive."""
    if class_archive(cache).exists():
        _signal(pid, signal.SIGKILL)
        _wait_gone(pid, _STOP_WITHIN_S)
    else:
        stop_process(pid)


def stop_process(pid: int) -> None:
    """Ask one process to end, then make it."""
    _signal(pid, signal.SIGTERM)
    if not _wait_gone(pid, _STOP_WITHIN_S):
        _signal(pid, signal.SIGKILL)
        _wait_gone(pid, _STOP_WITHIN_S)


async def _round_trip(url: str) -> None:
    bus = KafkaBus(f"{url}?session_timeout_s=6")
    topic = f"crm.ready-{uuid.uuid4().hex[:8]}"
    try:
        await bus.ensure_topics([topic])
        await bus.publish([Record(topic, "ready", b"?")])
        subscription = await bus.subscribe(topic, [topic])
        try:
            while not await subscription.fetch(1, 0.5):
                pass
        finally:
            await subscription.aclose()
    finally:
        await bus.aclose()


def _signal(pid: int, sign: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, sign)


def alive(pid: int) -> bool:
    """Whether the process exists and is no zombie."""
    try:
        os.kill(pid, 0)
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (OSError, ValueError):
        return False


def _wait_gone(pid: int, within_s: float) -> bool:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if not alive(pid):
            return True
        time.sleep(0.05)
    return False
