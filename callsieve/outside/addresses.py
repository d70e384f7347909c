"""Which IP addresses may be connected to: those of the internet, and what an administrator named inside. Pure."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

# What Python's `is_global` calls public on some of its versions, or is no address of one server (IANA's registries of
# special-purpose addresses): IETF protocols, the old relays and tunnels between IPv4 and IPv6, documentation, segment
# routing. NAT64 of a network's own (RFC 8215) could lead to any address inside it.
NOT_PUBLIC: Final = tuple(
    ip_network(text)
    for text in (
        *("0.0.0.0/8", "192.0.0.0/24", "192.88.99.0/24", "240.0.0.0/4"),
        *("::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"),
        *("5f00::/16", "fec0::/10"),
    )
)
NAT64: Final = ip_network("64:ff9b::/96")  # RFC 6052: the last 32 bits are the IPv4 address that is meant
Address = IPv4Address | IPv6Address


def is_public(text: str) -> bool:
    """Whether the address is one of the internet's. What cannot be read is not."""
    address = _meant(text)
    if address is None or address.is_multicast or address.is_reserved:
        return False
    return address.is_global and not _is_in_one(address)


def is_inside(text: str) -> bool:
    """Whether it may be connected to where an administrator named the server: public, private, or this machine.

    Never link-local, where clouds answer with the keys of the machine (169.254.169.254), nor broadcast and multicast.
    """
    address = _meant(text)
    if address is None or address.is_link_local or address.is_multicast or address.is_unspecified:
        return False
    return address.is_loopback or not (address.is_reserved or _is_in_one(address))


def _is_in_one(address: Address) -> bool:
    return any(address in network for network in NOT_PUBLIC)


def _meant(text: str) -> Address | None:
    """The address that packets would reach: of an IPv4 address in the clothes of IPv6 that IPv4 address."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in NAT64:
            return IPv4Address(int(address) & 0xFFFFFFFF)
    return address
