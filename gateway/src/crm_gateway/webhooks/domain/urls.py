"""Which URLs may be registered.

Only forms that every parser reads alike are taken. Where a name leads is checked when it is connected to, each time:
see `egress`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from urllib.parse import urlsplit

from crm_gateway.webhooks.domain.addresses import AddressRule
from crm_shared.errors import Invalid

LONGEST_URL = 2_000
_PLAIN = re.compile(r"[!#-;=?-\[\]_a-z~]+")  # what RFC 3986 allows, without quotes, braces and backslashes
# The last label begins with a letter: `127.1`, `0x7f.0.0.1` and `2130706433` are numbers to some resolvers.
_NAME = re.compile(r"(?=.{1,253}\.?$)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?\.)*[a-z]([a-z0-9-]{0,61}[a-z0-9])?\.?")
_STANDARD_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True)
class UrlRule:
    """What URLs whoever runs this allows."""

    addresses: AddressRule = field(default_factory=AddressRule)
    ports: Sequence[range] = (range(443, 444), range(8443, 8444))
    http: bool = False


def checked_url(text: str, rule: UrlRule) -> str:
    """The same URL, if it may be registered.

    Raises:
        Invalid: it may not, and why.
    """
    if len(text) > LONGEST_URL or not _PLAIN.fullmatch(text):
        raise _refusal("url_malformed", "Write a plain URL; names and paths in ASCII (xn--…, %C3%BC).")
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise _refusal("url_malformed", "This is no URL.") from None
    if parts.scheme not in _STANDARD_PORTS or not text.startswith(f"{parts.scheme}://") or not host:
        raise _refusal("url_malformed", "Write https:// and a host.")
    if parts.scheme == "http" and not rule.http:
        raise _refusal("https_required", "Use https: the events in a webhook are nobody else's to read.")
    if "@" in parts.netloc:
        raise _refusal("url_has_credentials", "Leave user and password out; the signature tells who sends.")
    if "#" in text:
        raise _refusal("url_malformed", "Leave out the part after #; it is never sent.")
    port = port if port is not None else _STANDARD_PORTS[parts.scheme]
    if not any(port in ports for ports in rule.ports):
        raise _refusal("port_refused", f"Port {port} is not one of those that webhooks may be sent to.")
    if not _is_name(host) and not rule.addresses.admits(_literal(host)):
        raise _refusal("address_refused", "This address is not of the public internet.")
    return text


def _is_name(host: str) -> bool:
    return _NAME.fullmatch(host) is not None


def _literal(host: str) -> str:
    try:
        address = IPv6Address(host) if ":" in host else IPv4Address(host)
    except ValueError:
        raise _refusal("url_malformed", "The host is neither a name nor an address as it is usually written.") from None
    return str(address)


def _refusal(code: str, message: str) -> Invalid:
    return Invalid.field("/url", message, code=code)
