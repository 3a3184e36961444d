from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, OKPKey

from crm_shared.errors import Unauthenticated
from crm_shared.http.auth import ALGORITHM, ISSUER, TokenSigner, TokenVerifier
from crm_shared.tenancy import Viewer

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
VIEWER = Viewer(UUID(int=5), "usr_1", frozenset({"deals:read"}), frozenset({"north"}), "partner-1")
signer = TokenSigner.generate()


def verifier(audience: str = "customer") -> TokenVerifier:
    return TokenVerifier(signer.public_jwks(), audience=audience)


def forged(claims: dict[str, Any], key: Any = None, algorithm: str = ALGORITHM) -> str:
    base = {
        "iss": ISSUER, "aud": "customer", "sub": "usr_1", "iat": int(NOW.timestamp()), "exp": int(NOW.timestamp()) + 60,
        "ten": str(UUID(int=5)), "scp": [], "tms": [], "par": None,
    }  # fmt: skip
    merged = {name: value for name, value in {**base, **claims}.items() if value is not ...}
    key = key or OKPKey.import_key(signer.private_jwk())
    return jwt.encode({"alg": algorithm}, merged, key, algorithms=[algorithm])


def test_a_viewer_comes_back_whole_and_the_token_holds_for_a_minute() -> None:
    token = signer.sign(VIEWER, audience="customer", now=NOW)
    reader = verifier()
    assert reader.viewer(token, now=NOW) == VIEWER
    assert reader.viewer(token, now=NOW + timedelta(seconds=59)) == VIEWER
    with pytest.raises(Unauthenticated):
        reader.viewer(token, now=NOW + timedelta(seconds=70))


def test_a_token_for_another_service_is_refused() -> None:
    with pytest.raises(Unauthenticated):
        verifier("sales-pipeline").viewer(signer.sign(VIEWER, audience="customer", now=NOW), now=NOW)


@pytest.mark.parametrize(
    "claims",
    [{"exp": int(NOW.timestamp()) - 60}, {"exp": ...}, {"iss": "someone"}, {"iss": ...}, {"aud": ...}, {"ten": "x"},
     {"ten": ...}, {"ten": str(UUID(int=0))}, {"scp": "admin"}, {"scp": ...}, {"sub": ...}, {"tms": ["x" * 1_000] * 20},
     {"exp": int(NOW.timestamp()) + 61}, {"exp": True}, {"exp": str(int(NOW.timestamp()) + 60)}, {"iat": ...},
     {"iat": int(NOW.timestamp()) + 30, "exp": int(NOW.timestamp()) + 90}, {"nbf": int(NOW.timestamp()) + 30}],
)  # fmt: skip
def test_missing_wrong_or_expired_claims_are_refused(claims: dict[str, Any]) -> None:
    with pytest.raises(Unauthenticated):
        verifier().viewer(forged(claims), now=NOW)


def test_another_key_another_algorithm_and_none_are_refused() -> None:
    public = str(signer.public_jwks()["keys"][0]["x"])
    none = "eyJhbGciOiJub25lIn0." + forged({}).split(".")[1] + "."
    for token in (
        forged({}, key=OKPKey.generate_key("Ed25519")),
        forged({}, key=OctKey.import_key(public * 2), algorithm="HS256"),
        none,
        "nonsense",
        "",
        forged({})[:-4] + "AAAA",
    ):
        with pytest.raises(Unauthenticated):
            verifier().viewer(token, now=NOW)
