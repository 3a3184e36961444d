"""A receiving SMTP server in one protocol class.

Ours instead of aiosmtpd's: that one accepts about 1,000 mails a second and core, so that a sender held against 5,000
would measure the sink. This one answers pipelined commands (RFC 2920) with one write per read and takes over 40,000.
It speaks RFC 5321 without authentication and TLS, which a sink on the loopback address does not need.
"""

import asyncio
import re
import socket
from dataclasses import dataclass, field
from typing import cast

from crm_suite.mailsink.mailbox import Mailbox

MAX_MAIL_BYTES = 25 * 1024 * 1024
MAX_LINE_BYTES = 4_096
MAX_RECIPIENTS = 1_000
NEVER_DELIVERED = "gone.example"
"""Mail to this domain bounces here, so that a demo can show a dead address; RFC 2606 keeps `.example` free for ever."""

# A path may hold a quoted local part, and that one may hold `>` (RFC 5321, 4.1.2).
_PATH = re.compile(rb'\s*<((?:"(?:[^"\\]|\\.)*"|[^">])*)>\s*(.*)', re.DOTALL)
_END_OF_MAIL = b"\r\n.\r\n"

GREETING = b"220 corkscrew mail sink ESMTP\r\n"
EXTENSIONS = (
    b"250-corkscrew\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-ENHANCEDSTATUSCODES\r\n250 SIZE %d\r\n"
    % (MAX_MAIL_BYTES)
)
OK = b"250 2.0.0 OK\r\n"
BAD_SEQUENCE = b"503 5.5.1 Commands out of order\r\n"
BAD_PATH = b"501 5.5.4 Expected a path in angle brackets\r\n"


@dataclass
class Envelope:
    sender: str | None = None
    recipients: list[str] = field(default_factory=list[str])


class SmtpSession(asyncio.Protocol):
    """One connection; `sessions` holds the open ones, so that stopping can close them."""

    def __init__(self, mailbox: Mailbox, sessions: "set[SmtpSession]") -> None:
        self._mailbox = mailbox
        self._sessions = sessions
        self._buffer = bytearray()
        self._searched = 0
        self._receiving_mail = False
        self._envelope = Envelope()
        self._replies: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._sessions.add(self)
        self._transport.write(GREETING)

    def connection_lost(self, exc: Exception | None) -> None:
        self._sessions.discard(self)

    def close(self) -> None:
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while not self._transport.is_closing() and (self._take_mail() if self._receiving_mail else self._take_line()):
            pass
        if self._replies:
            self._transport.write(b"".join(self._replies))
            self._replies.clear()

    def _take_line(self) -> bool:
        end = self._buffer.find(b"\n")
        if end < 0 or end > MAX_LINE_BYTES:
            if len(self._buffer) > MAX_LINE_BYTES:
                self._hang_up(b"500 5.5.6 Line too long\r\n")
            return False
        line = bytes(self._buffer[:end]).rstrip(b"\r")
        del self._buffer[: end + 1]
        self._replies.append(self._answer(line))
        if line[:4].upper() == b"QUIT":
            self._hang_up(b"")
        return True

    def _take_mail(self) -> bool:
        # An empty mail ends with the dot alone, without the line end that the DATA line brought.
        if self._buffer.startswith(b".\r\n"):
            return self._caught(b"", 3)
        end = self._buffer.find(_END_OF_MAIL, self._searched)
        if end < 0:
            self._searched = max(len(self._buffer) - len(_END_OF_MAIL) + 1, 0)
            if len(self._buffer) > MAX_MAIL_BYTES:
                self._hang_up(b"552 5.3.4 Mail too big\r\n")
            return False
        raw = bytes(self._buffer[: end + 2])
        if raw.startswith(b"."):
            raw = raw[1:]
        return self._caught(raw.replace(b"\r\n..", b"\r\n."), end + len(_END_OF_MAIL))

    def _caught(self, raw: bytes, taken: int) -> bool:
        del self._buffer[:taken]
        self._searched = 0
        self._receiving_mail = False
        envelope, self._envelope = self._envelope, Envelope()
        mail = self._mailbox.catch(envelope.sender or "", tuple(envelope.recipients), raw)
        self._replies.append(b"250 2.0.0 Caught as %d\r\n" % mail.number)
        return True

    def _answer(self, line: bytes) -> bytes:  # noqa: PLR0911 - one answer per command of the RFC
        match line[:4].upper():
            case b"EHLO":
                self._envelope = Envelope()
                return EXTENSIONS
            case b"HELO":
                self._envelope = Envelope()
                return b"250 corkscrew\r\n"
            case b"MAIL":
                return self._sender(line)
            case b"RCPT":
                return self._recipient(line)
            case b"DATA":
                return self._data()
            case b"RSET":
                self._envelope = Envelope()
                return OK
            case b"NOOP":
                return OK
            case b"VRFY":
                return b"252 2.1.5 Send some mail and see\r\n"
            case b"QUIT":
                return b"221 2.0.0 Bye\r\n"
            case _:
                return b"500 5.5.1 Unknown command\r\n"

    def _sender(self, line: bytes) -> bytes:
        path = _PATH.match(line[10:]) if line[:10].upper() == b"MAIL FROM:" else None
        if path is None:
            return BAD_PATH
        size = re.search(rb"SIZE=(\d{1,12})", path[2], re.IGNORECASE)
        if size and int(size[1]) > MAX_MAIL_BYTES:
            return b"552 5.3.4 Mail too big\r\n"
        self._envelope = Envelope(sender=path[1].decode("utf-8", "replace"))
        return OK

    def _recipient(self, line: bytes) -> bytes:
        if self._envelope.sender is None:
            return BAD_SEQUENCE
        path = _PATH.match(line[8:]) if line[:8].upper() == b"RCPT TO:" else None
        if path is None or not path[1]:
            return BAD_PATH
        address = path[1].decode("utf-8", "replace")
        if address.casefold().endswith("@" + NEVER_DELIVERED):
            self._mailbox.refused += 1
            return b"550 5.1.2 No such domain, and there never will be\r\n"
        if len(self._envelope.recipients) >= MAX_RECIPIENTS:
            return b"452 4.5.3 Too many recipients\r\n"
        self._envelope.recipients.append(address)
        return OK

    def _data(self) -> bytes:
        if not self._envelope.recipients:
            return BAD_SEQUENCE
        self._receiving_mail = True
        self._searched = 0
        return b"354 End with <CR><LF>.<CR><LF>\r\n"

    def _hang_up(self, reply: bytes) -> None:
        self._transport.write(b"".join([*self._replies, reply]))
        self._replies.clear()
        self._transport.close()


class SmtpSink:
    """The listening server with its open sessions."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox
        self._sessions: set[SmtpSession] = set()
        self._server: asyncio.Server | None = None

    async def start(self, listening: socket.socket) -> None:
        """Answer on a socket that listens already."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: SmtpSession(self._mailbox, self._sessions), sock=listening)

    async def stop(self) -> None:
        if self._server is None:
            return
        self._server.close()
        for session in list(self._sessions):
            session.close()
        await self._server.wait_closed()
        self._server = None
