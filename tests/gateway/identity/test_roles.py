import pytest

from crm_gateway.identity.domain.roles import GRANTS, Role, scopes_of

KNOWN = {
    "customers:read", "customers:write", "tickets:read", "tickets:write", "campaigns:read", "campaigns:write",
    "campaigns:approve", "identity:read", "identity:admin", "me:read", "metrics:read", "routing:admin",
    "payments:write",
}  # fmt: skip


def test_every_role_has_grants():
    assert set(GRANTS) == set(Role)


def test_an_admin_holds_every_scope_there_is():
    assert scopes_of([Role.ADMIN], KNOWN) == KNOWN


def test_a_role_is_never_more_than_what_the_services_declare():
    assert scopes_of(list(Role), {"customers:read"}) == {"customers:read"}


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.ADMIN])
def test_only_an_admin_sees_users_and_keys(role: Role):
    assert not {"identity:read", "identity:admin"} & scopes_of([role], KNOWN)


def test_everybody_may_ask_who_they_are():
    assert all("me:read" in scopes_of([role], KNOWN) for role in Role)


def test_a_marketer_does_not_approve_their_own_campaign():
    assert "campaigns:approve" not in scopes_of([Role.MARKETER], KNOWN)
    assert "campaigns:approve" in scopes_of([Role.MARKETING_APPROVER], KNOWN)


def test_machines_write_but_approve_and_administer_nothing():
    held = scopes_of([Role.INTEGRATION], KNOWN)
    assert {"customers:write", "payments:write"} <= held
    assert not {"campaigns:approve", "routing:admin", "identity:admin"} & held


def test_a_viewer_only_reads():
    assert all(scope.endswith(":read") for scope in scopes_of([Role.VIEWER], KNOWN))


def test_two_roles_hold_what_either_holds():
    both = scopes_of([Role.AGENT, Role.MARKETER], KNOWN)
    assert both == scopes_of([Role.AGENT], KNOWN) | scopes_of([Role.MARKETER], KNOWN)


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.OPERATOR])
def test_no_tenants_role_reaches_the_platform_by_a_wildcard(role: Role):
    assert not scopes_of([role], {*KNOWN, "platform:admin"}) & {"platform:admin"}
    assert "platform:admin" in scopes_of([role, Role.OPERATOR], {*KNOWN, "platform:admin"})


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.ADMIN])
def test_only_an_admin_sees_events_that_wait(role: Role):
    assert not scopes_of([role], {"parked-events:admin", "parked-events:payload"})
