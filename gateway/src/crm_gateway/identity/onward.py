"""Who the caller is to the services: a short signed token per principal and upstream.

Services believe nothing else. A token lives 60 s and is reused for 30, so a service always gets one that outlives the
request's deadline, and a revoked caller is gone within a minute everywhere.
"""

import time
from collections.abc import Callable

from joserfc import jwt
from joserfc.jwk import OKPKey

from crm_gateway.identity.domain.principals import Principal

ISSUER = "crm-gateway"
ALGORITHM = "Ed25519"
LIFETIME_S = 60
_REUSE_S = 30
_MOST_CACHED = 20_000


class Minter:
    """Makes onward tokens and keeps those that still serve."""

    def __init__(self, key: OKPKey, *, wall_clock: Callable[[], float] = time.time) -> None:
        self._key = key
        self._now = wall_clock
        self._header = {"alg": ALGORITHM, "kid": key.thumbprint()}
        self._tokens: dict[tuple[Principal, str], tuple[bytes, float]] = {}

    def authorization(self, principal: Principal, audience: str) -> bytes:
        """The `Authorization` value that tells `audience` who asks."""
        now = self._now()
        kept = self._tokens.get((principal, audience))
        if kept is not None and now < kept[1]:
            return kept[0]
        if len(self._tokens) >= _MOST_CACHED:
            self._tokens.clear()
        value = b"Bearer " + self._mint(principal, audience, int(now)).encode("ascii")
        self._tokens[(principal, audience)] = (value, now + _REUSE_S)
        return value

    def _mint(self, principal: Principal, audience: str, now: int) -> str:
        claims = {
            "iss": ISSUER,
            "aud": audience,
            "sub": principal.subject,
            "iat": now,
            "exp": now + LIFETIME_S,
            "ten": str(principal.tenant),
            "scp": sorted(principal.scopes),
            "tms": sorted(principal.teams),
            "par": principal.partner,
        }
        return jwt.encode(self._header, claims, self._key, algorithms=[ALGORITHM])
