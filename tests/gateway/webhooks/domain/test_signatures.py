"""Signatures, checked by the library of the standard itself."""

from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from crm_gateway.webhooks.domain.signatures import PREFIX, new_secret, signed_headers

BODY = '{"type":"crm.customer.updated.v1","name":"Zoë"}'.encode()


def signed(*secrets: str) -> dict[str, str]:
    return signed_headers(secrets, "0198-1", BODY, now=datetime.now(UTC))


def test_receivers_find_the_signature_right() -> None:
    secret = new_secret()
    assert secret.startswith(PREFIX)
    assert Webhook(secret).verify(BODY, signed(secret))["name"] == "Zoë"


def test_while_secrets_overlap_either_checks_it() -> None:
    old, new = new_secret(), new_secret()
    headers = signed(new, old)
    assert Webhook(new).verify(BODY, headers) == Webhook(old).verify(BODY, headers)
    assert len(headers["webhook-signature"].split(" ")) == 2


@pytest.mark.parametrize("part", ["webhook-id", "webhook-timestamp"])
def test_no_part_can_be_changed(part: str) -> None:
    secret = new_secret()
    headers = signed(secret)
    changed = {**headers, part: headers[part][:-1] + ("1" if headers[part][-1] != "1" else "2")}
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(BODY, changed)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(BODY + b" ", headers)


def test_another_secret_does_not_check_it() -> None:
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret()).verify(BODY, signed(new_secret()))
