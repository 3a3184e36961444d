"""Caught mail on disk: a mail server that has said OK keeps what it took, also when it is killed the moment after."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default as modern
from pathlib import Path

import orjson


@dataclass(frozen=True, slots=True)
class CaughtMail:
    """One mail as the sending server handed it over."""

    number: int
    received_at: datetime
    sender: str
    recipients: tuple[str, ...]
    raw: bytes

    def parsed(self) -> EmailMessage:
        # Parsing costs more than catching, so only what a person or a test looks at is parsed.
        return message_from_bytes(self.raw, policy=modern)


class Journal:
    """A file of mails, each a line that tells about it and then its bytes.

    It is written without waiting for the disk: it outlives the process, not the machine.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("ab", buffering=0)
        self.bytes = self._file.tell()

    def add(self, mail: CaughtMail) -> None:
        self.bytes += self._file.write(_record(mail))

    def read(self) -> Iterator[CaughtMail]:
        """All mails; what a kill cut off at the end is none, as nobody was told OK."""
        with self._path.open("rb") as file:
            for line in file:
                try:
                    number, at, sender, recipients, length = orjson.loads(line)
                except (orjson.JSONDecodeError, ValueError):
                    return
                raw = file.read(length + 1)
                if len(raw) != length + 1:
                    return
                yield CaughtMail(number, datetime.fromisoformat(at), sender, tuple(recipients), raw[:-1])

    def rewrite(self, mails: Iterable[CaughtMail]) -> None:
        """Hold these and nothing else; a kill amid it leaves the file as it was."""
        draft = self._path.with_suffix(".new")
        with draft.open("wb") as file:
            file.writelines(map(_record, mails))
        draft.replace(self._path)
        self._file.close()
        self._file = self._path.open("ab", buffering=0)
        self.bytes = self._file.tell()

    def close(self) -> None:
        self._file.close()


def _record(mail: CaughtMail) -> bytes:
    about = orjson.dumps([mail.number, mail.received_at, mail.sender, mail.recipients, len(mail.raw)])
    return b"".join((about, b"\n", mail.raw, b"\n"))
