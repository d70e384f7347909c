"""Whether an address is this machine's own: the sockets that we serve are worth root to whoever reaches them."""

from __future__ import annotations

import ipaddress


def is_loopback(address: str) -> bool:
    """127.0.0.0/8 and ::1. Not IPv4 in IPv6 clothes, which Python 3.13 takes for loopback and 3.11 does not.

    ValueError for what is no address.
    """
    parsed = ipaddress.ip_address(address.partition("%")[0])
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return mapped is None and parsed.is_loopback
