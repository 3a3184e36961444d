"""Internal tokens at every service: whatever the gateway hasn't signed, for this service, for now, is nobody."""

from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import orjson
import pytest
from joserfc import jws
from joserfc.jwk import OctKey, OKPKey
from tests.tenants.document import OPERATIONS, Operation
from tests.tenants.stage import Stage
from tests.tenants.world import World

from crm_shared.http.auth import ALGORITHM, ISSUER
from crm_shared.tenancy import Viewer
from crm_shared.testing.kit import SIGNER

pytestmark = pytest.mark.xdist_group("tenants")

SERVICES = ["customer", "sales-pipeline", "communication-dispatch", "contact-center"]
KEY = OKPKey.import_key(SIGNER.private_jwk())
PUBLIC = SIGNER.public_jwks()["keys"][0]
HEAD = {"alg": ALGORITHM, "kid": PUBLIC["kid"]}
STRANGER = OKPKey.generate_key("Ed25519")
JWK = orjson.dumps(PUBLIC).decode()
Claims = Mapping[str, Any]


def signed(claims: Claims, head: Mapping[str, Any] | None = None, key: Any = KEY) -> str:
    """A compact JWS over these claims; what is `...` is left out."""
    header = {name: value for name, value in {**HEAD, **(head or {})}.items() if value is not ...}
    payload = orjson.dumps({name: value for name, value in claims.items() if value is not ...})
    registry = jws.JWSRegistry(algorithms=[header["alg"]], strict_check_header=False)
    return jws.serialize_compact(header, payload, key, registry=registry)


def by_hand(head: Mapping[str, Any], claims: Claims) -> str:
    """Signed by our key, whatever the header says."""
    text = joined(head, claims, "")[:-1]
    return f"{text}.{_b64(KEY.get_op_key('sign').sign(text.encode()))}"


def joined(head: Mapping[str, Any], claims: Claims, signature: str) -> str:
    return f"{_b64(orjson.dumps(head))}.{_b64(orjson.dumps(dict(claims)))}.{signature}"


