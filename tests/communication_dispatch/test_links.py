"""Signed addresses."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_communication_dispatch.links import LinkKind, Links
from crm_communication_dispatch.providers.mime import require_address

LINKS = Links(secret="s", public_url="https://crm.example/", domain="mail.example")
OTHER = Links(secret="t", public_url="https://crm.example/", domain="mail.example")
T, M = UUID(int=1), UUID(int=2)


@given(st.uuids(), st.uuids(), st.integers(0, 65_535))
def test_what_is_signed_is_read_back(tenant, message, index):
    token = LINKS.read_url_token(LINKS.url_token(LinkKind.CLICK, tenant, message, index), LinkKind.CLICK)
    assert (token.tenant, token.message_id, token.index) == (tenant, message, index)
    for kind in (LinkKind.BOUNCE, LinkKind.REPLY):
        address = LINKS.mailbox(kind, tenant, message)
        assert require_address(address) == address
        token = LINKS.read_mailbox(address.upper())
        assert (token.kind, token.tenant, token.message_id) == (kind, tenant, message)


@given(st.text(max_size=90))
def test_nothing_else_is_read(text):
    assert LINKS.read_url_token(text, LinkKind.CLICK) is None
    assert LINKS.read_mailbox(text) is None


def test_a_token_of_another_kind_or_secret_or_altered_opens_nothing():
    token = LINKS.url_token(LinkKind.CLICK, T, M, 1)
    assert LINKS.read_url_token(token, LinkKind.UNSUBSCRIBE) is None
    assert OTHER.read_url_token(token, LinkKind.CLICK) is None
    for place in (*range(0, len(token), 3), len(token) - 1):
        altered = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
        assert LINKS.read_url_token(altered, LinkKind.CLICK) is None
    bounce = LINKS.mailbox(LinkKind.BOUNCE, T, M)
    assert LINKS.read_mailbox("r" + bounce[1:]).message_id == M  # the same message, to reply to
    assert OTHER.read_mailbox(bounce) is None


@pytest.mark.parametrize("message", range(50))
def test_coupons_hold_no_look_alikes(message):
    code = LINKS.coupon(T, UUID(int=message))
    assert len(code) == 10
    assert not set(code) & set("01IO")
