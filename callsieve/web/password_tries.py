"""Whether a visitor knows a password: asked at the login and by who changes one, and bounded for both together."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address

from callsieve.passwords import is_password
from callsieve.web.visit import Visit
from callsieve.web.words import N_
from reputation.store.users import password_of
from reputation.users import LONGEST_NAME, NAME

WAIT = N_("Too many attempts. Try again in {} s.")
HOST_BITS = 64  # of an IPv6 address: who has one has all of its /64


class TooManyTriesError(Exception):
    """Nobody has looked: it was tried too often. The text says how long to wait."""


async def look_at_password(visit: Visit, name: str, password: str) -> str | None:
    """The hash that is stored, if it is of this password; None: it is not. TooManyTriesError."""
    desk, now = visit.desk, visit.now
    keys = (
        (desk.tries_of_user, name.lower()[:LONGEST_NAME]),
        (desk.tries_of_address, network_of(visit.address)),
    )
    wait = max(throttle.wait_seconds(key, now) for throttle, key in keys)
    if wait > 0:
        raise TooManyTriesError(WAIT.format(int(wait) + 1))
    for throttle, key in keys:  # before it is known, so that many at once do not all get a try
        throttle.failed(key, now)
    stored = await visit.read(password_of, name) if NAME.fullmatch(name) else None
    if not await desk.hashing(is_password, password, stored):
        return None
    desk.tries_of_user.succeeded(keys[0][1])
    desk.tries_of_address.take_back(keys[1][1])
    return stored


def network_of(address: str) -> str:
    """Whose address it is: of an IPv6 address the /64, else itself."""
    try:
        found = ip_address(address)
    except ValueError:
        return address[:LONGEST_NAME]
    if not isinstance(found, IPv6Address):
        return str(found)
    return str(found.ipv4_mapped or IPv6Address(int(found) >> HOST_BITS << HOST_BITS))
