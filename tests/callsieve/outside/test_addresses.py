"""Which addresses may be connected to."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callsieve.outside.http_client import is_inside, is_public

LOOPBACK = ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1"]
PRIVATE = ["10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "fd00::1", "::ffff:10.0.0.1", "64:ff9b::a00:1"]
NOBODYS = [
    *("0.0.0.0", "0.1.2.3", "::", "255.255.255.255", "240.0.0.1", "192.88.99.1", "224.0.0.1", "239.255.255.250"),
    *("169.254.169.254", "fe80::1", "fe80::1%eth0", "ff02::1", "fec0::1", "::ffff:169.254.169.254", "::ffff:0.0.0.0"),
    *("::127.0.0.1", "2002:7f00:1::", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "64:ff9b:1::7f00:1", "2001:db8::1"),
    *("64:ff9b::a9fe:a9fe", "100::1", "5f00::1", "example.com", "", "0x7f.1", "2130706433"),
]
PUBLIC = ["93.184.215.14", "2606:4700::1111", "::ffff:93.184.215.14", "64:ff9b::5db8:d70e"]


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_public(address: str) -> None:
    assert is_public(address)
    assert is_inside(address)


@pytest.mark.parametrize("address", [*LOOPBACK, *PRIVATE])
def test_private_and_loopback_addresses_are_inside(address: str) -> None:
    assert not is_public(address)
    assert is_inside(address)


@pytest.mark.parametrize("address", NOBODYS)
def test_special_addresses_are_neither_public_nor_inside(address: str) -> None:
    assert not is_public(address)
    assert not is_inside(address)


@given(st.integers(0, 2**32 - 1).map(IPv4Address))
def test_ipv4_embedded_in_ipv6_is_judged_as_ipv4(address: IPv4Address) -> None:
    for shown in (f"::ffff:{address}", f"64:ff9b::{int(address) >> 16:x}:{int(address) & 0xFFFF:x}"):
        assert is_public(shown) == is_public(str(address))
        assert is_inside(shown) == is_inside(str(address))
