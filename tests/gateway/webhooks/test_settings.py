"""What is set by the environment."""

import pytest
from pydantic import ValidationError

from crm_gateway.webhooks.settings import WebhookSettings


def settings(**given: object) -> WebhookSettings:
    return WebhookSettings.model_validate(given)


def test_ports_may_be_named_singly_and_as_ranges() -> None:
    rule = settings(webhook_allowed_ports="443, 8000-8001").url_rule
    allowed = {port for ports in rule.ports for port in ports}
    assert allowed == {443, 8000, 8001}


def test_plain_http_opens_its_port_only_where_it_is_allowed() -> None:
    assert not any(80 in ports for ports in settings().url_rule.ports)
    assert any(80 in ports for ports in settings(webhook_allow_http=True).url_rule.ports)


@pytest.mark.parametrize(
    "wrong",
    [{"webhook_allowed_ports": "https"}, {"webhook_allowed_networks": "10.0.0.1/8"}, {"webhook_keys": "guess me"}],
)
def test_what_cannot_be_read_stops_the_process_before_it_starts_and_is_named(wrong: dict[str, str]) -> None:
    (name,) = wrong
    with pytest.raises(ValidationError, match=name) as refused:
        settings(**wrong)
    assert "guess me" not in str(refused.value)


def test_keys_are_not_shown() -> None:
    shown = settings(webhook_keys="a text that is nobody's business")
    assert "business" not in repr(shown)