def _b64(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")


FORGERIES: dict[str, Callable[[dict[str, Any]], str]] = {
    "no token": lambda c: "",
    "not a token": lambda c: "nonsense",
    "three dots": lambda c: "a.b.c",
    "two dots": lambda c: "..",
    "five parts": lambda c: "a.b.c.d.e",
    "not ASCII": lambda c: signed(c) + "\u00e9",
    "another service's": lambda c: signed(c | {"aud": "gateway"}),
    "everybody's": lambda c: signed(c | {"aud": "*"}),
    "no audience": lambda c: signed(c | {"aud": ...}),
    "a null audience": lambda c: signed(c | {"aud": None}),
    "another issuer": lambda c: signed(c | {"iss": "somebody"}),
    "no issuer": lambda c: signed(c | {"iss": ...}),
    "expired": lambda c: signed(c | {"exp": c["iat"] - 30, "iat": c["iat"] - 90}),
    "no end": lambda c: signed(c | {"exp": ...}),
    "a null end": lambda c: signed(c | {"exp": None}),
    "an end in words": lambda c: signed(c | {"exp": "2099-01-01"}),
    "an end as text": lambda c: signed(c | {"exp": str(c["exp"])}),
    "an end for ever": lambda c: signed(c | {"exp": c["iat"] + 10 * 365 * 86_400}),
    "an end that is true": lambda c: signed(c | {"exp": True}),
    "issued tomorrow": lambda c: signed(c | {"iat": c["iat"] + 86_400, "exp": c["exp"] + 86_400}),
    "no issue": lambda c: signed(c | {"iat": ...}),
    "not yet valid": lambda c: signed(c | {"nbf": c["iat"] + 40}),
    "no subject": lambda c: signed(c | {"sub": ...}),
    "no tenant": lambda c: signed(c | {"ten": ...}),
    "a null tenant": lambda c: signed(c | {"ten": None}),
    "a tenant that isn't one": lambda c: signed(c | {"ten": "*"}),
    "the nil tenant": lambda c: signed(c | {"ten": "00000000-0000-0000-0000-000000000000"}),
    "no scopes": lambda c: signed(c | {"scp": ...}),
    "scopes as one text": lambda c: signed(c | {"scp": " ".join(c["scp"])}),
    "no claims": lambda c: signed({}),
    "unsigned": lambda c: joined({"alg": "none"}, c, ""),
    "unsigned with a key's name": lambda c: joined({"alg": "none", "kid": PUBLIC["kid"]}, c, ""),
    "unsigned in capitals": lambda c: joined({"alg": "NONE"}, c, ""),
    "signature left out": lambda c: signed(c).rpartition(".")[0] + ".",
    "signature of another": lambda c: joined(HEAD, c | {"sub": "usr_y"}, signed(c).rpartition(".")[2]),
    "HS256 with the public key": lambda c: signed(c, {"alg": "HS256"}, OctKey.import_key(PUBLIC["x"])),
    "HS256 with the public JWK": lambda c: signed(c, {"alg": "HS256"}, OctKey.import_key(JWK)),
    "an unknown key": lambda c: signed(c, {"kid": STRANGER.thumbprint()}, STRANGER),
    "an unknown key under our name": lambda c: signed(c, key=STRANGER),
    "an unknown key without a name": lambda c: signed(c, {"kid": ...}, STRANGER),
    "a key that it brings itself": lambda c: signed(c, {"jwk": STRANGER.as_dict(private=False), "kid": ...}, STRANGER),
    "a key from elsewhere": lambda c: signed(c, {"jku": "http://127.0.0.1/keys", "kid": "x"}, STRANGER),
    "something critical": lambda c: by_hand({**HEAD, "crit": ["exp"], "exp": 1}, c),
    "something critical and unknown": lambda c: by_hand({**HEAD, "crit": ["new"], "new": 1}, c),
    "something critical that is left out": lambda c: by_hand({**HEAD, "crit": ["new"]}, c),
    "a payload that isn't encoded": lambda c: by_hand({**HEAD, "b64": False, "crit": ["b64"]}, c),
    "oversize": lambda c: signed(c | {"tms": ["x" * 1_000] * 100}),
    "oversize rubbish": lambda c: "x" * 1_000_000,
}  # fmt: skip


def probe_of(service: str) -> Operation:
    """A list of the service: reading it shows whether one was let in."""
    return next(
        one
        for one in OPERATIONS
        if one.about["x-upstream"] == service and one.method == "GET" and one.scope and "{" not in one.path
        and not one.query and one.resource != "operations"
    )  # fmt: skip


def claims_for(world: World, service: str, scope: str) -> dict[str, Any]:
    issued = int(world.stage.clock.now().timestamp())
    return {
        "iss": ISSUER, "aud": service, "sub": "usr_x", "iat": issued, "exp": issued + 60, "ten": str(world.tenant),
        "scp": [scope], "tms": [], "par": None,
    }  # fmt: skip


@pytest.mark.parametrize("service", SERVICES)
async def test_only_the_gateways_token_for_this_very_service_is_believed(alpha: World, service: str) -> None:
    probe, wrong = probe_of(service), list[str]()
    claims = claims_for(alpha, service, probe.scope or "")
    honest = await alpha.stage.ask_service(service, "GET", probe.path, token=signed(claims))
    assert honest.status == 200, honest
    for what, forge in FORGERIES.items():
        answer = await alpha.stage.ask_service(service, "GET", probe.path, token=forge(claims))
        if (answer.status, answer.headers.get("www-authenticate")) != (401, "Bearer"):
            wrong.append(f"{what}: {answer}")
        elif alpha.mark.encode() in answer.body:
            wrong.append(f"{what} tells too much: {answer}")
    assert not wrong, "\n".join(wrong)


async def test_a_token_is_worth_nothing_at_any_other_service(stage: Stage, alpha: World) -> None:
    for service in SERVICES:
        probe = probe_of(service)
        viewer = Viewer(alpha.tenant, "usr_x", frozenset({probe.scope or ""}))
        for audience in (*SERVICES, "gateway", "probe"):
            token = SIGNER.sign(viewer, audience=audience, now=stage.clock.now())
            answer = await stage.ask_service(service, "GET", probe.path, token=token)
            assert answer.status == (200 if audience == service else 401), f"{audience}'s at {service}: {answer}"


async def test_a_token_that_was_believed_once_ends_with_its_time(stage: Stage, alpha: World) -> None:
    probe = probe_of("customer")
    claims = claims_for(alpha, "customer", probe.scope or "")
    ended = claims | {"iat": claims["iat"] - 59, "exp": claims["exp"] - 59}
    token = signed(ended)
    assert (await stage.ask_service("customer", "GET", probe.path, token=token)).status == 200
    stage.clock.advance(timedelta(seconds=10))
    try:
        assert (await stage.ask_service("customer", "GET", probe.path, token=token)).status == 401
    finally:
        stage.clock.advance(timedelta(seconds=-10))


async def test_the_gateway_takes_no_internal_token_from_outside(alpha: World) -> None:
    probe = probe_of("customer")
    for audience in ("customer", "gateway"):
        token = signed(claims_for(alpha, audience, probe.scope or ""))
        answer = await alpha.stage.ask("GET", probe.path, key=token)
        assert (answer.status, answer.json()["code"]) == (401, "credential_malformed")


async def test_public_links_of_one_tenant_do_not_open_anything_of_another(alpha: World, beta: World) -> None:
    """A token with the other tenant's name in it, but the own signature, is no token."""
    for operation in OPERATIONS:
        if operation.scope is not None or "token" not in operation.parameters("path"):
            continue
        own, theirs = beta.value(operation, "token"), alpha.value(operation, "token")
        for forged in (theirs[:40] + own[40:], own[:40] + theirs[40:], own[:-2] + "AA", own[:-1], theirs + "AA"):
            path = operation.path.replace("{token}", forged)
            body = {"score": 1} if operation.body else None
            answer = await beta.stage.ask(operation.method, path, key=None, body=body)
            assert answer.status == 404, f"{operation}: {answer}"
