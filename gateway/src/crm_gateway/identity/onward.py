"""Who the caller is to the services: a short signed token per principal and upstream.

Services believe nothing else. A token lives 60 s and is reused for 30, so a service always gets one that outlives the
request's deadline, and a revoked caller is gone within a minute everywhere.
"""

from datetime import datetime

from crm_shared.clock import Clock
from crm_shared.http.auth import LIFETIME_S, TokenSigner
from crm_shared.tenancy import Viewer

_REUSE_S = LIFETIME_S / 2
_MOST_CACHED = 20_000


class Minter:
    """Makes onward tokens and keeps those that still serve."""

    def __init__(self, signer: TokenSigner, clock: Clock) -> None:
        self._signer = signer
        self._clock = clock
        self._tokens: dict[tuple[Viewer, str], tuple[bytes, datetime]] = {}

    def authorization(self, viewer: Viewer, audience: str) -> bytes:
        """The `Authorization` value that tells `audience` who asks."""
        now = self._clock.now()
        kept = self._tokens.get((viewer, audience))
        if kept is not None and 0 <= (now - kept[1]).total_seconds() < _REUSE_S:
            return kept[0]
        if len(self._tokens) >= _MOST_CACHED:
            self._tokens.clear()
        value = b"Bearer " + self._signer.sign(viewer, audience=audience, now=now).encode("ascii")
        self._tokens[(viewer, audience)] = (value, now)
        return value
