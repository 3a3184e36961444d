"""The port every channel provider fits."""

from collections.abc import Sequence
from typing import Protocol

from crm_communication_dispatch.providers.domain import Answer, Capabilities, WireMail


class MailProvider(Protocol):
    """Something that takes finished mails and says what became of each."""

    @property
    def capabilities(self) -> Capabilities:
        """What it can do, and how many mails it takes at once."""
        ...

    async def send_wave(self, mails: Sequence[WireMail]) -> list[Answer]:
        """Try each mail once, and answer in the same order; never raises for what the other side does."""
        ...

    async def close(self) -> None:
        """Give up its connections."""
        ...
