"""Internal tokens: what the gateway says about a caller, signed, for one service, for a minute.

Claims: `iss` crm-gateway, `aud` the service, `sub`, `iat`, `exp`, `ten` tenant uuid, `scp` scopes, `tms` teams, `par`
partner. A service verifies each token once and remembers the result until it expires.
"""

from collections import OrderedDict
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, OKPKey

from crm_shared.errors import Unauthenticated
from crm_shared.tenancy import Viewer

ALGORITHM = "Ed25519"  # RFC 9864 names the curve; plain EdDSA is deprecated
ISSUER = "crm-gateway"
LIFETIME_S = 60
_LONGEST = 16_384  # all scopes of the suite take a tenth of it
_REMEMBERED = 10_000
_LEEWAY_S = 5


class TokenSigner:
    """Makes internal tokens; only the gateway holds the private key."""

    def __init__(self, key: OKPKey) -> None:
        self._key = key
        self._header = {"alg": ALGORITHM, "kid": key.thumbprint()}

    @classmethod
    def from_jwk(cls, jwk: dict[str, Any]) -> "TokenSigner":
        """The signer of a private Ed25519 JWK."""
        return cls(OKPKey.import_key(jwk))

    @classmethod
    def generate(cls) -> "TokenSigner":
        """A signer with a fresh key."""
        return cls(OKPKey.generate_key("Ed25519"))

    def private_jwk(self) -> dict[str, Any]:
        """The key, to be kept secret."""
        return dict(self._key.as_dict(private=True))

    def public_jwks(self) -> dict[str, Any]:
        """The public half, for the services."""
        public = dict(self._key.as_dict(private=False))
        return {"keys": [{**public, "kid": self._key.thumbprint(), "alg": ALGORITHM, "use": "sig"}]}

    def sign(self, viewer: Viewer, *, audience: str, now: datetime) -> str:
        """A token that tells `audience` who `viewer` is, for the next 60 seconds."""
        issued = int(now.timestamp())
        claims: dict[str, Any] = {
            "iss": ISSUER,
            "aud": audience,
            "sub": viewer.subject,
            "iat": issued,
            "exp": issued + LIFETIME_S,
            "ten": str(viewer.tenant),
            "scp": sorted(viewer.scopes),
            "tms": sorted(viewer.teams),
            "par": viewer.partner,
        }
        return jwt.encode(self._header, claims, self._key, algorithms=[ALGORITHM])


class TokenVerifier:
    """Turns internal tokens of one audience into viewers."""

    def __init__(self, jwks: dict[str, Any], *, audience: str) -> None:
        self._keys = KeySet.import_key_set(jwks)  # pyright: ignore[reportArgumentType]
        self._audience = audience
        self._known: OrderedDict[str, tuple[Viewer, float]] = OrderedDict()

    def viewer(self, token: str, *, now: datetime) -> Viewer:
        """Who the token speaks of.

        Raises:
            Unauthenticated: it isn't ours, isn't for us, or has run out.
        """
        instant = now.timestamp()
        known = self._known.get(token)
        if known is not None and known[1] > instant:
            return known[0]
        viewer, expires = self._verify(token, instant)
        self._known[token] = (viewer, expires)
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return viewer

    def _verify(self, token: str, instant: float) -> tuple[Viewer, float]:
        registry = jwt.JWTClaimsRegistry(
            now=int(instant),
            leeway=_LEEWAY_S,
            iss={"essential": True, "value": ISSUER},
            aud={"essential": True, "value": self._audience},
            exp={"essential": True},
            iat={"essential": True},
            sub={"essential": True},
        )
        try:
            if len(token) > _LONGEST:
                raise ValueError("longer than we ever sign")
            claims = jwt.decode(token, self._keys, algorithms=[ALGORITHM]).claims
            registry.validate(claims)
            _short_lived(claims)
            viewer = Viewer(
                tenant=_tenant(claims["ten"]),
                subject=str(claims["sub"]),
                scopes=_texts(claims["scp"]),
                teams=_texts(claims.get("tms", ())),
                partner=claims.get("par"),
            )
        except (JoseError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise Unauthenticated("The internal token is not valid.", code="token_invalid") from error
        return viewer, float(claims["exp"])


def _short_lived(claims: dict[str, Any]) -> None:
    """Whatever was signed by mistake or with a stolen hand is over in a minute, as everything else."""
    issued, expires = claims["iat"], claims["exp"]
    if type(issued) is not int or type(expires) is not int or expires - issued > LIFETIME_S:
        raise ValueError("not the lifetime that we sign")


def _tenant(text: Any) -> UUID:
    tenant = UUID(text)
    if tenant.int == 0:
        raise ValueError("nobody's token")
    return tenant


def _texts(values: Sequence[Any]) -> frozenset[str]:
    if isinstance(values, str):
        raise TypeError("a list of texts was expected")
    return frozenset(str(value) for value in values)
