"""SMTP (RFC 5321) on asyncio: pooled sessions, an envelope in one round trip where the relay pipelines (RFC 2920)."""

import asyncio
import base64
import re
import ssl
from collections.abc import Sequence
from contextlib import suppress
from typing import cast

from crm_communication_dispatch.providers.domain import (
    Answer,
    Capabilities,
    Channel,
    Fault,
    Outcome,
    Relay,
    Reply,
    Security,
    Stage,
    WireMail,
    classify,
)
from crm_communication_dispatch.providers.mime import dot_stuffed

_MAX_REPLY = 64 * 1024
_ENHANCED = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?:\s|$)")


class SmtpDown(Exception):
    """No usable connection to the relay; nothing of the mail at hand has left us."""

    def __init__(self, reason: str, reply: Reply | None = None) -> None:
        super().__init__(reason)
        self.reply = reply


class _Lost(Exception):
    """The connection ended while we waited."""


class _Replies(asyncio.Protocol):
    """Reads replies as they come; one waiter at a time asks for the next `n`."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self._buffer = b""
        self._lines: list[str] = []
        self._ready: list[Reply] = []
        self._waiter: asyncio.Future[None] | None = None
        self._wanted = 0
        self.lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is one, though not by inheritance

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\n")) >= 0:
            self._line(self._buffer[:end].rstrip(b"\r").decode("utf-8", "replace"))
            self._buffer = self._buffer[end + 1 :]
        if len(self._buffer) > _MAX_REPLY or len(self._lines) > 500:
            self.abort()

    def _line(self, line: str) -> None:
        self._lines.append(line[4:])
        if line[3:4] == "-":
            return
        text, self._lines = "\n".join(self._lines), []
        code = int(line[:3]) if line[:3].isdigit() else 0
        found = _ENHANCED.match(text)
        self._ready.append(Reply(code, found.group(1) if found else None, text[:1_000]))
        if len(self._ready) >= self._wanted:
            self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def abort(self) -> None:
        """Cut the connection."""
        self.lost = True
        if self.transport is not None:
            self.transport.abort()
        self._wake()

    def forget(self) -> None:
        """Drop what came before TLS began: it could have been put there by anyone (CVE-2011-0411)."""
        self._buffer, self._lines, self._ready = b"", [], []

    async def take(self, count: int) -> list[Reply]:
        """The next `count` replies.

        Raises:
            _Lost: the connection ended first.
        """
        if len(self._ready) < count:
            if self.lost:
                raise _Lost
            self._wanted = count
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter, self._wanted = None, 0
            if len(self._ready) < count:
                raise _Lost
        replies, self._ready = self._ready[:count], self._ready[count:]
        return replies


class SmtpConnection:
    """One open session with a relay."""

    def __init__(self, relay: Relay, replies: _Replies) -> None:
        self._relay = relay
        self._replies = replies
        self._features: dict[str, str] = {}

    @classmethod
    async def open(cls, relay: Relay, *, helo: str) -> "SmtpConnection":
        """Connect, greet, secure and log in.

        Raises:
            SmtpDown: the relay can't be reached or turns us away.
        """
        replies: _Replies | None = None
        try:
            async with asyncio.timeout(relay.timeout_s):
                context = _context(relay) if relay.security is Security.TLS else None
                _, replies = await asyncio.get_running_loop().create_connection(
                    _Replies, relay.host, relay.port, ssl=context, server_hostname=relay.host if context else None
                )
                connection = cls(relay, replies)
                await connection._greet(helo)
                return connection
        except (OSError, TimeoutError, _Lost, ssl.SSLError) as error:
            if replies is not None:
                replies.abort()
            raise SmtpDown(f"{relay.host}:{relay.port} can't be reached ({type(error).__name__})") from error
        except SmtpDown:
            if replies is not None:
                replies.abort()
            raise

    @property
    def usable(self) -> bool:
        """Whether another mail may be tried on this session."""
        return not self._replies.lost

    @property
    def pipelines(self) -> bool:
        """Whether the relay takes several commands at once."""
        return "PIPELINING" in self._features

    async def _greet(self, helo: str) -> None:
        (banner,) = await self._replies.take(1)
        if banner.code != 220:
            raise SmtpDown("the relay turned us away", banner)
        await self._hello(helo)
        if self._relay.security is Security.STARTTLS:
            await self._secure(helo)
        if self._relay.username is not None:
            await self._log_in()

    async def _hello(self, helo: str) -> None:
        reply = await self._ask(f"EHLO {helo}")
        if reply.code != 250:
            reply = await self._ask(f"HELO {helo}")
            if reply.code != 250:
                raise SmtpDown("the relay refused our greeting", reply)
        lines = [line.strip().upper().split(" ", 1) for line in reply.text.split("\n")[1:]]
        self._features = {line[0]: line[1] if len(line) > 1 else "" for line in lines}

    async def _secure(self, helo: str) -> None:
        reply = await self._ask("STARTTLS")
        transport = self._replies.transport
        if reply.code != 220 or transport is None:
            raise SmtpDown("the relay offers no STARTTLS", reply)
        self._replies.forget()
        secured = await asyncio.get_running_loop().start_tls(
            transport, self._replies, _context(self._relay), server_hostname=self._relay.host
        )
        if secured is None:
            raise SmtpDown("TLS could not be started")
        self._replies.transport = secured
        await self._hello(helo)

    async def _log_in(self) -> None:
        username, password = self._relay.username or "", self._relay.password or ""
        if "PLAIN" in self._features.get("AUTH", ""):
            reply = await self._ask("AUTH PLAIN " + _b64(f"\0{username}\0{password}"))
        else:
            await self._ask("AUTH LOGIN")
            await self._ask(_b64(username))
            reply = await self._ask(_b64(password))
        if reply.code != 235:
            raise SmtpDown("the relay refused our log-in", Reply(reply.code, reply.enhanced, reply.text))

    def _write(self, data: bytes) -> None:
        transport = self._replies.transport
        if transport is None or self._replies.lost:
            raise _Lost
        transport.write(data)

    async def _ask(self, command: str) -> Reply:
        self._write(command.encode("ascii") + b"\r\n")
        (reply,) = await self._replies.take(1)
        return reply

    async def send(self, mail: WireMail) -> Answer:
        """Try one mail once; the connection may be unusable afterwards.

        Raises:
            SmtpDown: the session ended before the mail was handed over, so another session may try it.
        """
        handed_over = False
        try:
            async with asyncio.timeout(self._relay.timeout_s):
                failed = await self._envelope(mail)
                if failed is not None:
                    return self._answer(mail, *failed)
                handed_over = True
                self._write(dot_stuffed(mail.data))
                (reply,) = await self._replies.take(1)
                return self._answer(mail, reply, Stage.MESSAGE)
        except (TimeoutError, _Lost, OSError) as error:
            self._replies.abort()
            if handed_over:
                return Answer(mail.message_id, Outcome.UNKNOWN, Fault.CONNECTION)
            raise SmtpDown(f"the session with {self._relay.host} ended ({type(error).__name__})") from error
        except asyncio.CancelledError:
            self._replies.abort()
            raise

    async def _envelope(self, mail: WireMail) -> tuple[Reply, Stage] | None:
        """Sender, recipient and DATA; returns what failed, with the session ready for the next mail."""
        commands = (f"MAIL FROM:<{mail.sender}>\r\n", f"RCPT TO:<{mail.recipient}>\r\n", "DATA\r\n")
        if self.pipelines:
            self._write("".join(commands).encode("ascii"))
            sender, recipient, data = await self._replies.take(3)
        else:
            sender = await self._ask(commands[0].rstrip())
            recipient = await self._ask(commands[1].rstrip()) if sender.code == 250 else sender
            data = await self._ask("DATA") if recipient.code in (250, 251) else recipient
        failed = _first_failure(sender, recipient, data)
        if failed is None:
            return None
        if data.code == 354:  # it waits for a message that nobody would get (RFC 2920 §3.1): an empty one ends it
            self._write(b".\r\n")
            await self._replies.take(1)
        self._write(b"RSET\r\n")
        await self._replies.take(1)
        return failed

    def _answer(self, mail: WireMail, reply: Reply, stage: Stage) -> Answer:
        outcome, fault = classify(reply, stage)
        if reply.code == 421:
            self._replies.abort()
        return Answer(mail.message_id, outcome, fault, reply)

    async def close(self) -> None:
        """Say goodbye and hang up."""
        with suppress(_Lost, OSError, TimeoutError):
            async with asyncio.timeout(1):
                await self._ask("QUIT")
        self._replies.abort()


def _first_failure(sender: Reply, recipient: Reply, data: Reply) -> tuple[Reply, Stage] | None:
    if sender.code != 250:
        return sender, Stage.SENDER
    if recipient.code not in (250, 251):
        return recipient, Stage.RECIPIENT
    return None if data.code == 354 else (data, Stage.DATA)


def _b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode("ascii")


def _context(relay: Relay) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if not relay.verify_certificate:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


class SmtpProvider:
    """A pool of sessions with one relay; a wave puts at most one mail on each."""

    def __init__(self, relay: Relay, *, helo: str = "localhost") -> None:
        self.relay = relay
        self._helo = helo
        self._idle: list[SmtpConnection] = []

    @property
    def capabilities(self) -> Capabilities:
        """SMTP forgets keys and sends no receipts; bounces come by mail."""
        return Capabilities(channel=Channel.EMAIL, idempotent=False, receipts=False, wave=self.relay.connections)

    async def send_wave(self, mails: Sequence[WireMail]) -> list[Answer]:
        """Try each mail once; a session that had gone stale in the pool is replaced once."""
        if len(mails) > self.relay.connections:
            raise ValueError("a wave is at most as large as the pool")
        return list(await asyncio.gather(*(self._send(mail) for mail in mails)))

    async def _send(self, mail: WireMail) -> Answer:
        reply: Reply | None = None
        for attempt in (1, 2):
            try:
                connection = self._take_idle() if attempt == 1 else None
                if connection is None:
                    connection = await SmtpConnection.open(self.relay, helo=self._helo)
                answer = await connection.send(mail)
            except SmtpDown as down:
                reply = down.reply
                continue
            if connection.usable:
                self._idle.append(connection)
            return answer
        return Answer(mail.message_id, Outcome.DEFERRED, Fault.CONNECTION, reply)

    def _take_idle(self) -> SmtpConnection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.usable:
                return connection
        return None

    async def close(self) -> None:
        """Hang up all idle sessions."""
        idle, self._idle = self._idle, []
        await asyncio.gather(*(connection.close() for connection in idle))
