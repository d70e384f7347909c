"""Which addresses are those of this server, on every version of Python alike."""

from __future__ import annotations

import pytest

from agi.sockets import is_loopback


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.9.1", "::1", "::1%lo"])
def test_loopback_addresses_are_recognised(address: str) -> None:
    assert is_loopback(address)


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "10.0.0.1", "192.0.2.1", "fe80::1", "::ffff:127.0.0.1"])
def test_other_addresses_are_no_loopback(address: str) -> None:
    assert not is_loopback(address)


@pytest.mark.parametrize("text", ["", "localhost", "127.0.0.1:80"])
def test_a_text_that_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="does not appear"):
        is_loopback(text)
