"""Passwords of the console's users. The only module that imports argon2.

Argon2id with the library's own figures, which are those of RFC 9106's second recommendation: 64 MB and some 50 ms for
each look, so whoever steals the store cannot try many. NIST SP 800-63B: length counts, kinds of characters do not.
"""

from __future__ import annotations

from functools import lru_cache

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from callsieve.changes.operation import Refused
from reputation.wording import Wording

SHORTEST = 12
LONGEST = 256  # hashing time does not depend on it; a megabyte is no password

LENGTH = Wording(
    "a password has {shortest} to {longest} characters: some words in a row are a good one",
    {"shortest": SHORTEST, "longest": LONGEST},
)

HASHER = PasswordHasher()


def hashed(password: str, *, name: str = "") -> str:
    """What is stored. Refused for one that is too short, too long, or the user's own name."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise Refused("bad-password", LENGTH)
    if len(set(password)) < 5 or (name and password.lower().strip() in (name.lower(), name.lower() * 2)):
        raise Refused("bad-password", Wording("this password would be guessed at once: take some words in a row"))
    return HASHER.hash(password)


def is_password(password: str, stored: str | None) -> bool:
    """Whether it is this one. For a user whom nobody knows (None) it takes as long, and is not."""
    try:
        return HASHER.verify(stored or _nobodys(HASHER), password[:LONGEST]) and stored is not None
    except (Argon2Error, InvalidHashError):
        return False


def is_outdated(stored: str) -> bool:
    """Whether it was hashed with figures that are no longer customary."""
    return HASHER.check_needs_rehash(stored)


@lru_cache(maxsize=1)
def _nobodys(hasher: PasswordHasher) -> str:
    return hasher.hash("nobody has this password")
