"""Serving HTTP from one process, or from several that share a port."""

import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from typing import Any

import uvicorn
from prometheus_client import start_http_server
from prometheus_client.multiprocess import mark_process_dead  # pyright: ignore[reportUnknownVariableType]
from uvicorn.config import STARTUP_FAILURE

from crm_shared.observability.metrics import SHARED_FOLDER, registry
from crm_shared.observability.tracing import configure_traces
from crm_shared.runtime.draining import DrainingServer
from crm_shared.runtime.freezing import freeze_start_up
from crm_shared.settings import ServiceSettings

# Longer than the gateway and the edge keep an idle connection to us, so that no request of theirs meets a closing one.
_KEEP_ALIVE_S = 75
_BACKLOG = 2048
_LOOK_S = 0.2
_STARTING_S = 30.0
_LISTENER = "CRM_LISTENER"
_LIFELINE = "CRM_LIFELINE"
"""Variables that name what a sharer of a port inherits: its socket, and a pipe that ends when the parent does."""


def serve(make: Callable[[], Any], settings: ServiceSettings, *, metrics_port: int = 0, **options: Any) -> None:
    """Serve what `make` makes until asked to stop, in `settings.workers` processes; `options` are uvicorn's."""
    # The soft limit is meant for shells; thousands of idle connections are nothing to an event loop.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if settings.workers > 1 and _LISTENER not in os.environ:
        sys.exit(_share(settings, metrics_port))
    usual: dict[str, Any] = {
        "host": settings.host,
        "port": settings.port,
        "http": "httptools",
        "loop": "uvloop",
        "timeout_keep_alive": _KEEP_ALIVE_S,
        "timeout_graceful_shutdown": settings.finish_s,
        "log_config": None,
        "access_log": False,
        "server_header": False,
    }
    configure_traces()
    server = DrainingServer(uvicorn.Config(make(), **{**usual, **options}), drain_s=settings.drain_s)
    freeze_start_up()
    if _LISTENER in os.environ:
        threading.Thread(target=_end_with_parent, args=(int(os.environ[_LIFELINE]),), daemon=True).start()
        server.run([socket.socket(fileno=int(os.environ[_LISTENER]))])
    else:
        _show_metrics(metrics_port)
        server.run()
    if not server.started:
        sys.exit(STARTUP_FAILURE)


def _share(settings: ServiceSettings, metrics_port: int) -> int:
    """Run this very command in several processes and replace those that die; the exit code.

    Each has a socket of its own (SO_REUSEPORT): from one they all shared, whoever wakes first takes a whole burst of
    connections, and keeps them. The sockets stay open here, so that what waits for a dead process meets its successor.
    """
    asked: list[int] = []
    for sign in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sign, lambda number, _: asked.append(number))
    lifeline, _ = os.pipe()  # the other end closes when we end, however that comes
    with tempfile.TemporaryDirectory(prefix="crm-metrics-") as folder:
        os.environ[SHARED_FOLDER] = folder
        _show_metrics(metrics_port)
        sharers = [_Sharer(listener, lifeline) for listener in _listeners(settings)]
        code = None
        while not asked and code is None:
            time.sleep(_LOOK_S)
            ended = [sharer for sharer in sharers if sharer.process.poll() is not None]
            if any((sharer.process.returncode or 0) > 0 for sharer in ended):
                code = STARTUP_FAILURE  # it didn't die, it gave up: the next one would, too
                break
            for sharer in ended:
                mark_process_dead(sharer.process.pid)  # its gauges speak of nobody any more
                sharer.start()
        for sharer in sharers:
            sharer.process.terminate()
        for sharer in sharers:
            sharer.process.wait()
    return code or 0


class _Sharer:
    """One of the processes, and what it inherits."""

    def __init__(self, listener: socket.socket, lifeline: int) -> None:
        self._listener = listener
        self._lifeline = lifeline
        self.start()

    @property
    def gave_up(self) -> bool:
        """Whether it ended by itself before it can have served."""
        return (self.process.returncode or 0) > 0 and time.monotonic() - self._began < _STARTING_S

    def start(self) -> None:
        self._began = time.monotonic()
        inherited = (self._listener.fileno(), self._lifeline)
        told = {_LISTENER: str(inherited[0]), _LIFELINE: str(inherited[1])}
        self.process = subprocess.Popen(  # noqa: S603 # our own command line, as it was given
            [sys.executable, *sys.orig_argv[1:]],
            env={**os.environ, **told},
            pass_fds=inherited,
        )


def _listeners(settings: ServiceSettings) -> list[socket.socket]:
    """One listening socket for each process, all on one port."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    made: list[socket.socket] = []
    port = settings.port
    for _ in range(settings.workers):
        # Without the protocol said, the event loop might not switch Nagle's delay off.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind((settings.host, port))
        listener.listen(_BACKLOG)
        port = listener.getsockname()[1]
        made.append(listener)
    return made


def _show_metrics(port: int) -> None:
    if port:
        start_http_server(port, registry=registry())


def _end_with_parent(lifeline: int) -> None:
    """A parent that was killed leaves no orphans behind."""
    os.read(lifeline, 1)
    os.kill(os.getpid(), signal.SIGTERM)
