"""SMTP (RFC 5321) on asyncio: pooled sessions, an envelope in one round trip where the relay pipelines (RFC 2920)."""

import asyncio
import base64
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from uuid import UUID

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
from crm_communication_dispatch.providers.replies import Lost, Replies

Finish = Callable[[Answer | None], None]


class SmtpDown(Exception):
    """No usable connection to the relay; nothing of the mail at hand has left us."""

    def __init__(self, reason: str, reply: Reply | None = None) -> None:
        super().__init__(reason)
        self.reply = reply


class SmtpConnection:
    """One open session with a relay."""

    def __init__(self, relay: Relay, replies: Replies) -> None:
        self._relay = relay
        self._replies = replies
        self._features: dict[str, str] = {}

    @classmethod
    async def open(cls, relay: Relay, *, helo: str) -> "SmtpConnection":
        """Connect, greet, secure and log in.

        Raises:
            SmtpDown: the relay can't be reached or turns us away.
        """
        replies: Replies | None = None
        try:
            async with asyncio.timeout(relay.timeout_s):
                context = _context(relay) if relay.security is Security.TLS else None
                _, replies = await asyncio.get_running_loop().create_connection(
                    Replies, relay.host, relay.port, ssl=context, server_hostname=relay.host if context else None
                )
                connection = cls(relay, replies)
                await connection._greet(helo)
                return connection
        except (OSError, TimeoutError, Lost, ssl.SSLError) as error:
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
        return self._replies.at_rest

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

    async def _ask(self, command: str) -> Reply:
        self._replies.write(command.encode("ascii") + b"\r\n")
        (reply,) = await self._replies.take(1)
        return reply

    async def send(self, mail: WireMail) -> Answer:
        """Try one mail once, a command at a time; the connection may be unusable afterwards.

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
                self._replies.write(dot_stuffed(mail.data))
                (reply,) = await self._replies.take(1)
                return self._answer(mail, reply, Stage.MESSAGE)
        except (TimeoutError, Lost, OSError) as error:
            self._replies.abort()
            if handed_over:
                return Answer(mail.message_id, Outcome.UNKNOWN, Fault.CONNECTION)
            raise SmtpDown(f"the session with {self._relay.host} ended ({type(error).__name__})") from error
        except asyncio.CancelledError:
            self._replies.abort()
            raise

    def start(self, mail: WireMail, finish: Finish) -> None:
        """Try one mail once on a relay that pipelines, without a task of its own.

        `finish` gets its answer, or None if the session ended before the mail was handed over.
        """
        if self._send(_opening(mail)):
            self._replies.expect(3, partial(self._opened, mail, finish))
        else:
            finish(None)

    def _send(self, data: bytes) -> bool:
        try:
            self._replies.write(data)
        except Lost:
            return False
        return True

    def _opened(self, mail: WireMail, finish: Finish, replies: list[Reply] | None) -> None:
        if replies is None:
            finish(None)
            return
        failed = _first_failure(*replies)
        if failed is None:
            if self._send(dot_stuffed(mail.data)):
                self._replies.expect(1, partial(self._taken, mail, finish))
            else:
                finish(None)
            return
        answer = self._answer(mail, *failed)
        # A relay that waits for a message that nobody would get (RFC 2920 §3.1) gets an empty one.
        waits = replies[2].code == 354
        if self._send(b".\r\nRSET\r\n" if waits else b"RSET\r\n"):
            self._replies.expect(2 if waits else 1, lambda _: finish(answer))
        else:
            finish(answer)

    def _taken(self, mail: WireMail, finish: Finish, replies: list[Reply] | None) -> None:
        if replies is None:
            finish(Answer(mail.message_id, Outcome.UNKNOWN, Fault.CONNECTION))
        else:
            finish(self._answer(mail, replies[0], Stage.MESSAGE))

    def abort(self) -> None:
        """Cut the session; whatever it was trying comes to its end."""
        self._replies.abort()

    async def _envelope(self, mail: WireMail) -> tuple[Reply, Stage] | None:
        """Sender, recipient and DATA; returns what failed, with the session ready for the next mail."""
        sender = await self._ask(f"MAIL FROM:<{mail.sender}>")
        recipient = await self._ask(f"RCPT TO:<{mail.recipient}>") if sender.code == 250 else sender
        data = await self._ask("DATA") if recipient.code in (250, 251) else recipient
        failed = _first_failure(sender, recipient, data)
        if failed is None:
            return None
        self._replies.write(b"RSET\r\n")
        await self._replies.take(1)
        return failed

    def _answer(self, mail: WireMail, reply: Reply, stage: Stage) -> Answer:
        outcome, fault = classify(reply, stage)
        if reply.code == 421:
            self._replies.abort()
        return Answer(mail.message_id, outcome, fault, reply)

    async def close(self) -> None:
        """Say goodbye and hang up."""
        with suppress(Lost, OSError, TimeoutError):
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


async def _slowly(mail: WireMail, session: SmtpConnection, answers: dict[UUID, Answer]) -> None:
    with suppress(SmtpDown):
        answers[mail.message_id] = await session.send(mail)


def _opening(mail: WireMail) -> bytes:
    return f"MAIL FROM:<{mail.sender}>\r\nRCPT TO:<{mail.recipient}>\r\nDATA\r\n".encode("ascii")


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
        answers: dict[UUID, Answer] = {}
        left: Sequence[WireMail] = mails
        reply: Reply | None = None
        for fresh in (False, True):
            sessions = await asyncio.gather(*(self._session(fresh=fresh) for _ in left))
            pairs = [(mail, one) for mail, one in zip(left, sessions, strict=True) if isinstance(one, SmtpConnection)]
            reply = next((one.reply for one in sessions if isinstance(one, SmtpDown) and one.reply), reply)
            answers |= await self._exchange(pairs)
            for _, session in pairs:
                if session.usable:
                    self._idle.append(session)
                else:
                    session.abort()
            left = [mail for mail in left if mail.message_id not in answers]
            if not left:
                break
        answers |= {
            mail.message_id: Answer(mail.message_id, Outcome.DEFERRED, Fault.CONNECTION, reply) for mail in left
        }
        return [answers[mail.message_id] for mail in mails]

    async def _session(self, *, fresh: bool) -> "SmtpConnection | SmtpDown":
        idle = None if fresh else self._take_idle()
        if idle is not None:
            return idle
        try:
            return await SmtpConnection.open(self.relay, helo=self._helo)
        except SmtpDown as down:
            return down

    async def _exchange(self, pairs: Sequence[tuple[WireMail, SmtpConnection]]) -> dict[UUID, Answer]:
        """What became of each mail that was handed over, or refused."""
        answers: dict[UUID, Answer] = {}
        if not all(session.pipelines for _, session in pairs):
            await asyncio.gather(*(_slowly(mail, session, answers) for mail, session in pairs))
            return answers
        over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        unfinished = {mail.message_id: session for mail, session in pairs}

        def finish(mail: WireMail, answer: Answer | None) -> None:
            if answer is not None:
                answers[mail.message_id] = answer
            del unfinished[mail.message_id]
            if not unfinished and not over.done():
                over.set_result(None)

        for mail, session in pairs:
            session.start(mail, partial(finish, mail))
        try:
            async with asyncio.timeout(self.relay.timeout_s):
                if unfinished:
                    await over
        except TimeoutError:
            pass
        finally:
            for session in list(unfinished.values()):
                session.abort()
        return answers

    def _take_idle(self) -> SmtpConnection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.usable:
                return connection
            connection.abort()  # it may have said goodbye without hanging up
        return None

    async def close(self) -> None:
        """Hang up all idle sessions."""
        idle, self._idle = self._idle, []
        await asyncio.gather(*(connection.close() for connection in idle))
