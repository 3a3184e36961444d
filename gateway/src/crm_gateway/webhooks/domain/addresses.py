"""Which addresses may be sent to. What isn't plainly a host of the public internet is refused.

Whoever names a URL chooses where we connect to; without this they would reach what only we can reach (SSRF): our own
databases, a cloud's metadata service, a neighbour's printer.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_NOT_FOR_US_4 = tuple(
    IPv4Network(text)
    for text in (
        "192.0.0.0/24",  # IETF protocol assignments; some clouds keep metadata there
        "192.88.99.0/24",  # relays to IPv6
        "168.63.129.16/32",  # a cloud's own agent, under a public address
    )
)
_UNICAST_6 = IPv6Network("2000::/3")
"""All there is of public IPv6 (RFC 4291). Mapped, translated (NAT64), local and multicast addresses lie outside it."""
_NOT_FOR_US_6 = tuple(
    IPv6Network(text)
    for text in (
        "2001::/23",  # protocol assignments; tunnels that hold IPv4 addresses (Teredo)
        "2002::/16",  # the same (6to4)
        "3fff::/20",  # documentation; unknown to older Pythons
    )
)


@dataclass(frozen=True, slots=True)
class AddressRule:
    """Public addresses, and those of networks that whoever runs this has allowed."""

    allowed: tuple[Network, ...] = ()

    @classmethod
    def of(cls, networks: Iterable[str]) -> "AddressRule":
        """The rule with these networks, such as `10.20.0.0/16`.

        Raises:
            ValueError: one of them is no network.
        """
        return cls(tuple(ip_network(text) for text in networks))

    def admits(self, text: str) -> bool:
        """Whether this address, as a resolver or a URL gives it, may be connected to."""
        try:
            address = ip_address(text)
        except ValueError:
            return False
        return any(address in network for network in self.allowed) or _is_public(address)


def _is_public(address: Address) -> bool:
    if not address.is_global or address.is_multicast or address.is_reserved:
        return False
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _NOT_FOR_US_4)
    return address in _UNICAST_6 and not any(address in network for network in _NOT_FOR_US_6)
