"""What lies outside the suite and outlives it: the mail servers of its customers."""

import socket
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from crm_suite.allinone.listening import port_of
from crm_suite.allinone.serving import serving
from crm_suite.mailsink.journal import CaughtMail
from crm_suite.mailsink.mailbox import Mailbox
from crm_suite.mailsink.page import sink_app
from crm_suite.mailsink.smtp import SmtpSink


class Letterboxes(Mailbox):
    """Caught mail; what goes to a `lost` address is accepted, and nobody ever reads it."""

    def __init__(self) -> None:
        super().__init__()
        self.lost: frozenset[str] = frozenset()
        self._strike: tuple[int, Callable[[], None]] | None = None

    def strike_after(self, mails: int, act: Callable[[], None]) -> None:
        """Have something happen when so many more mails have come, and before the sender is told of the last."""
        self._strike = (self.caught + mails, act)

    def catch(self, sender: str, recipients: tuple[str, ...], raw: bytes) -> CaughtMail:
        if not self.lost.isdisjoint(recipients):
            return CaughtMail(self.caught, self._clock.now(), sender, recipients, raw)
        mail = super().catch(sender, recipients, raw)
        if self._strike is not None and self.caught >= self._strike[0]:
            (_, act), self._strike = self._strike, None
            act()
        return mail

    def copies(self) -> Counter[str]:
        """How often each mail came, by its Message-ID."""
        return Counter(str(mail.parsed()["message-id"]) for mail in self.oldest_first(limit=len(self)))

    def readers_since(self, number: int) -> frozenset[str]:
        """All addresses that got something after the mail of this number."""
        mails = self.oldest_first(after=number, limit=len(self))
        return frozenset(address for mail in mails for address in mail.recipients)


@dataclass(frozen=True, slots=True)
class Outside:
    """The letterboxes, where they are read, and the settings that point a sender at them."""

    letterboxes: Letterboxes
    page: str
    settings: dict[str, str]


@asynccontextmanager
async def outside() -> AsyncGenerator[Outside]:
    """A mail sink in this very process, which nobody kills."""
    letterboxes = Letterboxes()
    sink = SmtpSink(letterboxes)
    smtp, page = socket.create_server(("127.0.0.1", 0)), socket.create_server(("127.0.0.1", 0))
    smtp.setblocking(False)
    page.setblocking(False)
    await sink.start(smtp)
    async with serving(sink_app(letterboxes), page):
        settings = {"SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(port_of(smtp))}
        yield Outside(letterboxes, f"http://127.0.0.1:{port_of(page)}", settings)
    await sink.stop()
