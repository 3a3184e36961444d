"""The sink against the raw protocol: what a hurried, a careless and a hostile sender do."""

import asyncio
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from crm_suite.mailsink.mailbox import Mailbox
from crm_suite.mailsink.smtp import MAX_LINE_BYTES, SmtpSink

MAIL = b"MAIL FROM:<shop@example.org>\r\nRCPT TO:<ann@example.org>\r\nDATA\r\n"


@dataclass
class Wire:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    mailbox: Mailbox

    async def say(self, text: bytes, *, answers: int = 1) -> list[bytes]:
        self.writer.write(text)
        return [await asyncio.wait_for(self.reader.readline(), 5) for _ in range(answers)]


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    mailbox = Mailbox()
    sink = SmtpSink(mailbox)
    listening = socket.create_server(("127.0.0.1", 0))
    await sink.start(listening)
    reader, writer = await asyncio.open_connection(*listening.getsockname())
    assert (await reader.readline()).startswith(b"220 ")
    yield Wire(reader, writer, mailbox)
    writer.close()
    await sink.stop()


def codes(answers: list[bytes]) -> list[int]:
    return [int(answer[:3]) for answer in answers]


async def test_catches_a_mail_sent_in_one_pipelined_write(wire: Wire) -> None:
    answers = await wire.say(b"EHLO x\r\n" + MAIL + b"Subject: Hi\r\n\r\nHello\r\n.\r\nQUIT\r\n", answers=11)
    assert codes(answers)[-5:] == [250, 250, 354, 250, 221]
    caught = wire.mailbox.get(1)
    assert caught is not None
    assert caught.raw == b"Subject: Hi\r\n\r\nHello\r\n"
    assert caught.recipients == ("ann@example.org",)


async def test_catches_a_mail_sent_byte_by_byte(wire: Wire) -> None:
    for byte in MAIL + b"Subject: slow\r\n\r\n.\r\n":
        wire.writer.write(bytes([byte]))
        await wire.writer.drain()
        await asyncio.sleep(0)
    assert codes([await wire.reader.readline() for _ in range(4)]) == [250, 250, 354, 250]
    assert wire.mailbox.caught == 1


async def test_restores_lines_that_begin_with_a_dot(wire: Wire) -> None:
    await wire.say(MAIL + b"..first\r\n...second\r\nthird.\r\n.\r\n", answers=4)
    caught = wire.mailbox.get(1)
    assert caught is not None
    assert caught.raw == b".first\r\n..second\r\nthird.\r\n"


async def test_ends_a_mail_only_at_a_full_line_of_one_dot(wire: Wire) -> None:
    """Bare line feeds around the dot are SMTP smuggling (CVE-2023-51764) and stay part of the mail."""
    await wire.say(MAIL + b"one\n.\nMAIL FROM:<evil@example.org>\r\nstill one\r\n.\r\n", answers=4)
    assert wire.mailbox.caught == 1


async def test_an_empty_mail_is_a_mail(wire: Wire) -> None:
    assert codes(await wire.say(MAIL + b".\r\n", answers=4))[-1] == 250
    assert wire.mailbox.caught == 1


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"DATA\r\n", 503),
        (b"RCPT TO:<a@example.org>\r\n", 503),
        (b"MAIL FROM:a@example.org\r\n", 501),
        (b"MAIL FROM:<a@example.org> SIZE=99999999\r\n", 552),
        (b"HELP me\r\n", 500),
        (b"NOOP\r\n", 250),
        (b"VRFY ann\r\n", 252),
        (b"\r\n", 500),
    ],
)
async def test_answers_what_is_out_of_order_or_unknown(wire: Wire, line: bytes, code: int) -> None:
    assert codes(await wire.say(line)) == [code]


async def test_refuses_the_domain_that_never_exists_and_counts_it(wire: Wire) -> None:
    answers = await wire.say(b"MAIL FROM:<>\r\nRCPT TO:<ann@gone.example>\r\nDATA\r\n", answers=3)
    assert codes(answers) == [250, 550, 503]
    assert wire.mailbox.refused == 1


async def test_a_reset_forgets_the_recipients(wire: Wire) -> None:
    await wire.say(b"MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.org>\r\nRSET\r\n", answers=3)
    assert codes(await wire.say(b"DATA\r\n")) == [503]


async def test_accepts_a_quoted_local_part_with_a_bracket(wire: Wire) -> None:
    assert codes(await wire.say(b'MAIL FROM:<"a>b"@example.org>\r\n')) == [250]


async def test_hangs_up_on_a_line_without_end(wire: Wire) -> None:
    answers = await wire.say(b"x" * (MAX_LINE_BYTES + 10))
    assert codes(answers) == [500]
    assert await wire.reader.read() == b""


async def test_keeps_up_with_the_fastest_sender(wire: Wire) -> None:
    """The bar is 5,000 mails a second and core for the sender: the sink must not be the limit."""
    count = 5_000
    body = b"Subject: speed\r\n\r\n" + b"lorem ipsum " * 80 + b"\r\n.\r\n"
    loop = asyncio.get_running_loop()
    started = loop.time()
    wire.writer.write((MAIL + body) * count)
    for _ in range(4 * count):
        await wire.reader.readline()
    rate = count / (loop.time() - started)
    print(f"mail sink: {rate:,.0f} mails/s (sender and reader in the same loop)")
    assert wire.mailbox.caught == count
    assert rate > 5_000
