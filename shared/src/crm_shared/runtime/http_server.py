"""Serving HTTP from one process or from several that share a port."""

import gc
import multiprocessing
import os
import signal
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from typing import Any

import uvicorn
from prometheus_client import start_http_server
from uvicorn.supervisors import Multiprocess

from crm_shared.observability.metrics import SHARED_FOLDER, registry
from crm_shared.settings import ServiceSettings

# Longer than the gateway and the edge keep an idle connection to us, so that no request of theirs meets a closing one.
_KEEP_ALIVE_S = 75


@dataclass(frozen=True, slots=True)
class Prepared:
    """Makes the application of one process; what its start-up made is then out of the garbage collector's sight."""

    make: Callable[[], Any]

    def __call__(self) -> Any:
        parent = multiprocessing.parent_process()
        if parent is not None:
            threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
        app = self.make()
        # Without this, each full collection walks half a million objects for nothing.
        gc.collect()
        gc.freeze()
        return app


def serve(make: Callable[[], Any], settings: ServiceSettings, *, metrics_port: int = 0, **options: Any) -> None:
    """Serve what `make` makes until asked to stop, in `settings.workers` processes.

    Each process makes its own, so with several `make` has to be picklable. One that dies is replaced; when one can't
    even start, all stop. SIGHUP replaces them one after the other. `options` are uvicorn's.
    """
    usual: dict[str, Any] = {
        "host": settings.host,
        "port": settings.port,
        "workers": settings.workers,
        "http": "httptools",
        "loop": "uvloop",
        "timeout_keep_alive": _KEEP_ALIVE_S,
        "log_config": None,
        "access_log": False,
        "server_header": False,
    }
    config = uvicorn.Config(Prepared(make), factory=True, **{**usual, **options})
    if config.workers == 1:
        _show_metrics(metrics_port)
        uvicorn.Server(config).run()
        return
    with tempfile.TemporaryDirectory(prefix="crm-metrics-") as folder:
        os.environ[SHARED_FOLDER] = folder
        _show_metrics(metrics_port)
        Multiprocess(config, sockets=[config.bind_socket()]).run()


def _show_metrics(port: int) -> None:
    if port:
        start_http_server(port, registry=registry())


def _end_with(parent: BaseProcess) -> None:
    """A parent that was killed leaves no orphans behind."""
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
