"""Which URLs may be registered."""

import pytest

from crm_gateway.webhooks.domain.addresses import AddressRule
from crm_gateway.webhooks.domain.urls import UrlRule, checked_url
from crm_shared.errors import Invalid

USUAL = UrlRule()
DEVELOPMENT = UrlRule(AddressRule.of(["127.0.0.0/8"]), (range(1, 65_536),), http=True)

REFUSED = [
    ("http://example.com/", "https_required"),
    ("https://user:secret@example.com/", "url_has_credentials"),
    ("https://example.com@10.0.0.1/", "url_has_credentials"),
    ("https://127.0.0.1/", "address_refused"),
    ("https://[::1]/", "address_refused"),
    ("https://[::ffff:127.0.0.1]/", "address_refused"),
    ("https://169.254.169.254/latest/meta-data/", "address_refused"),
    ("https://2130706433/", "url_malformed"),
    ("https://0x7f.0.0.1/", "url_malformed"),
    ("https://0177.0.0.1/", "url_malformed"),
    ("https://127.1/", "url_malformed"),
    ("https://example.com:22/", "port_refused"),
    ("https://example.com:99999/", "url_malformed"),
    ("https://example.com/#part", "url_has_credentials|url_malformed"),
    ("https:///path", "url_malformed"),
    ("https:example.com", "url_malformed"),
    ("https://exa mple.com/", "url_malformed"),
    ("https://example.com\\@10.0.0.1/", "url_malformed"),
    ("https://example.com/\r\nHost: other", "url_malformed"),
    ("https://example.com/a\x00b", "url_malformed"),
    ("https://bücher.example/", "url_malformed"),
    ("https://[fe80::1%25eth0]/", "url_malformed|address_refused"),
    ("ftp://example.com/", "url_malformed"),
    ("file:///etc/passwd", "url_malformed"),
    ("gopher://example.com:443/", "url_malformed"),
    ("https://-.example/", "url_malformed"),
    ("https://" + "a" * 2_000 + ".example/", "url_malformed"),
    ("", "url_malformed"),
]


@pytest.mark.parametrize(("url", "code"), REFUSED)
def test_a_url_that_could_lead_elsewhere_is_refused(url: str, code: str) -> None:
    with pytest.raises(Invalid) as refused:
        checked_url(url, USUAL)
    assert refused.value.code in code.split("|")


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com",
        "https://hooks.example.com:8443/crm?token=a%20b",
        "https://xn--bcher-kva.example/",
        "https://8.8.8.8/",
        "https://[2606:4700::1111]/",
        "https://example.com./",
        "https://under_score.example/",
    ],
)
def test_a_plain_url_is_taken_as_it_is(url: str) -> None:
    assert checked_url(url, USUAL) == url


def test_development_may_allow_http_any_port_and_its_own_machine() -> None:
    assert checked_url("http://127.0.0.1:9000/hook", DEVELOPMENT)
    with pytest.raises(Invalid):
        checked_url("http://10.0.0.1:9000/hook", DEVELOPMENT)
