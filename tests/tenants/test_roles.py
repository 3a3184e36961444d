"""Every role at every operation: refused exactly where the map of scopes says so, and never a fault of ours."""

import pytest
from tests.tenants.document import METHODS, OPERATIONS, Operation, nobody
from tests.tenants.world import World

from crm_gateway.identity.domain.roles import PLATFORM, Role, scopes_of
from crm_shared.ids import public_id
from crm_shared.tenancy import Viewer
from crm_shared.testing.kit import SIGNER

pytestmark = pytest.mark.xdist_group("tenants")

KNOWN = frozenset(operation.scope for operation in OPERATIONS if operation.scope)


def broken(operation: Operation) -> bytes | None:
    """A body that no operation takes, so that nothing happens where the caller is let in."""
    return b"{" if operation.about.get("requestBody") else None


@pytest.mark.parametrize("role", Role)
async def test_a_role_may_what_its_scopes_say(beta: World, role: Role) -> None:
    held = scopes_of([role], KNOWN)
    stranger = nobody()
    wrong: list[str] = []
    for operation in OPERATIONS:
        path = stranger.address(operation)
        answer = await beta.stage.ask(operation.method, path, key=beta.keys[role], body=broken(operation))
        may = operation.scope is None or operation.scope in held
        refused = answer.status == 403 and answer.json()["code"] == "scope_missing"
        if answer.status >= 500 or answer.status == 401 or refused == may:
            wrong.append(f"{operation} as {role}: {answer}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("role", Role)
def test_only_operators_of_the_installation_reach_over_all_tenants(role: Role) -> None:
    assert (PLATFORM in scopes_of([role], KNOWN | {PLATFORM})) == (role is Role.OPERATOR)


async def test_no_role_of_a_tenant_makes_an_operator(beta: World) -> None:
    user = {"email": "op@example.com", "name": "Op", "roles": ["viewer", "operator"]}
    tries = [
        ("POST", "/v1/users", user),
        ("POST", "/v1/api-keys", {"name": "op", "roles": ["operator"]}),
        ("PATCH", f"/v1/users/{beta.ids['usr']}", {"roles": ["operator"]}),
        ("POST", f"/v1/api-keys/{public_id('key', beta.key_ids[Role.OPERATOR])}/rotate", {}),
    ]
    for method, path, body in tries:
        answer = await beta.stage.ask(method, path, key=beta.admin, body=body)
        assert answer.status == 403, f"{method} {path}: {answer}"


async def test_without_a_credential_only_public_routes_answer(beta: World) -> None:
    stranger = nobody()
    for operation in OPERATIONS:
        for key in (None, "crm_live_nobody"):
            answer = await beta.stage.ask(
                operation.method, stranger.address(operation), key=key, body=broken(operation)
            )
            assert (answer.status == 401) == (operation.scope is not None), f"{operation}: {answer}"


async def test_a_method_that_an_address_does_not_know_is_no_way_round(beta: World) -> None:
    stranger = nobody()
    known: dict[str, set[str]] = {}
    for operation in OPERATIONS:
        known.setdefault(stranger.address(operation).partition("?")[0], set()).add(operation.method)
    # An id fits where a word stands too: PATCH /v1/customers/{customer_id} is a route of /v1/customers/bulk.
    for path, methods in known.items():
        for method in (*METHODS, "TRACE", "CONNECT", "PROPFIND"):
            if method not in methods:
                answer = await beta.stage.ask(method, path, key=beta.keys[Role.VIEWER])
                assert answer.status in {403, 405}, f"{method} {path}: {answer}"
                assert answer.status == 403 or set(answer.headers["allow"].split(", ")) >= methods


@pytest.mark.parametrize("header", ["x-http-method-override", "x-method-override", "x-http-method"])
async def test_a_header_does_not_change_the_method(beta: World, header: str) -> None:
    path = f"/v1/segments/{beta.ids['seg']}"
    answer = await beta.stage.ask("GET", path, key=beta.keys[Role.VIEWER], headers={header: "DELETE"})
    assert answer.status == 200
    assert (await beta.stage.ask("GET", path, key=beta.keys[Role.VIEWER])).status == 200


async def test_headers_that_name_somebody_else_are_not_believed(beta: World, alpha: World) -> None:
    claims = {
        f"x-{name}": value
        for name, value in (
            ("tenant", str(alpha.tenant)), ("tenant-id", alpha.ids["ten"]), ("crm-tenant", alpha.mark),
            ("subject", "system"), ("scopes", "*:*"), ("roles", "admin"), ("user-id", alpha.ids["usr"]),
        )
    }  # fmt: skip
    answer = await beta.stage.ask("GET", "/v1/me", key=beta.keys[Role.VIEWER], headers=claims)
    assert answer.json()["tenant"]["slug"] == beta.mark
    listed = await beta.stage.ask("GET", "/v1/users", key=beta.keys[Role.VIEWER], headers=claims)
    assert listed.status == 403


async def test_a_service_looks_at_the_scope_itself(beta: World) -> None:
    """The gateway is the first to ask, not the only one."""
    stranger = nobody()
    for operation in OPERATIONS:
        service = operation.about["x-upstream"]
        if operation.scope is None or service not in beta.stage.kits:
            continue
        for owner in beta.stage.kits if operation.resource == "operations" else (service,):
            viewer = Viewer(beta.tenant, "usr_test", KNOWN - {operation.scope})
            token = SIGNER.sign(viewer, audience=owner, now=beta.stage.clock.now())
            answer = await beta.stage.ask_service(owner, operation.method, stranger.address(operation), token=token)
            assert answer.status == 403, f"{operation} of {owner}: {answer}"
