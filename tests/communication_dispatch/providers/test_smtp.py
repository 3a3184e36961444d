"""SMTP against a real server."""

from uuid import UUID

import pytest
from tests.communication_dispatch.sink import Sink

from crm_communication_dispatch.providers.domain import Fault, Outcome, Relay, WireMail
from crm_communication_dispatch.providers.replies import Replies
from crm_communication_dispatch.providers.smtp import SmtpProvider


def mail(number: int, recipient: str | None = None) -> WireMail:
    return WireMail(
        UUID(int=number), "b+1@example.org", recipient or f"c{number}@example.org", b"Subject: x\r\n\r\n.dot\r\nend\r\n"
    )


@pytest.mark.parametrize("pipelining", [True, False])
async def test_a_wave_is_sent_over_pooled_sessions(pipelining):
    async with Sink(pipelining=pipelining) as sink:
        provider = SmtpProvider(Relay(sink.host, sink.port, connections=4))
        for _ in range(5):
            answers = await provider.send_wave([mail(n) for n in range(4)])
            assert [a.outcome for a in answers] == [Outcome.ACCEPTED] * 4
        await provider.close()
    assert sink.connections == 4
    assert len(sink.mails) == 20
    assert sink.mails[0].data == b"Subject: x\r\n\r\n.dot\r\nend\r\n"
    assert sink.mails[0].sender == "b+1@example.org"


@pytest.mark.parametrize("pipelining", [True, False])
async def test_each_mail_gets_its_own_answer_and_the_session_goes_on(pipelining):
    scripts = {
        "gone@example.org": ("rcpt", "550 5.1.1 no such user"),
        "busy@example.org": ("rcpt", "451 4.7.1 greylisted"),
        "spam@example.org": ("message", "554 5.7.1 looks like spam"),
    }
    async with Sink(pipelining=pipelining, scripts=scripts) as sink:
        provider = SmtpProvider(Relay(sink.host, sink.port, connections=1))
        got = []
        for recipient in (*scripts, "ann@example.org"):
            (answer,) = await provider.send_wave([mail(1, recipient)])
            got.append((answer.outcome, answer.fault))
        await provider.close()
    assert got == [
        (Outcome.REFUSED, Fault.ADDRESS),
        (Outcome.DEFERRED, Fault.BUSY),
        (Outcome.REFUSED, Fault.US),
        (Outcome.ACCEPTED, Fault.NONE),
    ]
    assert sink.connections == 1


async def test_a_session_lost_after_the_message_leaves_it_unknown():
    async with Sink(scripts={"x@example.org": ("drop", "")}) as sink:
        provider = SmtpProvider(Relay(sink.host, sink.port, connections=1))
        (answer,) = await provider.send_wave([mail(1, "x@example.org")])
        assert (answer.outcome, answer.fault) == (Outcome.UNKNOWN, Fault.CONNECTION)
        (answer,) = await provider.send_wave([mail(2)])
        assert answer.outcome is Outcome.ACCEPTED
        await provider.close()


async def test_a_session_lost_before_the_message_is_only_a_delay():
    async with Sink(scripts={"x@example.org": ("vanish", "")}) as sink:
        provider = SmtpProvider(Relay(sink.host, sink.port, connections=1))
        (answer,) = await provider.send_wave([mail(1, "x@example.org")])
        assert (answer.outcome, answer.fault) == (Outcome.DEFERRED, Fault.CONNECTION)
    assert sink.count == 0


async def test_a_relay_that_is_down_is_only_a_delay():
    async with Sink() as sink:
        port = sink.port
    provider = SmtpProvider(Relay("127.0.0.1", port, connections=2))
    answers = await provider.send_wave([mail(1), mail(2)])
    assert [(a.outcome, a.fault) for a in answers] == [(Outcome.DEFERRED, Fault.CONNECTION)] * 2


async def test_a_session_gone_stale_in_the_pool_is_replaced():
    async with Sink() as sink:
        provider = SmtpProvider(Relay(sink.host, sink.port, connections=1))
        await provider.send_wave([mail(1)])
        for connection in provider._idle:
            connection._replies.transport.close()
        (answer,) = await provider.send_wave([mail(2)])
        assert answer.outcome is Outcome.ACCEPTED
        await provider.close()
    assert sink.count == 2


async def test_a_session_that_was_told_goodbye_is_replaced():
    async with Sink() as sink:
        provider = SmtpProvider(Relay(sink.host, sink.port, connections=1))
        await provider.send_wave([mail(1)])
        provider._idle[0]._replies.data_received(b"421 4.3.2 closing\r\n")
        (answer,) = await provider.send_wave([mail(2)])
        assert answer.outcome is Outcome.ACCEPTED
        await provider.close()
    assert (sink.count, sink.connections) == (2, 2)


async def test_one_silent_session_leaves_only_its_own_mail_unknown():
    async with Sink(scripts={"x@example.org": ("silent", "")}) as sink:
        provider = SmtpProvider(Relay(sink.host, sink.port, connections=3, timeout_s=0.5))
        answers = await provider.send_wave([mail(1), mail(2, "x@example.org"), mail(3)])
        assert [a.outcome for a in answers] == [Outcome.ACCEPTED, Outcome.UNKNOWN, Outcome.ACCEPTED]
        assert len(provider._idle) == 2
        await provider.close()


async def test_replies_cut_anywhere_are_read_alike():
    whole = b"250-first\r\n250 2.1.0 second\r\n354 go on\r\n550 5.1.1 nobody\r\n"
    wanted = [(250, None), (354, None), (550, "5.1.1")]
    for cut in range(len(whole)):
        replies = Replies()
        replies.data_received(whole[:cut])
        replies.data_received(whole[cut:])
        assert [(reply.code, reply.enhanced) for reply in await replies.take(3)] == wanted


async def test_an_unreadable_greeting_is_only_a_delay():
    import asyncio

    async def turn_away(_reader, writer):
        writer.write(b"554 5.7.1 go away\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(turn_away, "127.0.0.1", 0)
    provider = SmtpProvider(Relay("127.0.0.1", server.sockets[0].getsockname()[1], connections=1))
    (answer,) = await provider.send_wave([mail(1)])
    assert answer.outcome is Outcome.DEFERRED
    server.close()
