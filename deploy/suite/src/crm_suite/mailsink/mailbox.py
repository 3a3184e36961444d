"""Where caught mail is kept: the last ones, in memory, as they came over the wire; with a journal also on disk."""

from collections import deque
from collections.abc import Iterator
from itertools import islice

from crm_shared.clock import Clock, SystemClock
from crm_suite.mailsink.journal import CaughtMail, Journal


class Mailbox:
    """The last `keep` mails; `caught` goes on counting those that were let go."""

    def __init__(
        self,
        *,
        keep: int = 5_000,
        keep_bytes: int = 64 * 1024 * 1024,
        clock: Clock | None = None,
        journal: Journal | None = None,
    ) -> None:
        self._clock = clock or SystemClock()
        self._journal = journal
        self._mails: deque[CaughtMail] = deque()
        self._keep = keep
        self._keep_bytes = keep_bytes
        self._held_bytes = 0
        self.caught = 0
        self.refused = 0
        if journal is not None:
            for mail in journal.read():
                self._keep_mail(mail)
            journal.rewrite(self._mails)

    def catch(self, sender: str, recipients: tuple[str, ...], raw: bytes) -> CaughtMail:
        mail = CaughtMail(self.caught + 1, self._clock.now(), sender, recipients, raw)
        if self._journal is not None:
            self._journal.add(mail)
        self._keep_mail(mail)
        if self._journal is not None and self._journal.bytes > 2 * self._keep_bytes:
            self._journal.rewrite(self._mails)
        return mail

    def _keep_mail(self, mail: CaughtMail) -> None:
        self.caught = mail.number
        self._mails.append(mail)
        self._held_bytes += len(mail.raw)
        while len(self._mails) > self._keep or (self._held_bytes > self._keep_bytes and len(self._mails) > 1):
            self._held_bytes -= len(self._mails.popleft().raw)

    def get(self, number: int) -> CaughtMail | None:
        if not self._mails or not self._mails[0].number <= number <= self._mails[-1].number:
            return None
        return self._mails[number - self._mails[0].number]

    def newest_first(self, *, to: str | None = None, before: int | None = None, limit: int = 50) -> list[CaughtMail]:
        newest = (mail for mail in reversed(self._mails) if before is None or mail.number < before)
        return list(islice(_sent_to(to, newest), limit))

    def oldest_first(self, *, to: str | None = None, after: int = 0, limit: int = 50) -> list[CaughtMail]:
        """Mails after a number, in the order they came: what a client polls with the last number it saw."""
        first = self._mails[0].number if self._mails else 1
        rest = islice(self._mails, max(after + 1 - first, 0), None)
        return list(islice(_sent_to(to, rest), limit))

    def close(self) -> None:
        if self._journal is not None:
            self._journal.close()

    def __len__(self) -> int:
        return len(self._mails)


def _sent_to(address: str | None, mails: Iterator[CaughtMail]) -> Iterator[CaughtMail]:
    if address is None:
        return mails
    folded = address.casefold()
    return (mail for mail in mails if any(folded in recipient.casefold() for recipient in mail.recipients))
