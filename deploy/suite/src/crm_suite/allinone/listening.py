"""Listening sockets, taken before anything else is started: a taken port is said at once."""

import errno
import socket
from contextlib import closing


class PortTaken(Exception):
    """Another program listens on this port already."""

    def __init__(self, what: str, port: int, variable: str) -> None:
        super().__init__(
            f"Port {port} ({what}) is taken by another program. "
            f"Choose another, for example: {variable}={free_port_after(port)} make run"
        )
        self.port = port


def listen(what: str, host: str, port: int, *, variable: str) -> socket.socket:
    """A listening socket.

    Raises:
        PortTaken: naming the port and the setting that changes it.
    """
    try:
        return _bound(host, port)
    except OSError as refused:
        if refused.errno in {errno.EADDRINUSE, errno.EACCES}:
            raise PortTaken(what, port, variable) from None
        raise


def listen_somewhere(host: str, port: int) -> socket.socket:
    """A listening socket on this port if it is free, else on any: for what is found through the printed table only."""
    try:
        return _bound(host, port)
    except OSError:
        return _bound(host, 0)


def port_of(listening: socket.socket) -> int:
    port: int = listening.getsockname()[1]
    return port


def free_port_after(port: int) -> int:
    for candidate in range(port + 1, port + 100):
        try:
            with closing(_bound("127.0.0.1", candidate)):
                return candidate
        except OSError:
            continue
    return port + 1


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.create_server((host, port), family=family, backlog=512)
    listening.setblocking(False)
    return listening
