"""A real SMTP server for tests: it pipelines, keeps what it gets, and answers as scripted."""

import asyncio
from dataclasses import dataclass, field
from typing import Self


@dataclass
class Caught:
    sender: str
    recipient: str
    data: bytes


@dataclass
class Sink:
    """`scripts` maps a recipient to what its RCPT or message is answered, or how it is left without an answer."""

    pipelining: bool = True
    keep: bool = True
    scripts: dict[str, tuple[str, str]] = field(default_factory=dict)
    mails: list[Caught] = field(default_factory=list)
    count: int = 0
    connections: int = 0
    commands: list[str] = field(default_factory=list)
    host: str = "127.0.0.1"
    port: int = 0
    _server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Session(self), self.host, 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self._server.close_clients() if hasattr(self._server, "close_clients") else None


class _Session(asyncio.Protocol):
    def __init__(self, sink: Sink) -> None:
        self.sink = sink
        self.buffer = b""
        self.sender = self.recipient = ""
        self.reading = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.sink.connections += 1
        self.reply("220 sink ESMTP")

    def reply(self, text: str) -> None:
        self.transport.write(text.encode() + b"\r\n")

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while True:
            if self.reading:
                end = self.buffer.find(b"\r\n.\r\n") if not self.buffer.startswith(b".\r\n") else -2
                if end == -1:
                    return
                body, self.buffer = self.buffer[: max(end, -0) + 2 if end >= 0 else 0], self.buffer[end + 5 :]
                self.reading = False
                self.finish(body)
            else:
                end = self.buffer.find(b"\r\n")
                if end < 0:
                    return
                line, self.buffer = self.buffer[:end].decode(), self.buffer[end + 2 :]
                self.command(line)

    def finish(self, body: bytes) -> None:
        kind, text = self.sink.scripts.get(self.recipient, ("", ""))
        if kind == "drop":
            self.transport.abort()
            return
        if kind == "message":
            self.reply(text)
            return
        if kind == "silent":
            return
        self.sink.count += 1
        if self.sink.keep:
            self.sink.mails.append(Caught(self.sender, self.recipient, body.replace(b"\r\n..", b"\r\n.")))
        self.reply("250 2.0.0 kept")

    def command(self, line: str) -> None:
        self.sink.commands.append(line)
        verb = line.split(" ", 1)[0].upper()
        if verb == "EHLO":
            self.reply("250-sink\r\n250-PIPELINING\r\n250 ENHANCEDSTATUSCODES" if self.sink.pipelining else "250 sink")
        elif verb == "MAIL":
            self.sender, self.recipient = line[11:-1], ""
            self.reply("250 2.1.0 ok")
        elif verb == "RCPT":
            address = line[9:-1]
            kind, text = self.sink.scripts.get(address, ("", ""))
            if kind == "rcpt":
                self.reply(text)
            elif kind == "vanish":
                self.transport.abort()
            else:
                self.recipient = address
                self.reply("250 2.1.5 ok")
        elif verb == "DATA":
            if self.recipient:
                self.reading = True
                self.reply("354 go on")
            else:
                self.reply("503 5.5.1 no recipient")
        elif verb == "QUIT":
            self.reply("221 bye")
            self.transport.close()
        else:
            self.reply("250 2.0.0 ok")
