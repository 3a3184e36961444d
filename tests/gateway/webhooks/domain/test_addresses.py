"""Which addresses are of the public internet."""

import pytest

from crm_gateway.webhooks.domain.addresses import AddressRule

REFUSED = {
    "loopback": ["127.0.0.1", "127.8.9.1", "::1"],
    "private": ["10.0.0.1", "172.16.0.1", "192.168.1.1", "fc00::1", "fd00:ec2::254"],
    "link-local, where clouds keep metadata": ["169.254.169.254", "fe80::1", "fe80::1%eth0", "fec0::1"],
    "a cloud's own, under public addresses": ["168.63.129.16", "192.0.0.192"],
    "carrier-grade NAT": ["100.64.0.1", "100.100.100.200"],
    "multicast": ["224.0.0.1", "239.1.2.3", "ff02::1", "ff0e::1"],
    "unspecified": ["0.0.0.0", "0.1.2.3", "::"],
    "broadcast and reserved": ["255.255.255.255", "240.0.0.1", "5f00::1", "100::1"],
    "IPv4 inside IPv6": ["::ffff:127.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1"],
    "translated (NAT64)": ["64:ff9b::7f00:1", "64:ff9b::808:808", "64:ff9b:1::a00:1"],
    "tunnels": ["2002:7f00:1::1", "2001:0:7f00:1::1", "192.88.99.1"],
    "documentation and benchmarks": [
        "192.0.2.1",
        "198.51.100.1",
        "203.0.113.1",
        "198.18.0.1",
        "2001:db8::1",
        "3fff::1",
    ],
    "no address at all": ["", "localhost", "2130706433", "0x7f000001", "127.1", "010.0.0.1"],
}


@pytest.mark.parametrize(
    ("kind", "address"), [(kind, address) for kind, addresses in REFUSED.items() for address in addresses]
)
def test_what_is_no_public_address_is_refused(kind: str, address: str) -> None:
    assert not AddressRule().admits(address), kind


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.216.34", "2606:4700::1111", "2a00:1450:4001::8a"])
def test_public_addresses_are_admitted(address: str) -> None:
    assert AddressRule().admits(address)


def test_an_allowed_network_is_allowed_and_no_other() -> None:
    rule = AddressRule.of(["10.20.0.0/16", "::1/128"])
    assert rule.admits("10.20.3.4")
    assert rule.admits("::1")
    assert not rule.admits("10.21.0.1")
    assert not rule.admits("::ffff:10.20.3.4"), "the same host in another dress is not what was allowed"
